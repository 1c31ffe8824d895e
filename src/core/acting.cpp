#include "core/acting.h"

#include <algorithm>

#include "ringpost/base/check.h"

namespace ringpost::core {
namespace {

using control::Command;
using message::Status;

constexpr std::size_t kByIdPerTurn = 512;
constexpr Duration kRoomAgain = 4ms;  // between two looks for room in the log and in the events

}  // namespace

Acting::Acting(Workshop& shop, Query& query)
    : Work(shop, query),
      search_(shop.rooms, query.filter),
      walk_(shop.rooms, spool::Spool::Want::envelope, *this),
      turn_(this, ring::call<&Acting::turn>),
      room_again_(this, ring::call<&Acting::turn>) {}

void Acting::go() {
  if (query_.filter.id) {
    looked_ = true;
    looks_.push_back(*query_.filter.id);
  }
  shop_.rooms.ring.defer(turn_);
}

// One piece of whatever comes next: what was found is done before more is looked for.
void Acting::turn() {
  if (stopped()) return finish();
  if (walking_) return walk_.resume();
  if (!may_go_on()) return;
  for (std::size_t done = 0; done < kByIdPerTurn && next_sure_ < sure_.size(); ++done) {
    act_by_id(sure_[next_sure_++]);
    if (!may_go_on()) return;
  }
  if (next_sure_ < sure_.size()) return shop_.rooms.ring.defer(turn_);
  sure_.clear();
  next_sure_ = 0;
  if (!looks_.empty()) {
    walking_ = true;
    return walk_.start(std::exchange(looks_, {}));
  }
  if (looked_) return finish();
  look();
}

void Acting::look() {
  place_ = shop_.rooms.spool->scan(place_, Search::kPlaces, [this](const spool::Listed& one) { take(one); });
  looked_ = place_ == 0;
  shop_.rooms.ring.defer(turn_);
}

void Acting::take(const spool::Listed& listed) {
  if (!concerns(listed)) return;
  const Search::Fit fit = search_.fit(listed);
  if (fit == Search::Fit::no) return;
  if (fit == Search::Fit::look || needs_message(listed))
    looks_.push_back(listed.id);
  else
    sure_.push_back({listed.id, listed.damaged});
}

// Whether some recipient may stand as the command wants it.
bool Acting::concerns(const spool::Listed& listed) const {
  const Command command = query_.request.command;
  if (command == Command::remove) return true;
  if (listed.damaged) return false;
  const bool held = Facts::of(listed.note).held();
  if (command == Command::release) return held;
  return Facts::of(listed.note).open() || (command == Command::reroute && held);
}

// Whether it can be done, or counted, by the id alone.
bool Acting::needs_message(const spool::Listed& listed) const {
  switch (query_.request.command) {
    case Command::flush:
      return false;
    case Command::remove:
      // One in memory is being attempted, perhaps, and its state says so to the attempt.
      return !query_.request.dry_run && shop_.rooms.spool->resident(listed.id);
    default:
      return !query_.request.dry_run;
  }
}

// Events and ends of messages go into bounded buffers: what does not fit would be lost or pile up.
bool Acting::may_go_on() {
  if (query_.request.dry_run || (shop_.rooms.events.has_room() && shop_.rooms.spool->takes_discards())) return true;
  shop_.rooms.ring.arm(room_again_, kRoomAgain);
  return false;
}

void Acting::act_by_id(const Sure& one) {
  Rooms& rooms = shop_.rooms;
  if (query_.request.dry_run) {
    ++part().affected;
    return;
  }
  if (query_.request.command == Command::flush) {
    if (!rooms.queue->flush(one.id, rooms.ring.wall())) return;
    ++part().affected;
    return shop_.dispatch.wake();
  }
  CHECK(query_.request.command == Command::remove);
  // Attempted since it was found: the attempt is told by the message's state.
  if (!one.damaged && rooms.spool->resident(one.id)) return looks_.push_back(one.id);
  if (shop_.settle.discard(one.id, one.damaged)) ++part().affected;
}

// The recipients that the command can change and the filter is about.
std::vector<std::uint32_t> Acting::chosen(const spool::Message& message) const {
  const Filter& filter = query_.filter;
  std::vector<std::uint32_t> chosen;
  for (std::uint32_t i = 0; i < message.state.size(); ++i)
    if (changes(message.state.at(i).status) &&
        (!filter.about_recipients() || filter.recipient_fits(message, i, *shop_.rooms.router)))
      chosen.push_back(i);
  return chosen;
}

bool Acting::changes(Status status) const {
  switch (query_.request.command) {
    case Command::flush:
    case Command::hold:
      return status == Status::open;
    case Command::release:
      return status == Status::held;
    case Command::reroute:
      return status == Status::open || status == Status::held;
    case Command::remove:
      return !message::is_over(status);
    default:
      return false;
  }
}

bool Acting::act(spool::Message& message) {
  const std::vector<std::uint32_t> recipients = chosen(message);
  if (recipients.empty() || query_.request.dry_run) return !recipients.empty();
  queue::Queue& queue = *shop_.rooms.queue;
  switch (query_.request.command) {
    case Command::flush:
      shop_.dispatch.wake();
      return queue.flush(message.id, shop_.rooms.ring.wall());
    case Command::hold:
      shop_.settle.hold(message, recipients);
      break;
    case Command::release:
      shop_.settle.release(message, recipients);
      break;
    case Command::reroute:
      shop_.settle.reroute(message, recipients, query_.request.route);
      break;
    default:
      shop_.settle.remove(message, recipients);
      break;
  }
  shop_.settle.save(message);
  // Entries of those that are not to be attempted go; those that are may have others than before.
  if (query_.request.command == Command::reroute || message.state.count(Status::open) == 0) queue.remove(message.id);
  if (message.state.count(Status::open) > 0) shop_.dispatch.enqueue(message.id, message.envelope, message.state);
  return true;
}

Walk::Then Acting::visit(spool::Message& message) {
  if (query_.filter.fits(message, *shop_.rooms.router) && act(message)) ++part().affected;
  if (stopped()) {
    shop_.rooms.ring.defer(turn_);
    return Walk::Then::pause;
  }
  return may_go_on() ? Walk::Then::on : Walk::Then::pause;
}

Walk::Then Acting::visit_damaged(SpoolId id) {
  if (query_.request.command == Command::remove && (query_.request.dry_run || shop_.settle.discard(id, true)))
    ++part().affected;
  return Walk::Then::on;
}

void Acting::walked() {
  walking_ = false;
  shop_.rooms.ring.defer(turn_);
}

}  // namespace ringpost::core
