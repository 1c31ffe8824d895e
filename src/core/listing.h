// Listing: a core's part of `list` and `search`. Looks through the facts of all live messages for the oldest that fit,
// a piece a turn and some thousands of candidates at a time, reads those in order, and gives their lines in pages.
// Private to core; one thread.
#pragma once

#include <optional>
#include <vector>

#include "core/search.h"
#include "core/walk.h"
#include "core/work.h"

namespace ringpost::core {

class Listing : public Work, private Walk::Visitor {
 public:
  Listing(Workshop& shop, Query& query);

 private:
  void go() override;
  void look();
  void take(const spool::Listed& listed);
  void looked();
  Walk::Then add(ListKey key, std::string json);

  Walk::Then visit(spool::Message&) override;
  Walk::Then visit_damaged(SpoolId) override;
  void walked() override;

  Search search_;
  Walk walk_;
  ring::Deferred turn_;
  std::size_t place_ = 0;            // of the index, to be looked at
  std::vector<ListKey> candidates_;  // a heap: the youngest on top
  std::size_t wanted_ = 0;           // candidates at once
  ListKey behind_;                   // candidates are younger than this
  bool more_ = false;                // there are candidates younger than those chosen
  bool walking_ = false;
};

}  // namespace ringpost::core
