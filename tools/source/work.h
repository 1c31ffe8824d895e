// Which message next, and when: hands out numbers to the connections, within the totals, the time and the rate.
#pragma once

#include <cstdint>
#include <deque>

#include "ringpost/base/time.h"

namespace ringpost::source {

struct WorkOptions {
  std::uint64_t messages = 0;  // 0: as many as fit in the time
  Duration longest{0};         // 0: no bound
  double rate = 0;             // messages begun per second, over all connections; 0: as fast as it goes
  bool retry = false;          // what was not acknowledged is sent again
};

class Work {
 public:
  explicit Work(const WorkOptions& options) : options_(options) {}

  struct Next {
    enum class Kind : std::uint8_t { message, wait, none };
    Kind kind = Kind::none;
    std::uint64_t number = 0;  // message
    Instant when{};            // wait
  };
  void begin(Instant now);
  Next take(Instant now);
  // True when there is something left to take, now or later.
  [[nodiscard]] bool left(Instant now) const;
  // It was not acknowledged: will be taken again soon, if that is wanted.
  void give_back(std::uint64_t number, Instant now);
  void stop() { stopped_ = true; }  // nothing more is begun

  [[nodiscard]] std::uint64_t begun() const { return begun_; }
  [[nodiscard]] bool over(Instant now) const;
  [[nodiscard]] const WorkOptions& options() const { return options_; }

 private:
  WorkOptions options_;
  std::uint64_t begun_ = 0;
  struct Again {
    std::uint64_t number = 0;
    Instant not_before;
  };
  std::deque<Again> again_;
  Instant end_;
  Instant next_start_;
  Duration between_{0};
  bool stopped_ = false;
};

}  // namespace ringpost::source
