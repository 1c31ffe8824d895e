// What happens next: the events of the simulated world in order of virtual time. Owns the virtual clock and all
// that is put off to later; called by World, Network and the simulated peers. Never looks at a real clock: two runs
// that ask for the same events get them in the same order.
#pragma once

#include <cstdint>
#include <functional>
#include <vector>

#include "ringpost/base/time.h"

namespace ringpost::sim {

class Schedule {
 public:
  using Event = std::move_only_function<void()>;
  // background: does not keep the world from being idle (a timer that is due some day).
  enum class Weight { foreground, background };

  [[nodiscard]] Instant now() const { return now_; }
  // Runs `event` at `when` (now, when that is past), after all that was asked for the same instant before.
  void at(Instant when, Event event, Weight weight = Weight::foreground);
  void after(Duration delay, Event event) { at(now_ + delay, std::move(event)); }

  // Nothing but background is left.
  [[nodiscard]] bool idle() const { return foreground_ == 0; }
  [[nodiscard]] bool empty() const { return heap_.empty(); }
  [[nodiscard]] Instant next() const { return heap_.front().when; }  // not empty()
  [[nodiscard]] std::uint64_t steps() const { return steps_; }       // events run so far
  // Moves the clock to the next event and runs it. Not when empty().
  void step();
  // Moves the clock only; not past next().
  void advance(Instant to);

 private:
  struct Entry {
    Instant when;
    std::uint64_t order = 0;
    Weight weight = Weight::foreground;
    Event event;
  };
  static bool later(const Entry& a, const Entry& b) { return a.when != b.when ? a.when > b.when : a.order > b.order; }

  Instant now_{1'000'000'000};  // not zero: an Instant left unset shows as long past
  std::uint64_t order_ = 0;
  std::uint64_t steps_ = 0;
  std::size_t foreground_ = 0;
  std::vector<Entry> heap_;
};

}  // namespace ringpost::sim
