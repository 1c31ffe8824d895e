#include "core/census.h"

#include <algorithm>

namespace ringpost::core {
namespace {

constexpr std::size_t kPlaces = 2048;  // of the queue's table, in one turn
constexpr std::size_t kRows = 1000;    // in one page

}  // namespace

Census::Census(Workshop& shop, Query& query) : Work(shop, query), turn_(this, ring::call<&Census::count>) {}

void Census::go() {
  if (stopped()) return finish();
  shop_.rooms.ring.defer(turn_);
}

void Census::count() {
  if (stopped()) return finish();
  if (counted_) return rows();
  place_ = shop_.rooms.queue->scan(place_, kPlaces, [this](const queue::Standing& entry) { add(entry); });
  counted_ = place_ == 0;
  shop_.rooms.ring.defer(turn_);
}

void Census::add(const queue::Standing& entry) {
  if (entry.destination.value >= counts_.size()) counts_.resize(entry.destination.value + 1);
  Count& count = counts_[entry.destination.value];
  using Place = queue::Standing::Place;
  ++(entry.place == Place::ready ? count.ready : entry.place == Place::waiting ? count.waiting : count.attempting);
  if (const spool::Note* note = shop_.rooms.spool->note(entry.id))
    count.accepted = std::min(count.accepted, Facts::of(*note).accepted);
  if (entry.place == Place::taken) return;
  if (count.due.milliseconds == 0 || entry.due < count.due) count.due = entry.due;
}

void Census::rows() {
  const std::size_t all = shop_.rooms.queue->destinations();
  counts_.resize(std::max(all, counts_.size()));
  while (next_ < all && part().destinations.size() < kRows) {
    const DestinationId id{next_++};
    DestinationRow made = row(id, counts_[id.value]);
    if (made.ready + made.waiting + made.attempting + made.connections > 0 || made.suspended)
      part().destinations.push_back(std::move(made));
  }
  if (next_ == all) return finish();
  page();
}

DestinationRow Census::row(DestinationId id, const Count& counted) const {
  const Rooms& rooms = shop_.rooms;
  const queue::Destination& shown = rooms.queue->at(id, rooms.ring.wall());
  DestinationRow row{.name = shown.name,
                     .ready = counted.ready,
                     .waiting = counted.waiting,
                     .attempting = counted.attempting,
                     .connections = rooms.deliverer->connections(id),
                     .failures = shown.failures,
                     .rate = shown.rate,
                     .suspended = rooms.suspensions.has(shown.name),
                     .error = shown.last_error};
  constexpr std::int64_t kMillisecondsPerSecond = 1000;
  if (counted.accepted != UINT32_MAX) row.oldest = {counted.accepted * kMillisecondsPerSecond};
  if (row.suspended) return row;
  row.paused_until = shown.paused_until;
  row.next = std::max(counted.due, counted.due.milliseconds != 0 ? shown.paused_until : WallTime{});
  return row;
}

}  // namespace ringpost::core
