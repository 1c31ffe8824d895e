#include "core/systemd.h"

#include <sys/socket.h>

#include <chrono>
#include <ctime>

#include "ringpost_options.h"

#if RINGPOST_SYSTEMD
#include <systemd/sd-daemon.h>
#endif

namespace ringpost::core {
namespace {

constexpr long kMicrosecondsPerSecond = 1'000'000, kNanosecondsPerMicrosecond = 1000;

void notify([[maybe_unused]] const std::string& state) {
#if RINGPOST_SYSTEMD
  sd_notify(0, state.c_str());
#endif
}

#if RINGPOST_SYSTEMD
SocketAddress address_of_listener(int fd) {
  if (sd_is_socket(fd, AF_UNSPEC, SOCK_STREAM, 1) <= 0) return {};
  sockaddr_storage storage{};
  socklen_t size = sizeof storage;
  auto* const address = reinterpret_cast<sockaddr*>(&storage);
  return getsockname(fd, address, &size) == 0 ? SocketAddress::from_sockaddr(*address, size) : SocketAddress{};
}
#endif

}  // namespace

void notify_ready(const std::string& status) { notify("READY=1\nSTATUS=" + status); }

// sd_notify(3): a reload says when it began, on the monotonic clock.
void notify_reloading() {
  timespec now{};
  clock_gettime(CLOCK_MONOTONIC, &now);
  notify("RELOADING=1\nMONOTONIC_USEC=" +
         std::to_string(now.tv_sec * kMicrosecondsPerSecond + now.tv_nsec / kNanosecondsPerMicrosecond));
}

// The configuration's `drain` holds, whatever TimeoutStopSec= says.
void notify_stopping(Duration at_most) {
  const auto microseconds = std::chrono::duration_cast<std::chrono::microseconds>(at_most).count();
  notify("STOPPING=1\nSTATUS=draining\nEXTEND_TIMEOUT_USEC=" + std::to_string(microseconds));
}

void notify_alive() { notify("WATCHDOG=1"); }

std::optional<Duration> watchdog_time() {
#if RINGPOST_SYSTEMD
  std::uint64_t microseconds = 0;
  if (sd_watchdog_enabled(0, &microseconds) > 0) return std::chrono::microseconds(microseconds);
#endif
  return std::nullopt;
}

std::vector<GivenSocket> take_given_sockets() {
  std::vector<GivenSocket> given;
#if RINGPOST_SYSTEMD
  const int count = sd_listen_fds(1);
  for (int fd = SD_LISTEN_FDS_START; fd < SD_LISTEN_FDS_START + count; ++fd)
    given.push_back({address_of_listener(fd), Fd{fd}});
#endif
  return given;
}

}  // namespace ringpost::core
