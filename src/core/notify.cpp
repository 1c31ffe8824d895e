#include "core/notify.h"

#include <ctime>

#include "ringpost_options.h"

#if RINGPOST_SYSTEMD
#include <systemd/sd-daemon.h>
#endif

namespace ringpost::core {
namespace {

void notify([[maybe_unused]] const std::string& state) {
#if RINGPOST_SYSTEMD
  sd_notify(0, state.c_str());
#endif
}

}  // namespace

void notify_ready(const std::string& status) { notify("READY=1\nSTATUS=" + status); }

// sd_notify(3): a reload says when it began, on the monotonic clock.
void notify_reloading() {
  timespec now{};
  clock_gettime(CLOCK_MONOTONIC, &now);
  constexpr long kMicrosecondsPerSecond = 1'000'000, kNanosecondsPerMicrosecond = 1000;
  notify("RELOADING=1\nMONOTONIC_USEC=" +
         std::to_string(now.tv_sec * kMicrosecondsPerSecond + now.tv_nsec / kNanosecondsPerMicrosecond));
}

void notify_stopping() { notify("STOPPING=1"); }

}  // namespace ringpost::core
