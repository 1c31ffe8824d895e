// Walk: brings messages into memory one after another and shows each to its visitor; behind list, show, remove. Runs
// over as many turns as the disk needs, and never holds more than one message. Private to core; one thread.
#pragma once

#include <vector>

#include "core/rooms.h"

namespace ringpost::core {

class Walk {
 public:
  class Visitor {
   public:
    virtual ~Visitor() = default;
    virtual void visit(spool::Message&) = 0;
    virtual void visit_damaged(SpoolId) = 0;
    // The walk is over and may be destroyed from here.
    virtual void walked() = 0;
  };

  Walk(Rooms& rooms, std::vector<SpoolId> ids, spool::Spool::Want want, Visitor& visitor);
  void start();

 private:
  void run();
  void loaded(Result<spool::Message*> result);

  Rooms& rooms_;
  std::vector<SpoolId> ids_;
  std::size_t at_ = 0;
  spool::Spool::Want want_;
  Visitor& visitor_;
  spool::Load load_;
  ring::Timer next_turn_;
  bool here_ = false;     // inside run(): loaded() lets it go on
  bool waiting_ = false;  // for load_
};

}  // namespace ringpost::core
