// Dispatch's destinations: which one mail is for, where it is (a search for its hosts, and what comes of it), and when
// nobody needs it any more.
#include <algorithm>

#include "core/dispatch_parts.h"
#include "ringpost/base/check.h"

namespace ringpost::core {
namespace {

using message::Outcome;

constexpr std::size_t kSearchesAtOnce = 2048;
constexpr std::size_t kFailedAtOnce = 64;   // entries of a destination that takes no mail, in one turn
constexpr Duration kSweep = 500ms;          // between two looks for destinations that nobody needs
constexpr std::size_t kSweptAtOnce = 4096;  // destinations looked at then
constexpr Duration kRemembered = 30s;       // of a destination, after it was last needed

}  // namespace

Dispatch::Target& Dispatch::target(DestinationId id) {
  while (targets_.size() <= id.value)
    targets_.emplace_back(*this).id = {static_cast<std::uint32_t>(targets_.size() - 1)};
  Target& t = targets_[id.value];
  if (t.in_use) return t;
  t.in_use = true;
  ++known_;
  t.route = rooms_.router->by_name(rooms_.queue->at(id).name);
  t.needed_at = rooms_.ring.now();
  if (!stopped_ && !sweep_timer_.armed()) rooms_.ring.arm(sweep_timer_, kSweep);
  return t;
}

DestinationId Dispatch::destination_of(View domain) {
  const route::Place place = rooms_.router->place(domain, scratch_);
  if (place.route->by_mx()) return rooms_.queue->destination(place.name);
  const auto [known, made] = by_route_.try_emplace(place.route);
  if (made) known->second = rooms_.queue->destination(place.name);
  return known->second;
}

// An operator's choice holds while there is such a destination.
DestinationId Dispatch::destination_of(const message::Recipient& recipient, const message::RecipientState& state) {
  if (!state.via.empty() && rooms_.router->by_name(state.via) != nullptr) return rooms_.queue->destination(state.via);
  return destination_of(recipient.domain);
}

// ---- where it is

// Whether hosts are known. If not, they are looked for: one search a destination, so many at once; a round that finds
// no place for one more comes by again when another has ended.
bool Dispatch::has_way(Target& t) {
  if (t.way.hosts && rooms_.ring.now() < t.way.hosts->good_until) return true;
  if (t.search.searching() || searches_ >= kSearchesAtOnce) return false;
  ++searches_;
  rooms_.finder.find(*t.route, rooms_.queue->at(t.id).name, t.search);
  return false;
}

void Dispatch::found(Target& t, const route::Finding& finding) {
  --searches_;
  wake();
  if (stopped_ || t.route == nullptr) return;
  if (finding.hosts) {
    t.way = {.name = rooms_.queue->at(t.id).name, .hosts = finding.hosts, .manners = t.route->manners};
    return;
  }
  t.way.hosts = nullptr;
  t.error = finding.text;
  t.error_code = finding.code;
  t.error_enhanced = finding.enhanced;
  t.error_host = {};
  t.error_host_name.clear();
  rooms_.queue->note_error(t.id, finding.text);
  if (finding.kind == Outcome::Kind::later) return pause_for(t);
  t.refusal = finding;
  while (!t.ready.empty()) refuse(t, t.pop());
}

// It takes no mail: the entries that are due fail, so many a turn.
void Dispatch::fail_waiting(Target& t) {
  while (rooms_.ring.now() >= no_load_before_ && t.loading < kFailedAtOnce) {
    const auto entry = rooms_.queue->take(t.id);
    if (!entry) return;
    begin(t, *entry);
  }
}

void Dispatch::refuse(Target& t, Job& job) {
  for (const std::uint32_t recipient : job.chosen)
    job.changed |= settle_.outcome(*job.message, recipient, t.refusal.outcome(),
                                   {.host = {}, .host_name = {}, .source = {}, .site = rooms_.queue->at(t.id).name});
  finish(job);
}

// ---- what nobody needs

void Dispatch::forget_unneeded() {
  if (stopped_) return;
  for (std::size_t looked = 0; looked < std::min(kSweptAtOnce, targets_.size()); ++looked) {
    if (sweep_at_ >= targets_.size()) sweep_at_ = 0;
    Target& t = targets_[sweep_at_++];
    if (t.in_use && forget(t)) --known_;
  }
  if (known_ > 0) rooms_.ring.arm(sweep_timer_, kSweep);
}

// A static destination stays: there are as many as the configuration has. How a paused one failed is remembered until
// it may be tried again.
bool Dispatch::forget(Target& t) {
  if (t.route != nullptr && !t.route->by_mx()) return false;
  const queue::Destination& shown = rooms_.queue->at(t.id);
  if (shown.ready + shown.waiting + shown.taken > 0 || shown.paused_until > rooms_.ring.wall()) {
    t.needed_at = rooms_.ring.now();
    return false;
  }
  if (rooms_.ring.now() < t.needed_at + kRemembered) return false;
  const bool busy = t.loading + t.ready_count > 0 || t.search.searching() || t.unreachable;
  if (busy || rooms_.deliverer->connections(t.id) > 0 || !leases_.forget(t.id)) return false;
  rooms_.deliverer->forget(t.id);
  CHECK(rooms_.queue->forget(t.id));
  t.unlink();
  t.in_use = false;
  t.route = nullptr;
  t.way = {};
  t.refusal = {};
  t.blame_next = false;
  t.error = {};
  t.error_host = {};
  t.error_host_name = {};
  return true;
}

}  // namespace ringpost::core
