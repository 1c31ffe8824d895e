// Work: one core's part of a query, over as many turns as it needs. Operate owns it, starts it, and asks it for the
// next page; it ends by itself, or at the end of the core. Private to core; one thread.
#pragma once

#include <memory>

#include "core/dispatch.h"
#include "core/query.h"
#include "core/rooms.h"
#include "core/settle.h"

namespace ringpost::core {

class Work;

// What works need of their core.
struct Workshop {
  Rooms& rooms;
  Dispatch& dispatch;
  Settle& settle;
  // The part goes back to core 0: with a page, or finished, which destroys the work.
  void* owner;
  void (*page)(void* owner, Query&);
  void (*finished)(void* owner, Work&);
};

class Work {
 public:
  Work(Workshop& shop, Query& query) : shop_(shop), query_(query) {}
  virtual ~Work() = default;
  Work(const Work&) = delete;
  Work& operator=(const Work&) = delete;

  // Core 0 asks for the first page, or the next one.
  void asked() {
    paused_ = false;
    go();
  }
  // Its part is with core 0, which has not asked for more yet.
  [[nodiscard]] bool paused() const { return paused_; }
  [[nodiscard]] Query& query() const { return query_; }
  [[nodiscard]] Part& part() const { return query_.parts[shop_.rooms.ring.core().value]; }

 protected:
  // Begins, or goes on.
  virtual void go() = 0;
  [[nodiscard]] bool stopped() const { return query_.stopped; }
  void page() {
    paused_ = true;
    shop_.page(shop_.owner, query_);
  }
  // This is destroyed when it returns.
  void finish() { shop_.finished(shop_.owner, *this); }

  Workshop& shop_;
  Query& query_;

 private:
  bool paused_ = false;
};

// The work that a query's command asks for.
std::unique_ptr<Work> make_work(Workshop& shop, Query& query);

}  // namespace ringpost::core
