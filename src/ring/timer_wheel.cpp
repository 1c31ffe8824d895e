// The hierarchical timer wheel: four levels of 256 lists, the first of one tick each, every next one 256 times as
// coarse. Owns the lists, never the timers in them: those leave by themselves when disarmed or destroyed. Called by
// the ring's turn. Never reads a clock.
#include <array>
#include <bit>
#include <cstdint>

#include "ringpost/ring.h"

namespace ringpost::ring {
namespace {

constexpr unsigned kLevelBits = 8;
constexpr unsigned kSlots = 1U << kLevelBits;
constexpr unsigned kLevels = 4;
// Ticks that the wheel spans (198 days). What is due later waits in the last list and is placed again from there.
constexpr std::int64_t kHorizon = std::int64_t{1} << (kLevelBits * kLevels);

// A timer is never early: its tick is the first one that begins at or after its time.
std::int64_t tick_of(Instant due) {
  if (due.nanoseconds <= 0) return 0;
  return (due.nanoseconds - 1) / kTimerTick.count() + 1;
}

std::int64_t last_tick_by(Instant now) { return now.nanoseconds <= 0 ? 0 : now.nanoseconds / kTimerTick.count(); }

struct Level {
  std::array<List<Timer, Timer>, kSlots> slots;
  // A clear bit: that list is empty. A set one: perhaps not, since timers leave without telling.
  std::array<std::uint64_t, kSlots / 64> occupied{};

  void put(Timer& timer, unsigned at) {
    slots[at].push_back(timer);
    occupied[at / 64] |= std::uint64_t{1} << (at % 64);
  }

  // How many lists after `from`, around the circle, the next timer stands (1 … 256).
  std::optional<unsigned> distance_to_next(unsigned from) {
    for (unsigned distance = 1; distance <= kSlots;) {
      unsigned at = (from + distance) % kSlots;
      const std::uint64_t word = occupied[at / 64] >> (at % 64);
      if (word == 0) {
        distance += 64 - at % 64;
        continue;
      }
      distance += static_cast<unsigned>(std::countr_zero(word));
      if (distance > kSlots) break;
      at = (from + distance) % kSlots;
      if (!slots[at].empty()) return distance;
      occupied[at / 64] &= ~(std::uint64_t{1} << (at % 64));
      ++distance;
    }
    return std::nullopt;
  }
};

}  // namespace

struct TimerWheel::Levels {
  std::array<Level, kLevels> level;
  std::int64_t current = 0;  // every tick up to this one has been run

  static unsigned index(std::int64_t tick, unsigned level) {
    return static_cast<unsigned>(tick >> (kLevelBits * level)) % kSlots;
  }

  // `tick` is current or later.
  void place(Timer& timer, std::int64_t tick) {
    const std::int64_t ahead = std::min(tick - current, kHorizon - 1);
    unsigned at_level = 0;
    while (at_level + 1 < kLevels && ahead >> (kLevelBits * (at_level + 1)) != 0) ++at_level;
    level[at_level].put(timer, index(current + ahead, at_level));
  }

  // The next tick at which a list has to be run or spread over a finer level.
  std::optional<std::int64_t> next_tick() {
    std::optional<std::int64_t> earliest;
    for (unsigned at_level = 0; at_level < kLevels; ++at_level) {
      const unsigned shift = kLevelBits * at_level;
      const auto distance = level[at_level].distance_to_next(index(current, at_level));
      if (!distance) continue;
      const std::int64_t tick = ((current >> shift) + *distance) << shift;
      if (!earliest || tick < *earliest) earliest = tick;
    }
    return earliest;
  }

  // Coarse lists that begin at the current tick go to finer ones, coarsest first.
  void spread() {
    for (unsigned at_level = kLevels - 1; at_level > 0; --at_level) {
      const std::int64_t below = (std::int64_t{1} << (kLevelBits * at_level)) - 1;
      if ((current & below) != 0) continue;
      List<Timer, Timer> moved;
      List<Timer, Timer>& from = level[at_level].slots[index(current, at_level)];
      while (!from.empty()) moved.push_back(from.pop_front());
      while (!moved.empty()) {
        Timer& timer = moved.pop_front();
        place(timer, std::max(tick_of(timer.due()), current));
      }
    }
  }
};

TimerWheel::TimerWheel() : levels_(std::make_unique<Levels>()) {}
TimerWheel::~TimerWheel() = default;

void TimerWheel::arm(Timer& timer, Instant due) {
  timer.unlink();
  timer.due_ = due;
  // At least the next tick: a timer armed for now by a timer that runs must not run in the same pass for ever.
  levels_->place(timer, std::max(tick_of(due), levels_->current + 1));
}

std::optional<Instant> TimerWheel::next() const {
  const auto tick = levels_->next_tick();
  if (!tick) return std::nullopt;
  return Instant{*tick * kTimerTick.count()};
}

void TimerWheel::run(Instant now) {
  Levels& wheel = *levels_;
  const std::int64_t target = last_tick_by(now);
  while (wheel.current < target) {
    const auto tick = wheel.next_tick();
    if (!tick || *tick > target) {
      wheel.current = target;
      return;
    }
    wheel.current = *tick;
    wheel.spread();
    List<Timer, Timer>& due = wheel.level[0].slots[Levels::index(wheel.current, 0)];
    while (!due.empty()) {
      Timer& timer = due.pop_front();
      timer.action_(timer.owner_);
    }
  }
}

}  // namespace ringpost::ring
