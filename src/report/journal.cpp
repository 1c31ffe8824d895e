#include "report/journal.h"

#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstring>

namespace ringpost::report {
namespace {

constexpr int kPatience = 500;            // ms that one call waits for a slow journal, all lines together
constexpr std::int64_t kAwayFor = 5'000;  // ms until it is tried again

// The value of a key whose octets need no escape, from a line of ours; empty: it has none.
View value_of(View line, View key) {
  const std::size_t at = line.find(key);
  if (at == View::npos) return {};
  const View rest = line.substr(at + key.size());
  return rest.substr(0, rest.find('"'));
}

}  // namespace

bool Journal::connect() {
  if (fd_.valid()) return true;
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (socket_.size() >= sizeof address.sun_path) return false;
  std::memcpy(address.sun_path, socket_.data(), socket_.size());
  Fd made(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!made.valid()) return false;
  if (::connect(made.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) return false;
  fd_ = std::move(made);
  return true;
}

// systemd.io JOURNAL_NATIVE_PROTOCOL: FIELD=value lines; an event line has no line feed inside.
bool Journal::send_one(View line) {
  const View type = value_of(line, "\"type\":\"");
  const View id = value_of(line, "\"id\":\"");
  entry_.assign("PRIORITY=").append(type == "trouble" ? "4" : "6");
  entry_.append("\nSYSLOG_IDENTIFIER=ringpost\nRINGPOST_TYPE=").append(type);
  if (!id.empty()) entry_.append("\nRINGPOST_ID=").append(id);
  entry_.append("\nMESSAGE=").append(line).append("\n");
  for (;;) {
    if (::send(fd_.get(), entry_.data(), entry_.size(), MSG_NOSIGNAL) >= 0) return true;
    if (errno == EINTR) continue;
    if ((errno == EAGAIN || errno == ENOBUFS) && wait()) continue;
    if (errno != EMSGSIZE) fd_ = Fd{};
    return false;
  }
}

bool Journal::wait() {
  const auto before = std::chrono::steady_clock::now();
  pollfd waiting{fd_.get(), POLLOUT, 0};
  if (patience_ <= 0 || ::poll(&waiting, 1, patience_) <= 0) return false;
  const auto took = std::chrono::steady_clock::now() - before;
  patience_ -= 1 + static_cast<int>(std::chrono::duration_cast<std::chrono::milliseconds>(took).count());
  return true;
}

std::uint64_t Journal::send(View lines, WallTime now) {
  std::uint64_t lost = 0;
  patience_ = kPatience;
  bool away = now < not_before_;
  while (!lines.empty()) {
    const std::size_t end = std::min(lines.find('\n'), lines.size());
    if (!away && !connect()) away = true;
    if (away || !send_one(lines.substr(0, end))) {
      ++lost;
      away = away || !fd_.valid() || patience_ <= 0;
    }
    lines.remove_prefix(std::min(end + 1, lines.size()));
  }
  if (away && now >= not_before_) not_before_ = {now.milliseconds + kAwayFor};
  return lost;
}

}  // namespace ringpost::report
