// The simulated machine: booting, stepping, ending.
#include "world.h"

#include <algorithm>
#include <cstdio>
#include <utility>

namespace ringpost::sim {
namespace {

// Each part has its own stream of chance, so that one more draw here changes nothing there.
std::uint64_t stream(std::uint64_t seed, std::uint64_t part) { return (seed + part) * 0x9E3779B97F4A7C15ULL + part; }

}  // namespace

World::World(const Options& options)
    : options_(options),
      random_(stream(options.seed, 1)),
      disk_(stream(options.seed, 2)),
      network_(schedule_, trace_, stream(options.seed, 3)),
      begin_(schedule_.now()) {
  boot(options.cores);
}

World::~World() = default;

void World::boot(unsigned cores) {
  CHECK(cores > 0);
  ++life_;
  trace_.add(now(), Trace::kWorld, "boot: life, cores", life_, cores);
  rings_.clear();
  mail_at_.assign(std::size_t{cores} * cores, {});
  for (unsigned core = 0; core < cores; ++core)
    rings_.push_back(std::make_unique<SimRing>(*this, CoreId{static_cast<std::uint16_t>(core)}, cores,
                                               stream(options_.seed, 100 * life_ + core)));
}

void World::end_life(bool silent) {
  ++life_;  // events of the old life find out
  for (auto& ring : rings_) ring->die(silent);
}

void World::kill() {
  trace_.add(now(), Trace::kWorld, "kill: life", life_);
  end_life(false);
  disk_.kill_process();
}

void World::lose_power(Survivors survives) {
  trace_.add(now(), Trace::kWorld, "power loss: life, unsynced at most", life_, disk_.unsynced());
  end_life(true);
  disk_.lose_power(std::move(survives));
}

void World::violation(std::string text) {
  trace_.note(now(), "VIOLATION: " + text);
  violations_.push_back(std::move(text));
}

// ---- running

bool World::step() {
  if (halted() || schedule_.empty()) return false;
  schedule_.step();
  return true;
}

// What a test asked for outside of a turn is seen: each loop takes a turn.
void World::kick() {
  for (auto& ring : rings_) ring->wake(now());
}

void World::settle_clocks() {
  for (auto& ring : rings_) ring->catch_up();
}

bool World::run_until(const std::function<bool()>& condition, Duration limit) {
  kick();
  const Instant end = now() + limit;
  bool holds = condition();
  while (!holds && !schedule_.empty() && schedule_.next() <= end && step()) holds = condition();
  settle_clocks();
  return holds;
}

void World::run_for(Duration time) {
  kick();
  const Instant end = now() + time;
  while (!schedule_.empty() && schedule_.next() <= end && step()) {
  }
  if (!halted()) schedule_.advance(end);
  settle_clocks();
}

void World::run_steps(std::uint64_t steps) {
  kick();
  while (steps-- > 0 && step()) {
  }
  settle_clocks();
}

bool World::run_idle(Duration limit) {
  return run_until([this] { return schedule_.idle(); }, limit);
}

// ---- for the rings

void World::in_this_life(Instant when, Schedule::Event event, Schedule::Weight weight) {
  schedule_.at(
      when,
      [this, life = life_, event = std::move(event)]() mutable {
        if (life == life_) event();
      },
      weight);
}

void World::send_mail(CoreId from, CoreId to, const ring::Mail& mail) {
  CHECK(to.value < cores());
  if (options_.letters_lost > 0 && random_.chance(options_.letters_lost, 1'000'000)) return;
  Instant& last = mail_at_[std::size_t{from.value} * cores() + to.value];
  last = std::max(last, now() + draw(Duration{0}, options_.mail_most));
  in_this_life(last, [this, to, mail] { ring(to.value).take_mail(mail); });
}

Duration World::draw(Duration least, Duration most) {
  return least +
         Duration{static_cast<std::int64_t>(random_.below(static_cast<std::uint64_t>((most - least).count()) + 1))};
}

}  // namespace ringpost::sim
