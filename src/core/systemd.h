// What passes between the service manager and this process (sd_notify(3), sd_watchdog_enabled(3), sd_listen_fds(3));
// nothing where systemd did not start us or the build has no libsystemd. Private to core. Any thread.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "ringpost/base/address.h"
#include "ringpost/base/fd.h"
#include "ringpost/base/time.h"

namespace ringpost::core {

void notify_ready(const std::string& status);  // READY=1
void notify_reloading();                       // RELOADING=1, to be followed by notify_ready
void notify_stopping(Duration at_most);        // STOPPING=1, and how long it may take
void notify_alive();                           // WATCHDOG=1

// How long notify_alive() may stay away before the service manager ends us; nullopt: nobody watches.
std::optional<Duration> watchdog_time();

// A listening socket that the service manager holds for us. What is no TCP listener has no address.
struct GivenSocket {
  SocketAddress address;
  Fd socket;
};
// All that were given. The first call takes them; later ones give none.
std::vector<GivenSocket> take_given_sockets();

}  // namespace ringpost::core
