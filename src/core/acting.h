// Acting: a core's part of the commands that change messages: flush, hold, release, remove, reroute. Looks through all
// live messages, a piece a turn; what a filter is sure of by facts alone is done at once where that needs no message in
// memory, the rest is read, looked at and changed. It waits for room in the log and in the events instead of filling
// them. Private to core; one thread.
#pragma once

#include <vector>

#include "core/search.h"
#include "core/walk.h"
#include "core/work.h"

namespace ringpost::core {

class Acting : public Work, private Walk::Visitor {
 public:
  Acting(Workshop& shop, Query& query);

 private:
  void go() override;
  struct Sure {
    SpoolId id;
    bool damaged;
  };

  void turn();
  void look();
  void take(const spool::Listed& listed);
  [[nodiscard]] bool concerns(const spool::Listed& listed) const;
  [[nodiscard]] bool needs_message(const spool::Listed& listed) const;
  [[nodiscard]] bool may_go_on();
  void act_by_id(const Sure& one);
  [[nodiscard]] std::vector<std::uint32_t> chosen(const spool::Message& message) const;
  [[nodiscard]] bool changes(message::Status status) const;
  bool act(spool::Message& message);

  Walk::Then visit(spool::Message&) override;
  Walk::Then visit_damaged(SpoolId) override;
  void walked() override;

  Search search_;
  Walk walk_;
  ring::Deferred turn_;
  ring::Timer room_again_;
  std::size_t place_ = 0;  // of the index, to be looked at
  bool looked_ = false;    // at all of it
  bool walking_ = false;
  std::vector<Sure> sure_;  // to be done by id
  std::size_t next_sure_ = 0;
  std::vector<SpoolId> looks_;  // to be read
};

}  // namespace ringpost::core
