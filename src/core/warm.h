// Warm messages: just accepted, in memory with their content, and about to be attempted. Intake puts them in, dispatch
// takes them out; whoever is in here holds memory only as long as the pools can spare it. One thread.
#pragma once

#include "ringpost/base/list.h"
#include "ringpost/ring.h"
#include "ringpost/spool.h"

namespace ringpost::core {

class Warm {
 public:
  explicit Warm(ring::Ring& ring) : ring_(ring) {}
  ~Warm() { let_go_all(); }

  // Takes over the caller's hold. The oldest are attempted first, so when the pool is short it is the new one that is
  // let go: else each would be let go just before its turn.
  void keep(spool::Message&, const spool::Statistics& pool);
  // The message is attempted now: gives back the hold, if it was in here.
  void take(spool::Message&);
  void let_go_all();
  [[nodiscard]] std::size_t size() const { return size_; }
  // Work to defer each time there is one less.
  void on_less(ring::Deferred* work) { less_ = work; }

 private:
  void let_go(spool::Message&);

  ring::Ring& ring_;
  List<spool::Message, spool::Message> messages_;
  std::size_t size_ = 0;
  ring::Deferred* less_ = nullptr;
};

}  // namespace ringpost::core
