#include "core/walk.h"

#include <cerrno>
#include <utility>

namespace ringpost::core {
namespace {

constexpr Duration kMemoryAgain = 100ms;  // no room in memory for one more message: look again
constexpr std::size_t kAhead = 12;  // messages in memory or coming from the disk: of the spool's 16 reads in flight
constexpr unsigned kPerTurn = 128;  // messages shown in one turn: mail goes first

}  // namespace

// One message on its way.
struct Walk::Step {
  enum class State : std::uint8_t { again, loading, here, gone };
  explicit Step(Walk& owner)
      : walk(owner), load(this, [](void* self, Result<spool::Message*> result) {
          static_cast<Step*>(self)->walk.loaded(*static_cast<Step*>(self), std::move(result));
        }) {}
  ~Step() { let_go(); }
  void let_go() {
    if (message != nullptr) std::exchange(message, nullptr)->release();
  }

  Walk& walk;
  SpoolId id;
  State state = State::again;
  spool::Message* message = nullptr;
  int error = 0;
  spool::Load load;
};

Walk::Walk(Rooms& rooms, spool::Spool::Want want, Visitor& visitor)
    : rooms_(rooms),
      want_(want),
      visitor_(visitor),
      turn_(this, ring::call<&Walk::run>),
      memory_again_(this, ring::call<&Walk::run>) {}

Walk::~Walk() = default;

void Walk::start(std::vector<SpoolId> ids) {
  ids_ = std::move(ids);
  next_ = 0;
  paused_ = false;
  rooms_.ring.defer(turn_);
}

void Walk::resume() {
  paused_ = false;
  rooms_.ring.defer(turn_);
}

void Walk::load_ahead() {
  while (steps_.size() < kAhead && next_ < ids_.size()) {
    if (idle_.empty()) idle_.push_back(std::make_unique<Step>(*this));
    steps_.push_back(std::move(idle_.back()));
    idle_.pop_back();
    steps_.back()->id = ids_[next_++];
    steps_.back()->state = Step::State::again;
  }
  for (const auto& step : steps_) {
    if (step->state != Step::State::again) continue;
    step->state = Step::State::loading;
    rooms_.spool->load(step->id, want_, step->load);
  }
}

void Walk::run() {
  for (unsigned shown = 0; shown < kPerTurn && !paused_; ++shown) {
    load_ahead();
    if (steps_.empty()) return visitor_.walked();
    Step& first = *steps_.front();
    if (first.state == Step::State::loading || first.state == Step::State::again) return;
    paused_ = show(first) == Then::pause;
    first.let_go();
    idle_.push_back(std::move(steps_.front()));
    steps_.pop_front();
  }
  if (!paused_) rooms_.ring.defer(turn_);
}

Walk::Then Walk::show(Step& step) {
  if (step.state == Step::State::here) return visitor_.visit(*step.message);
  return step.error == EBADMSG ? visitor_.visit_damaged(step.id) : Then::on;
}

void Walk::loaded(Step& step, Result<spool::Message*> result) {
  if (!result && result.error().code == EBUSY) {
    step.state = Step::State::again;
    return rooms_.ring.arm(memory_again_, kMemoryAgain);
  }
  step.state = result ? Step::State::here : Step::State::gone;
  step.message = result ? *result : nullptr;
  step.error = result ? 0 : result.error().code;
  rooms_.ring.defer(turn_);
}

}  // namespace ringpost::core
