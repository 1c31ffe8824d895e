// What the sink notes of one message for its ledger: envelope, id, hashes. Gathers the header (bounded) to find the
// id, and hashes in the pass that receives. Does nothing while the ledger is off.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "ringpost/base/bytes.h"
#include "ringpost/base/time.h"
#include "ringpost/smtp.h"
#include "tools/common/ledger.h"
#include "tools/common/sha256.h"

namespace ringpost::sink {

class MessageRecord {
 public:
  static constexpr std::size_t kHeaderKept = 256 * 1024;  // octets; a longer header has no body hash

  void begin(View from);
  void recipient(View to) { to_.emplace_back(to); }
  void content(View octets);  // of the clean message, in order
  void write(tools::Ledger& ledger, WallTime time, const smtp::BodyFacts& facts, bool bdat);

 private:
  void gather_header(View octets);

  std::string from_;
  std::vector<std::string> to_;
  std::string header_;
  bool in_header_ = true;
  tools::Sha256 whole_;
  tools::Sha256 body_;
};

}  // namespace ringpost::sink
