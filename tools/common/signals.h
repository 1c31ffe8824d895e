// SIGTERM and SIGINT as a letter to a loop: a thread waits for them, so no code runs inside a signal handler.
#pragma once

#include <thread>

#include "ringpost/ring.h"

namespace ringpost::tools {

// Make one before any other thread: it blocks the signals for this thread and those made later.
class StopSignals {
 public:
  StopSignals();
  // Sends `letter` to core 0 at each signal; a third one ends the process at once.
  void watch(ring::Fleet& fleet, const ring::Mail& letter);
  ~StopSignals();
  StopSignals(const StopSignals&) = delete;
  StopSignals& operator=(const StopSignals&) = delete;

 private:
  std::thread watcher_;
};

}  // namespace ringpost::tools
