// Walk: brings messages into memory, some at once, and shows each to its visitor in the order asked for; behind list,
// show, and the commands that change messages. Runs over as many turns as the disk needs. Private to core; one thread.
#pragma once

#include <deque>
#include <memory>
#include <optional>
#include <vector>

#include "core/rooms.h"

namespace ringpost::core {

class Walk {
 public:
  // What a visitor says after each message.
  enum class Then : std::uint8_t {
    on,
    pause,  // until resume()
  };
  class Visitor {
   public:
    virtual ~Visitor() = default;
    virtual Then visit(spool::Message&) = 0;
    virtual Then visit_damaged(SpoolId) = 0;
    // All were shown. The walk may be started again, or destroyed, from here.
    virtual void walked() = 0;
  };

  Walk(Rooms& rooms, spool::Spool::Want want, Visitor& visitor);
  ~Walk();
  // One walk at a time.
  void start(std::vector<SpoolId> ids);
  void resume();

 private:
  struct Step;

  void run();
  void load_ahead();
  void loaded(Step& step, Result<spool::Message*> result);
  Then show(Step& step);

  Rooms& rooms_;
  spool::Spool::Want want_;
  Visitor& visitor_;
  std::vector<SpoolId> ids_;
  std::size_t next_ = 0;                     // of ids_, to be loaded
  std::deque<std::unique_ptr<Step>> steps_;  // under way, in order
  std::vector<std::unique_ptr<Step>> idle_;
  ring::Deferred turn_;
  ring::Timer memory_again_;
  bool paused_ = false;
};

}  // namespace ringpost::core
