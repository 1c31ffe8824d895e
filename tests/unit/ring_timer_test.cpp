// Timers: the wheel by itself with invented time, then on the kernel's clock.
#include <doctest/doctest.h>

#include <algorithm>
#include <memory>
#include <vector>

#include "ring_loop.h"
#include "ringpost/base/random.h"
#include "ringpost/ring.h"

namespace ringpost::ring {

namespace {

struct Bell {
  Instant rung{};
  int times = 0;
  Instant* clock = nullptr;
  Timer timer{this, call<&Bell::ring>};
  void ring() {
    ++times;
    rung = *clock;
  }
};

// Steps time to where the wheel says something is due, as the loop does.
void run_all(TimerWheel& wheel, Instant& clock, Instant end) {
  while (const auto next = wheel.next()) {
    if (*next > end) break;
    clock = std::max(clock, *next);
    wheel.run(clock);
  }
  clock = end;
  wheel.run(clock);
}

struct Chain {
  TimerWheel* wheel = nullptr;
  Instant* clock = nullptr;
  int left = 0;
  Timer timer{this, call<&Chain::again>};
  void again() {
    if (--left > 0) wheel->arm(timer, *clock);
  }
};

struct Killer {
  std::unique_ptr<Bell> victim;
  Timer timer{this, call<&Killer::kill>};
  void kill() { victim.reset(); }
};

}  // namespace

TEST_CASE("a hundred thousand timers run once each, never early, within a tick, in order") {
  TimerWheel wheel;
  Instant clock{1'000'000'007};
  wheel.run(clock);
  Random random(20251);
  const std::vector<Duration> spans{10ms, 1s, 300s, 24h, 24h * 30};
  std::vector<std::unique_ptr<Bell>> bells;
  Instant last = clock;
  for (int i = 0; i < 100'000; ++i) {
    bells.push_back(std::make_unique<Bell>());
    bells.back()->clock = &clock;
    const Duration span = spans[random.below(spans.size())];
    const Instant due =
        clock + Duration{static_cast<std::int64_t>(random.below(static_cast<std::uint64_t>(span.count())))};
    wheel.arm(bells.back()->timer, due);
    last = std::max(last, due);
  }
  run_all(wheel, clock, last + 1s);
  std::int64_t worst = 0;
  int wrong = 0;
  for (const auto& bell : bells) {
    wrong += bell->times != 1 || bell->rung < bell->timer.due() || bell->timer.armed();
    worst = std::max(worst, (bell->rung - bell->timer.due()).count());
  }
  CHECK(wrong == 0);
  CHECK(worst <= kTimerTick.count());
  CHECK_FALSE(wheel.next().has_value());
}

TEST_CASE("a timer beyond the wheel's span still comes at its time") {
  TimerWheel wheel;
  Instant clock{5};
  Bell bell{.clock = &clock};
  const Instant due = clock + 24h * 1000;
  wheel.arm(bell.timer, due);
  run_all(wheel, clock, due - 1s);
  CHECK(bell.times == 0);
  run_all(wheel, clock, due + 1s);
  CHECK(bell.times == 1);
  CHECK(bell.rung - due <= kTimerTick);
}

TEST_CASE("arming again moves a timer, disarming and destroying take it out") {
  TimerWheel wheel;
  Instant clock{};
  Bell moved{.clock = &clock};
  Bell stopped{.clock = &clock};
  wheel.arm(moved.timer, Instant{} + 1s);
  wheel.arm(moved.timer, Instant{} + 10s);
  wheel.arm(stopped.timer, Instant{} + 1s);
  {
    Bell gone{.clock = &clock};
    wheel.arm(gone.timer, Instant{} + 1s);
  }
  stopped.timer.disarm();
  run_all(wheel, clock, Instant{} + 9s);
  CHECK(moved.times == 0);
  run_all(wheel, clock, Instant{} + 11s);
  CHECK(moved.times == 1);
  CHECK(stopped.times == 0);
}

TEST_CASE("a timer that arms itself for now runs in a later tick, not for ever in this one") {
  TimerWheel wheel;
  Instant clock = Instant{} + 1s;
  wheel.run(clock);
  Chain chain{.wheel = &wheel, .clock = &clock, .left = 3};
  wheel.arm(chain.timer, clock);
  wheel.run(clock + kTimerTick);
  CHECK(chain.left == 2);
  run_all(wheel, clock, clock + 1s);
  CHECK(chain.left == 0);
}

TEST_CASE("a timer may destroy the owner of another that is due in the same tick") {
  TimerWheel wheel;
  Instant clock{};
  Killer killer;
  killer.victim = std::make_unique<Bell>();
  killer.victim->clock = &clock;
  wheel.arm(killer.timer, Instant{} + 1s);
  wheel.arm(killer.victim->timer, Instant{} + 1s);
  run_all(wheel, clock, Instant{} + 2s);
  CHECK(killer.victim == nullptr);
  CHECK_FALSE(wheel.next().has_value());
}

TEST_CASE("after a long jump of time every timer runs in the order of ticks") {
  TimerWheel wheel;
  std::vector<std::int64_t> order;
  struct Noted {
    std::vector<std::int64_t>* order;
    std::int64_t number;
    Timer timer{this, call<&Noted::note>};
    void note() { order->push_back(number); }
  };
  std::vector<std::unique_ptr<Noted>> noted;
  for (std::int64_t i = 200; i > 0; --i) {
    noted.push_back(std::make_unique<Noted>(&order, i));
    wheel.arm(noted.back()->timer, Instant{} + i * 700ms);
  }
  wheel.run(Instant{} + 1h);
  CHECK(order.size() == 200);
  CHECK(std::ranges::is_sorted(order));
}

TEST_CASE("on the kernel's clock a timer is never early and the loop sleeps until it is due") {
  Fleet fleet(1, 0);
  const auto ring = test::ring_of(fleet);
  struct Waiter {
    Ring* ring;
    Instant rung{};
    Timer timer{this, call<&Waiter::ring_it>};
    void ring_it() {
      rung = ring->now();
      ring->stop();
    }
  } waiter{.ring = ring.get()};
  ring->arm(waiter.timer, Duration{60ms});
  const Instant due = waiter.timer.due();
  ring->run();
  CHECK(waiter.rung >= due);
  CHECK(ring->statistics().turns < 20);  // a loop that spins takes thousands
}

}  // namespace ringpost::ring
