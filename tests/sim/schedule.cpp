// The event heap of the simulated world.
#include "schedule.h"

#include <algorithm>
#include <utility>

#include "ringpost/base/check.h"

namespace ringpost::sim {

void Schedule::at(Instant when, Event event, Weight weight) {
  heap_.push_back({std::max(when, now_), order_++, weight, std::move(event)});
  std::push_heap(heap_.begin(), heap_.end(), later);
  if (weight == Weight::foreground) ++foreground_;
}

void Schedule::step() {
  CHECK(!heap_.empty());
  std::pop_heap(heap_.begin(), heap_.end(), later);
  Entry entry = std::move(heap_.back());
  heap_.pop_back();
  if (entry.weight == Weight::foreground) --foreground_;
  now_ = entry.when;
  ++steps_;
  entry.event();
}

void Schedule::advance(Instant to) {
  CHECK(heap_.empty() || to <= heap_.front().when);
  now_ = std::max(now_, to);
}

}  // namespace ringpost::sim
