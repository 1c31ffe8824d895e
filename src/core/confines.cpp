#include "core/confines.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "ringpost/core.h"
#include "ringpost/ring.h"

namespace ringpost::core {

Confines confines_of(const config::Config& config, const std::string& config_file) {
  Confines confines;
  confines.let_write(config.spool.directory);
  for (const std::string& file : {config.events.file, config.control.socket, config.control.http_socket})
    if (!file.empty()) confines.let_write(directory_of(file));
  confines.let_read_beside(config_file);
  if (!config_file.empty()) confines.let_read(directory_of(config_file) + "/conf.d");
  // Name servers, hosts, certificates; /etc/resolv.conf may lead elsewhere.
  confines.let_read("/etc");
  confines.let_read_beside("/etc/resolv.conf");
  confines.let_read("/usr/share/zoneinfo");
  for (const auto& files : {config.tls.certificate, config.tls.key})
    for (const std::string& file : files) confines.let_read_beside(file);
  for (const std::string& file : {config.auth.users, config.control.tokens})
    if (!file.empty()) confines.let_read_beside(file);
  return confines;
}

std::vector<std::string> describe_hardening(const config::Config& config, const std::string& config_file) {
  std::vector<std::string> lines;
  const int version = landlock_version();
  if (!config.hardening.landlock) {
    lines.emplace_back("directories: not restricted (hardening.landlock = false)");
  } else if (version == 0) {
    lines.emplace_back("directories: not restricted: this kernel has no Landlock, or it is switched off");
  } else {
    const Confines confines = confines_of(config, config_file);
    lines.push_back(fmt::format("directories: restricted (Landlock {}): writes to {}; reads besides {}", version,
                                fmt::join(confines.write(), ", "), fmt::join(confines.read(), ", ")));
  }
  if (!config.hardening.io_uring)
    lines.emplace_back("io_uring: not restricted (hardening.io_uring = false)");
  else
    lines.emplace_back(ring::restrictions_hold()
                           ? "io_uring: restricted to the operations that are used"
                           : "io_uring: this kernel cannot restrict it: set hardening.io_uring = false");
  return lines;
}

}  // namespace ringpost::core
