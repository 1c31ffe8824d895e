// The signal thread; see signals.h.
#include "signals.h"

#include <csignal>
#include <cstdlib>

namespace ringpost::tools {
namespace {

constexpr int kEndOfWatch = SIGUSR2;  // from our own destructor
constexpr int kPatience = 3;

sigset_t watched() {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGTERM);
  sigaddset(&set, SIGINT);
  sigaddset(&set, kEndOfWatch);
  return set;
}

}  // namespace

StopSignals::StopSignals() {
  const sigset_t set = watched();
  pthread_sigmask(SIG_BLOCK, &set, nullptr);
}

void StopSignals::watch(ring::Fleet& fleet, const ring::Mail& letter) {
  watcher_ = std::thread([&fleet, letter] {
    const sigset_t set = watched();
    for (int seen = 1;; ++seen) {
      int signal = 0;
      if (sigwait(&set, &signal) != 0 || signal == kEndOfWatch) return;
      if (seen == kPatience) std::_Exit(1);
      fleet.mail_to(CoreId{0}, letter);
    }
  });
}

StopSignals::~StopSignals() {
  if (!watcher_.joinable()) return;
  pthread_kill(watcher_.native_handle(), kEndOfWatch);
  watcher_.join();
}

}  // namespace ringpost::tools
