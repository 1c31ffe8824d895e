// Where configurations come from: a file with its conf.d, or what the program carries for a start without one. The only
// file of this room that touches the system; it blocks, so it runs before the loops start or on a helper thread.
#include <dirent.h>
#include <fcntl.h>
#include <ifaddrs.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdlib>
#include <cstring>

#include "ringpost/base/result.h"
#include "ringpost/config.h"
#include "toml_source.h"

namespace ringpost::config {
namespace {

constexpr std::size_t kMaxFile = 4 * kMebi;  // octets; ten thousand routes take one tenth of it

std::unexpected<Error> too_large() { return fail("is larger than " + size_text(kMaxFile) + " octets"); }

Result<std::string> read_all(int fd) {
  struct stat status{};
  if (::fstat(fd, &status) != 0) return fail(errno, "cannot be examined");
  if (S_ISDIR(status.st_mode)) return fail("is a directory");
  std::string text;
  std::array<char, 16 * kKibi> part{};
  while (true) {
    const ssize_t got = ::read(fd, part.data(), part.size());
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return fail(errno, "cannot be read");
    if (got == 0) return text;
    text.append(part.data(), static_cast<std::size_t>(got));
    if (text.size() > kMaxFile) return too_large();
  }
}

Result<std::string> read_file(const std::string& path) {
  const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) return fail(errno, "cannot be opened");
  Result<std::string> text = read_all(fd);
  ::close(fd);
  return text;
}

// With its slash; empty for a name without one.
std::string directory_of(const std::string& path) { return path.substr(0, path.rfind('/') + 1); }

// What of a conf.d is read: not what editors and package managers leave beside the files. A directory that is not there
// has nothing.
Result<std::vector<std::string>> names_in(const std::string& directory) {
  std::vector<std::string> names;
  DIR* const listing = ::opendir(directory.c_str());
  if (listing == nullptr && errno == ENOENT) return names;
  if (listing == nullptr) return fail(errno, "cannot be opened");
  while (const dirent* entry = ::readdir(listing)) {
    std::string name = entry->d_name;
    if (!name.starts_with('.') && name.ends_with(".toml")) names.push_back(std::move(name));
  }
  ::closedir(listing);
  std::sort(names.begin(), names.end());
  return names;
}

std::string environment(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? "" : value;
}

// XDG base directories: a relative path there is invalid and ignored.
std::string state_directory(const Surroundings& surroundings) {
  if (surroundings.state.starts_with('/')) return surroundings.state + "/ringpost";
  if (surroundings.home.starts_with('/')) return surroundings.home + "/.local/state/ringpost";
  return "/var/tmp/ringpost";
}

std::vector<SocketAddress> interface_addresses() {
  std::vector<SocketAddress> addresses;
  ifaddrs* all = nullptr;
  if (::getifaddrs(&all) != 0) return addresses;
  for (const ifaddrs* at = all; at != nullptr; at = at->ifa_next) {
    if (at->ifa_addr == nullptr) continue;
    const bool six = at->ifa_addr->sa_family == AF_INET6;
    const SocketAddress address =
        SocketAddress::from_sockaddr(*at->ifa_addr, six ? sizeof(sockaddr_in6) : sizeof(sockaddr_in));
    if (address.known()) addresses.push_back(address.with_port(0));
  }
  ::freeifaddrs(all);
  return addresses;
}

}  // namespace

Surroundings Surroundings::of_this_system() {
  std::array<char, 256> name{};
  Surroundings surroundings;
  if (::gethostname(name.data(), name.size() - 1) == 0) surroundings.hostname = name.data();
  surroundings.home = environment("HOME");
  surroundings.state = environment("XDG_STATE_HOME");
  surroundings.resolv_conf = read_file("/etc/resolv.conf").value_or("");
  surroundings.hosts = read_file("/etc/hosts").value_or("");
  surroundings.own_addresses = interface_addresses();
  return surroundings;
}

Checked load(const std::string& path, const Surroundings& surroundings) {
  std::vector<Text> texts;
  std::vector<Problem> problems;
  const auto add = [&](const std::string& file) {
    Result<std::string> text = read_file(file);
    if (text) return texts.push_back({file, *std::move(text)});
    problems.push_back({file, 1, "", text.error().message(), ""});
  };
  add(path);
  const std::string directory = directory_of(path) + "conf.d";
  if (const auto names = names_in(directory)) {
    for (const std::string& name : *names) add(directory + "/" + name);
  } else {
    problems.push_back({directory, 1, "", names.error().message(), ""});
  }
  if (!problems.empty()) return std::unexpected(std::move(problems));
  return parse(texts, surroundings);
}

std::string embedded_text(const Surroundings& surroundings) {
  const std::string state = state_directory(surroundings);
  return "# What Ringpost does without a configuration file: it takes mail from this machine and hands it to\n"
         "# 127.0.0.1:2526. To go on from here, save this as a file, change the route, and start with --config FILE.\n"
         "\n"
         "[[listener]]\n"
         "address = \"127.0.0.1:2525\"\n"
         "kind = \"relay\"\n"
         "\n"
         "[relay]\n"
         "networks = [\"127.0.0.0/8\", \"::1/128\"]\n"
         "\n"
         "[spool]\n"
         "directory = " +
         quoted(state + "/spool") +
         "\n"
         "\n"
         "[[route]]\n"
         "domain = \"*\"\n"
         "host = \"127.0.0.1:2526\"\n"
         "\n"
         "[control]\n"
         "socket = " +
         quoted(state + "/control") +
         "\n"
         "\n"
         "[events]\n"
         "file = " +
         quoted(state + "/events.jsonl") + "\n";
}

Checked embedded(const Surroundings& surroundings) {
  return parse(embedded_text(surroundings), "(embedded)", surroundings);
}

}  // namespace ringpost::config
