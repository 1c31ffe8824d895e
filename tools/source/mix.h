// What is drawn from for each message: sizes and domains by weight, and messages from files. Read-only once made.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "ringpost/base/bytes.h"
#include "ringpost/base/random.h"
#include "ringpost/base/result.h"

namespace ringpost::source {

// "4096" or "1K:50,16K:30,1M:5": sizes in octets with their weights.
class SizeMix {
 public:
  static Result<SizeMix> parse(View text);
  [[nodiscard]] std::uint64_t draw(Random& random) const;
  [[nodiscard]] std::uint64_t largest() const;

 private:
  struct Part {
    std::uint64_t size = 0;
    std::uint64_t up_to = 0;  // sum of the weights so far
  };
  std::vector<Part> parts_;
};

// "100": d0.example … d99.example; or "a.example,b.example=3": domains with weights.
class DomainMix {
 public:
  static Result<DomainMix> parse(View text);
  // The domain of the n-th recipient of the run: each comes as often as its weight says, always in the same order.
  [[nodiscard]] View of(std::uint64_t recipient) const { return names_[turns_[recipient % turns_.size()]]; }
  [[nodiscard]] bool any_utf8() const;

 private:
  std::vector<std::string> names_;
  std::vector<std::uint32_t> turns_;
};

// A message as it stands in a file, and as DATA wants it.
struct FileMessage {
  std::string name;
  std::string id;              // its Message-ID, else empty
  std::string octets;          // as BDAT sends it
  std::string stuffed;         // as DATA sends it, the final dot included
  bool ends_with_crlf = true;  // else DATA adds one, and the receiver has two octets more
  bool eight_bit = false;
};

// Each path is a message, or a directory of messages (in the order of names, no deeper).
Result<std::vector<FileMessage>> load_messages(const std::vector<std::string>& paths, bool mend_line_ends);

// One message, for load_messages and tests.
FileMessage make_message(std::string name, std::string octets, bool mend_line_ends);

}  // namespace ringpost::source
