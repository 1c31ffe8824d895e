#include "core/walk.h"

#include <cerrno>

namespace ringpost::core {
namespace {

constexpr Duration kMemoryAgain = 100ms;  // no room in memory for one more message: look again
constexpr unsigned kPerTurn = 64;         // messages in memory already that are shown in one turn: mail goes first

}  // namespace

Walk::Walk(Rooms& rooms, std::vector<SpoolId> ids, spool::Spool::Want want, Visitor& visitor)
    : rooms_(rooms),
      ids_(std::move(ids)),
      want_(want),
      visitor_(visitor),
      load_(this,
            [](void* self, Result<spool::Message*> result) { static_cast<Walk*>(self)->loaded(std::move(result)); }),
      next_turn_(this, ring::call<&Walk::run>) {}

void Walk::start() { rooms_.ring.arm(next_turn_, Duration{0}); }

// A loop instead of recursion: load() may complete before it returns.
void Walk::run() {
  for (unsigned shown = 0; at_ < ids_.size(); ++shown) {
    if (shown == kPerTurn) return rooms_.ring.arm(next_turn_, Duration{0});
    here_ = true;
    waiting_ = true;
    rooms_.spool->load(ids_[at_], want_, load_);
    here_ = false;
    if (waiting_) return;
  }
  visitor_.walked();
}

void Walk::loaded(Result<spool::Message*> result) {
  if (!result && result.error().code == EBUSY) return rooms_.ring.arm(next_turn_, kMemoryAgain);
  waiting_ = false;
  const SpoolId id = ids_[at_++];
  if (result) {
    visitor_.visit(**result);
    (*result)->release();
  } else if (result.error().code == EBADMSG) {
    visitor_.visit_damaged(id);
  }
  if (!here_) run();
}

}  // namespace ringpost::core
