// Warm messages: just accepted, in memory with their content, and about to be attempted. Intake puts them in, dispatch
// takes them out; whoever is in here holds memory only as long as the pools can spare it. One thread.
#pragma once

#include <utility>
#include <vector>

#include "ringpost/base/list.h"
#include "ringpost/ring.h"
#include "ringpost/spool.h"

namespace ringpost::core {

class Warm {
 public:
  explicit Warm(ring::Ring& ring) : ring_(ring) {}
  ~Warm() { let_go_all(); }

  // Takes over the caller's hold, for an attempt at that destination. The oldest are attempted first, so when the pool
  // is short it is the new one that is let go: else each would be let go just before its turn.
  void keep(spool::Message&, DestinationId, const spool::Statistics& pool);
  // The message is attempted now: gives back the hold, if it was in here.
  void take(spool::Message&);
  void let_go_all();
  // Messages that wait for their attempt there.
  [[nodiscard]] std::size_t size(DestinationId id) const { return id.value < sizes_.size() ? sizes_[id.value] : 0; }
  // Work to defer each time there is one less; it asks `eased` of which destinations.
  void on_less(ring::Deferred* work) { less_ = work; }
  // Those of which there is one less since the last call; some may be named twice.
  [[nodiscard]] std::vector<DestinationId> eased() { return std::exchange(eased_, {}); }

 private:
  void let_go(spool::Message&);

  ring::Ring& ring_;
  List<spool::Message, spool::Message> messages_;
  std::vector<std::size_t> sizes_;  // by DestinationId
  std::vector<DestinationId> eased_;
  ring::Deferred* less_ = nullptr;
};

}  // namespace ringpost::core
