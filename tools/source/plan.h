// What is sent: the messages of a run, by number. The n-th message is the same whenever it is made, so one that was
// not acknowledged can be sent again. Owns the filler text and the files' messages.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "mix.h"
#include "ringpost/base/bytes.h"
#include "ringpost/base/time.h"
#include "tools/common/sha256.h"

namespace ringpost::source {

struct PlanOptions {
  std::string run;  // in every id: tells runs apart
  std::string from = "source@source.example";
  std::vector<std::string> to;   // fixed recipients; empty: from the domains
  std::uint32_t recipients = 1;  // of each message, when drawn from the domains
  bool add_id = false;           // put the id header before files' messages too
  WallTime date;
};

// The parts of one message on the wire. `head` is its own, the rest lives as long as the plan.
struct Content {
  std::string head;             // generated header; for files empty, or the added id
  View octets;                  // the rest as BDAT sends it
  View data;                    // the rest as DATA sends it
  View data_end;                // after `data`: what ends it, empty when `data` holds it
  bool data_adds_crlf = false;  // by DATA the receiver has a CRLF more at the end
  bool eight_bit = false;
  const FileMessage* file = nullptr;

  [[nodiscard]] std::uint64_t size() const { return head.size() + octets.size(); }
};

class Plan {
 public:
  Plan(PlanOptions options, SizeMix sizes, DomainMix domains, std::vector<FileMessage> files, std::uint64_t seed);

  [[nodiscard]] std::size_t files() const { return files_.size(); }
  [[nodiscard]] const PlanOptions& options() const { return options_; }
  [[nodiscard]] bool needs_utf8() const { return needs_utf8_; }  // an address is not ASCII
  void make(std::uint64_t number, Content& content) const;

  [[nodiscard]] std::uint32_t recipients() const;
  // Appends the k-th recipient of a message.
  void append_recipient(std::uint64_t number, std::uint32_t k, std::string& out) const;
  // What X-Ringpost-Source-Id says.
  void append_id(std::uint64_t number, std::string& out) const;
  // The same; for files' messages without it their Message-ID.
  [[nodiscard]] std::string ledger_id(std::uint64_t number, const Content& content) const;
  // Of what the receiver has when it has all.
  [[nodiscard]] tools::Sha256::Hex hash(const Content& content, bool by_data) const;
  // Of the same behind its empty line: what no relay on the way may change.
  [[nodiscard]] tools::Sha256::Hex body_hash(const Content& content, bool by_data) const;

 private:
  static tools::Sha256::Hex hash_of(View head, const Content& content, bool by_data);
  void make_generated(std::uint64_t number, Content& content) const;
  void append_header(std::uint64_t number, std::string& out) const;

  PlanOptions options_;
  SizeMix sizes_;
  DomainMix domains_;
  std::vector<FileMessage> files_;
  std::uint64_t seed_;
  bool needs_utf8_ = false;
  std::string filler_;
  std::string fixed_header_;  // what all generated messages share
};

}  // namespace ringpost::source
