// Showing: a core's part of `show`: reads the one message and gives its envelope, its recipients, and on demand its
// header section or its whole content, in pages as the client reads them. Private to core; one thread.
#pragma once

#include <string>

#include "core/walk.h"
#include "core/work.h"

namespace ringpost::core {

class Showing : public Work, private Walk::Visitor {
 public:
  Showing(Workshop& shop, Query& query);
  ~Showing() override;

 private:
  void go() override;
  void add(std::string line) { part().lines.push_back({{}, std::move(line)}); }
  void read();
  bool take(View piece);
  void read_again() { shop_.rooms.ring.defer(turn_); }

  Walk::Then visit(spool::Message&) override;
  Walk::Then visit_damaged(SpoolId) override;
  void walked() override;

  Walk walk_;
  ring::Deferred turn_;
  spool::Reader reader_;
  spool::Message* message_ = nullptr;  // held while its content is read
  std::string pending_;                // content that waits for its line to be whole
};

}  // namespace ringpost::core
