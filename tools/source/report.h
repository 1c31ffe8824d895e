// What a run did: counts, latencies, the ledger's lines, and how they are printed.
#pragma once

#include <cstdint>
#include <map>
#include <string>

#include "plan.h"
#include "ringpost/base/counter.h"
#include "ringpost/base/time.h"
#include "tools/common/ledger.h"

namespace ringpost::source {

enum class Fate : std::uint8_t { accepted, refused, broken };

// How one message ended, or one try of it.
struct Ending {
  Fate result = Fate::broken;
  std::uint64_t number = 0;
  std::uint16_t code = 0;  // of the reply that decided; 0: the connection broke before it
  View text;               // of that reply, or why it broke
  Duration latency{0};     // from MAIL to the reply to the content
  bool by_data = true;
  const Content* content = nullptr;
  const std::vector<std::uint16_t>* recipient_codes = nullptr;  // one per recipient; 0: not asked
};

class Report {
 public:
  Report(const Plan& plan, tools::Ledger& ledger) : plan_(plan), ledger_(ledger) {}

  void ended(const Ending& ending, WallTime wall);
  void connection_opened() { ++connections_; }
  void connection_failed(const std::string& why) { ++failures_[why]; }

  [[nodiscard]] std::uint64_t accepted() const { return accepted_; }
  [[nodiscard]] std::uint64_t refused() const { return refused_; }
  [[nodiscard]] std::uint64_t broken() const { return broken_; }
  // Every message that was begun was taken for every recipient.
  [[nodiscard]] bool all_accepted(std::uint64_t begun) const {
    return begun > 0 && accepted_ == begun && recipients_refused_.empty();
  }

  void print(std::uint64_t begun, Duration run, bool json) const;
  void print_progress(std::uint64_t of, Duration run, bool last) const;

 private:
  void write_line(const Ending& ending, WallTime wall);
  void write_recipients(const Ending& ending);

  const Plan& plan_;
  tools::Ledger& ledger_;
  std::uint64_t connections_ = 0;
  std::uint64_t accepted_ = 0;
  std::uint64_t refused_ = 0;
  std::uint64_t broken_ = 0;
  std::uint64_t octets_ = 0;  // of accepted messages
  std::map<std::uint16_t, std::uint64_t> refusals_;
  std::map<std::uint16_t, std::uint64_t> recipients_refused_;
  std::map<std::string, std::uint64_t> failures_;
  Histogram latency_;  // nanoseconds
};

}  // namespace ringpost::source
