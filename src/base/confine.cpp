// Confinement by Landlock: paths to rules, and the three system calls. Called once, at start.
#include "ringpost/base/confine.h"

#include <fcntl.h>
#include <linux/landlock.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <cstdlib>
#include <memory>

#include "ringpost/base/fd.h"

namespace ringpost {
namespace {

// Later than the header of Debian 12.
constexpr std::uint64_t kTruncate = 1ULL << 14;     // version 3, Linux 6.2
constexpr std::uint64_t kDeviceIoctl = 1ULL << 15;  // version 5, Linux 6.10

constexpr std::uint64_t kReadRights = LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR;
constexpr std::uint64_t kWriteRights = kReadRights | LANDLOCK_ACCESS_FS_WRITE_FILE | LANDLOCK_ACCESS_FS_MAKE_REG |
                                       LANDLOCK_ACCESS_FS_MAKE_DIR | LANDLOCK_ACCESS_FS_MAKE_SOCK |
                                       LANDLOCK_ACCESS_FS_REMOVE_FILE | LANDLOCK_ACCESS_FS_REMOVE_DIR |
                                       LANDLOCK_ACCESS_FS_REFER | kTruncate;

// Every right that this version can take away: those that a rule below does not grant are gone.
std::uint64_t rights_of(int version) {
  std::uint64_t rights = LANDLOCK_ACCESS_FS_REFER - 1;  // the first 13
  if (version >= 2) rights |= LANDLOCK_ACCESS_FS_REFER;
  if (version >= 3) rights |= kTruncate;
  if (version >= 5) rights |= kDeviceIoctl;
  return rights;
}

// Empty for what does not exist.
std::string resolved(const std::string& path) {
  const std::unique_ptr<char, decltype(&std::free)> real(::realpath(path.c_str(), nullptr), &std::free);
  return real == nullptr ? "" : real.get();
}

void add(std::vector<std::string>& directories, const std::string& directory) {
  std::string real = resolved(directory);
  if (!real.empty() && std::ranges::find(directories, real) == directories.end())
    directories.push_back(std::move(real));
}

Result<void> allow(int ruleset, const std::string& directory, std::uint64_t rights) {
  const Fd fd(::open(directory.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
  const landlock_path_beneath_attr rule{.allowed_access = rights, .parent_fd = fd.get()};
  if (!fd.valid() || ::syscall(SYS_landlock_add_rule, ruleset, LANDLOCK_RULE_PATH_BENEATH, &rule, 0) != 0)
    return fail(errno, "cannot be allowed to the process: " + directory);
  return {};
}

}  // namespace

std::string directory_of(const std::string& file) {
  const std::size_t slash = file.rfind('/');
  return slash == std::string::npos ? "." : slash == 0 ? "/" : file.substr(0, slash);
}

void Confines::let_write(const std::string& directory) { add(write_, directory); }

void Confines::let_read(const std::string& directory) { add(read_, directory); }

void Confines::let_read_beside(const std::string& file) {
  if (file.empty()) return;
  add(read_, directory_of(file));
  if (const std::string real = resolved(file); !real.empty()) add(read_, directory_of(real));
}

bool Confines::may_write(const std::string& file) const {
  const std::string directory = resolved(directory_of(file));
  return !directory.empty() && std::ranges::any_of(write_, [&](const std::string& allowed) {
    return directory == allowed || directory.starts_with(allowed + "/") || allowed == "/";
  });
}

int landlock_version() {
  const long version = ::syscall(SYS_landlock_create_ruleset, nullptr, 0, LANDLOCK_CREATE_RULESET_VERSION);
  return version > 0 ? static_cast<int>(version) : 0;
}

Result<void> confine(const Confines& confines) {
  const std::uint64_t rights = rights_of(landlock_version());
  const landlock_ruleset_attr attributes{.handled_access_fs = rights};
  const Fd ruleset(static_cast<int>(::syscall(SYS_landlock_create_ruleset, &attributes, sizeof attributes, 0)));
  if (!ruleset.valid()) return fail(errno, "Landlock");
  for (const std::string& directory : confines.read())
    if (auto allowed = allow(ruleset.get(), directory, kReadRights & rights); !allowed) return allowed;
  for (const std::string& directory : confines.write())
    if (auto allowed = allow(ruleset.get(), directory, kWriteRights & rights); !allowed) return allowed;
  // The kernel asks for it: else a program with more rights could be started in the confines and led astray.
  if (::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) return fail(errno, "no new privileges");
  if (::syscall(SYS_landlock_restrict_self, ruleset.get(), 0) != 0) return fail(errno, "Landlock");
  return {};
}

}  // namespace ringpost
