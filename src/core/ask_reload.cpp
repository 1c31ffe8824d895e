// `ringpost reload`: from another process, the signal and the wait for it to be taken. Knows of the relay only what
// /proc says of its process.
#include <signal.h>

#include <cerrno>
#include <charconv>
#include <chrono>
#include <cstdint>
#include <fstream>
#include <optional>
#include <string>
#include <thread>

#include <fmt/format.h>

#include "ringpost/core.h"

namespace ringpost::core {
namespace {

constexpr auto kLook = std::chrono::milliseconds(5);
constexpr unsigned kLooks = 12'000;  // a minute

// Whether SIGHUP waits for the process to take it; nullopt: there is no such process.
std::optional<bool> hangup_pending(int process) {
  std::ifstream status(fmt::format("/proc/{}/status", process));
  constexpr View kShared = "ShdPnd:\t";  // signals to the process as a whole: a mask in hexadecimal
  for (std::string line; std::getline(status, line);)
    if (line.starts_with(kShared)) {
      std::uint64_t mask = 0;
      std::from_chars(line.data() + kShared.size(), line.data() + line.size(), mask, 16);
      return ((mask >> (SIGHUP - 1)) & 1) != 0;
    }
  return std::nullopt;
}

}  // namespace

Result<void> ask_reload(int process) {
  if (::kill(process, SIGHUP) != 0) return fail(errno, fmt::format("cannot signal process {}", process));
  for (unsigned looks = 0; looks < kLooks; ++looks) {
    const auto pending = hangup_pending(process);
    if (!pending) return fail(fmt::format("process {} has ended", process));
    if (!*pending) return {};
    std::this_thread::sleep_for(kLook);
  }
  return fail(fmt::format("process {} does not take the signal", process));
}

}  // namespace ringpost::core
