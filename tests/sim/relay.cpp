// Lives of the simulated relay process.
#include "relay.h"

#include <utility>

#include "ringpost/spool.h"

namespace ringpost::sim {
namespace {

// Cores whose process was killed. Their destructors are for an orderly end, which a killed process does not have: they
// are kept, untouched, until the simulator's own process ends.
std::vector<std::unique_ptr<core::Core>>& graveyard() {
  static auto* graves = new std::vector<std::unique_ptr<core::Core>>;
  return *graves;
}

}  // namespace

Relay::Relay(World& world, config::Config config) : world_(world), config_(std::move(config)) {}

Relay::~Relay() { kill(); }

bool Relay::start() {
  CHECK(!running());
  failure_.reset();
  world_.boot(config_.cores);
  const auto locked = spool::lock(world_.disk().files(), config_.spool.directory);
  if (!locked) failure_ = locked.error();
  ended_.assign(config_.cores, false);
  const auto events = std::make_shared<report::EventFile>(world_.disk().files(), config_.events);
  const auto board = core::make_board();
  for (std::size_t i = 0; i < config_.cores && !failure_; ++i) {
    cores_.push_back(std::make_unique<core::Core>(
        world_.ring(static_cast<unsigned>(i)), std::make_shared<const config::Config>(config_), "",
        [this, i](const Error* failure) { on_ended(i, failure); }, nullptr, events, board));
    if (const auto started = cores_.back()->start(); !started) failure_ = started.error();
  }
  if (failure_) {
    world_.trace().note(world_.now(), "the relay does not start: " + failure_->message());
    if (!world_.disk().cut()) kill();
    return false;
  }
  world_.trace().add(world_.now(), Trace::kWorld, "the relay runs: life", world_.life());
  for (unsigned i = 0; i < config_.cores; ++i) world_.ring(i).wake(world_.now());
  return true;
}

void Relay::on_ended(std::size_t core, const Error* failure) {
  ended_[core] = true;
  world_.ring(static_cast<unsigned>(core)).stop();
  world_.trace().add(world_.now(), static_cast<int>(core), "core ended: failed", failure != nullptr ? 1 : 0);
  if (failure == nullptr || failure_) return;
  failure_ = *failure;
  failed_at_ = world_.now();
  world_.trace().note(world_.now(), "the relay fails: " + failure->message());
  world_.schedule().after(Duration{0}, [this, life = world_.life()] {
    if (life == world_.life()) drain();
  });
}

void Relay::drain() {
  for (std::size_t i = 0; i < cores_.size(); ++i)
    if (!ended_[i]) cores_[i]->drain();
  for (unsigned i = 0; i < cores_.size(); ++i) world_.ring(i).wake(world_.now());
}

bool Relay::ended() const {
  if (!running()) return false;
  for (unsigned i = 0; i < cores_.size(); ++i)
    if (!ended_[i] || !world_.ring(i).stopped()) return false;
  return true;
}

void Relay::bury() {
  CHECK(ended());
  cores_.clear();
  world_.kill();
}

void Relay::kill() {
  for (auto& core : cores_) graveyard().push_back(std::move(core));
  cores_.clear();
  world_.kill();
}

void Relay::lose_power(Survivors survivors) {
  for (auto& core : cores_) graveyard().push_back(std::move(core));
  cores_.clear();
  world_.lose_power(std::move(survivors));
}

core::Counts Relay::counts() const {
  core::Counts sum;
  for (const auto& core : cores_) {
    const core::Counts one = core->counts();
    sum.accepted += one.accepted;
    sum.delivered += one.delivered;
    sum.deferred += one.deferred;
    sum.failed += one.failed;
    sum.shortages += one.shortages;
    sum.queued += one.queued;
    sum.held += one.held;
    sum.kept_failed += one.kept_failed;
    sum.destinations += one.destinations;
    sum.bounces += one.bounces;
  }
  return sum;
}

}  // namespace ringpost::sim
