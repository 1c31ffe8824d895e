// What the service manager is told (sd_notify(3)); nothing where systemd did not start us or the build has no
// libsystemd. Private to core. Any thread.
#pragma once

#include <string>

namespace ringpost::core {

void notify_ready(const std::string& status);  // READY=1
void notify_reloading();                       // RELOADING=1, to be followed by notify_ready
void notify_stopping();                        // STOPPING=1

}  // namespace ringpost::core
