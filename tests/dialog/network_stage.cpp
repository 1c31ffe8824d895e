// A dialogue played against a running daemon over TCP (stage.h). Plain blocking sockets: this is the client of a test.
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>

#include "stage.h"

namespace ringpost::dialog {
namespace {

constexpr int kPatience = 10'000;  // milliseconds for a line that must come
constexpr int kQuiet = 20;         // milliseconds in which nothing more must come

}  // namespace

NetworkStage::NetworkStage(const SocketAddress& server) {
  sockaddr_storage address{};
  const auto length = server.to_sockaddr(address);
  fd_ = ::socket(address.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd_ < 0 || ::connect(fd_, reinterpret_cast<const sockaddr*>(&address), length) != 0) {
    std::perror("connect");
    std::exit(2);
  }
}

NetworkStage::~NetworkStage() { ::close(fd_); }

void NetworkStage::send(View octets) {
  while (!octets.empty()) {
    const ssize_t sent = ::send(fd_, octets.data(), octets.size(), MSG_NOSIGNAL);
    if (sent <= 0) {
      ended_ = true;  // the server has closed: what it said before may still be read
      return;
    }
    octets.remove_prefix(static_cast<std::size_t>(sent));
  }
}

bool NetworkStage::receive(int milliseconds) {
  pollfd wait{fd_, POLLIN, 0};
  if (::poll(&wait, 1, milliseconds) <= 0) return false;
  char buffer[4096];
  const ssize_t got = ::recv(fd_, buffer, sizeof buffer, 0);
  if (got <= 0) {
    ended_ = true;
    return false;
  }
  output_.append(buffer, static_cast<std::size_t>(got));
  return true;
}

std::optional<std::string> NetworkStage::line() {
  for (;;) {
    const std::size_t end = output_.find("\r\n");
    if (end != std::string::npos) {
      std::string line = output_.substr(0, end);
      output_.erase(0, end + 2);
      return line;
    }
    if (!receive(kPatience)) return std::nullopt;
  }
}

std::string NetworkStage::rest() {
  while (receive(kQuiet)) {
  }
  return std::exchange(output_, {});
}

bool NetworkStage::closed() {
  while (!ended_ && receive(output_.empty() ? kQuiet : 0)) {
  }
  return ended_;
}

}  // namespace ringpost::dialog
