// Journal: event lines to systemd's journal, as datagrams in its native protocol. Blocks for a moment when the journal
// is slow: helper threads only. Private to report.
#pragma once

#include <cstdint>
#include <string>

#include "ringpost/base/bytes.h"
#include "ringpost/base/fd.h"
#include "ringpost/base/time.h"

namespace ringpost::report {

class Journal {
 public:
  explicit Journal(std::string socket) : socket_(std::move(socket)) {}
  // Sends each line; gives how many were lost.
  std::uint64_t send(View lines, WallTime now);

 private:
  bool connect();
  bool send_one(View line);
  bool wait();

  std::string socket_;
  Fd fd_;
  std::string entry_;
  WallTime not_before_;  // it was away or stuck: lines are lost at once until then
  int patience_ = 0;     // ms left for this call
};

}  // namespace ringpost::report
