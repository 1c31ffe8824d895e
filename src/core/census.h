// Census: a core's part of `queue`: counts the due entries of each destination, a piece of the table a turn, and gives
// a row for each destination that has mail, connections or a suspension, in pages. Private to core; one thread.
#pragma once

#include <vector>

#include "core/work.h"

namespace ringpost::core {

class Census : public Work {
 public:
  Census(Workshop& shop, Query& query);

 private:
  void go() override;
  struct Count {
    std::uint32_t ready = 0, waiting = 0, attempting = 0;
    std::uint32_t accepted = UINT32_MAX;  // of its oldest message, seconds since 1970
    WallTime due;                         // of what is not attempted
  };

  void count();
  void add(const queue::Standing& entry);
  void rows();
  [[nodiscard]] DestinationRow row(DestinationId id, const Count& counted) const;

  ring::Deferred turn_;
  std::size_t place_ = 0;      // of the queue's table
  std::vector<Count> counts_;  // by destination
  std::uint32_t next_ = 0;     // destination whose row comes next
  bool counted_ = false;
};

}  // namespace ringpost::core
