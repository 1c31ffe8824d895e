#include "core/listing.h"

#include <algorithm>

#include "core/lines.h"

namespace ringpost::core {
namespace {

constexpr std::size_t kFewCandidates = 256;
constexpr std::size_t kMostCandidates =
    16 * 1024;  // 256 KiB; each time so many were read, the facts are looked through again

ListKey key_of(const spool::Message& message) {
  constexpr std::int64_t kMillisecondsPerSecond = 1000;
  return {static_cast<std::uint32_t>(message.envelope.accepted.milliseconds / kMillisecondsPerSecond), message.id};
}

}  // namespace

Listing::Listing(Workshop& shop, Query& query)
    : Work(shop, query),
      search_(shop.rooms, query.filter),
      walk_(shop.rooms, spool::Spool::Want::envelope, *this),
      turn_(this, ring::call<&Listing::look>),
      wanted_(std::clamp<std::size_t>(query.request.limit, kFewCandidates, kMostCandidates)),
      behind_(query.after) {}

void Listing::go() {
  if (stopped()) return finish();
  if (walking_) return walk_.resume();
  shop_.rooms.ring.defer(turn_);
}

void Listing::look() {
  if (stopped()) return finish();
  place_ = shop_.rooms.spool->scan(place_, Search::kPlaces, [this](const spool::Listed& one) { take(one); });
  if (place_ != 0) return shop_.rooms.ring.defer(turn_);
  looked();
}

// Keeps the oldest `wanted_` of what fits.
void Listing::take(const spool::Listed& listed) {
  const ListKey key{Facts::of(listed.note).accepted, listed.id};
  if (key <= behind_ && behind_.id.value != 0) return;
  const bool full = candidates_.size() == wanted_;
  if (full && key >= candidates_.front()) {
    more_ = more_ || search_.fit(listed) != Search::Fit::no;
    return;
  }
  if (search_.fit(listed) == Search::Fit::no) return;
  if (full) {
    more_ = true;
    std::ranges::pop_heap(candidates_);
    candidates_.pop_back();
  }
  candidates_.push_back(key);
  std::ranges::push_heap(candidates_);
}

void Listing::looked() {
  if (candidates_.empty()) return finish();
  std::ranges::sort(candidates_);
  behind_ = candidates_.back();
  std::vector<SpoolId> ids;
  ids.reserve(candidates_.size());
  for (const ListKey& key : candidates_) ids.push_back(key.id);
  candidates_.clear();
  walking_ = true;
  walk_.start(std::move(ids));
}

Walk::Then Listing::visit(spool::Message& message) {
  if (stopped()) {
    shop_.rooms.ring.defer(turn_);  // to finish there: the walk is in the middle of itself
    return Walk::Then::pause;
  }
  if (!query_.filter.fits(message, *shop_.rooms.router)) return Walk::Then::on;
  return add(key_of(message), summary_line(message));
}

// At its place by what the search saw of it: a cursor at its line leads on behind it.
Walk::Then Listing::visit_damaged(SpoolId id) {
  const spool::Note* note = shop_.rooms.spool->note(id);
  return add({note == nullptr ? 0 : Facts::of(*note).accepted, id}, damaged_line(id));
}

Walk::Then Listing::add(ListKey key, std::string json) {
  part().lines.push_back({key, std::move(json)});
  if (part().lines.size() < query_.page) return Walk::Then::on;
  page();
  return Walk::Then::pause;
}

void Listing::walked() {
  walking_ = false;
  if (!more_ || stopped()) return finish();
  more_ = false;
  shop_.rooms.ring.defer(turn_);
}

}  // namespace ringpost::core
