#include "server.h"

#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>

#include <cerrno>
#include <chrono>
#include <utility>

namespace ringpost::dnsd {
namespace {

constexpr std::size_t kLargest = 65535;  // octets of a message
constexpr int kDatagramsAtOnce = 256;    // between two looks at the rest
constexpr int kReceiveBuffer = 4 << 20;  // octets of questions that wait
constexpr unsigned kPortTries = 50;

std::int64_t now() {
  return std::chrono::duration_cast<std::chrono::nanoseconds>(std::chrono::steady_clock::now().time_since_epoch())
      .count();
}

Result<Fd> bound(const SocketAddress& address, int type) {
  Fd fd(::socket(address.family == Family::v6 ? AF_INET6 : AF_INET, type | SOCK_CLOEXEC, 0));
  const int on = 1;
  sockaddr_storage storage{};
  const socklen_t size = address.to_sockaddr(storage);
  if (type == SOCK_STREAM) ::setsockopt(fd.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  if (!fd.valid() || ::bind(fd.get(), reinterpret_cast<const sockaddr*>(&storage), size) != 0)
    return fail(errno, "cannot listen on " + address.text());
  return fd;
}

SocketAddress address_of(int fd) {
  sockaddr_storage storage{};
  socklen_t size = sizeof storage;
  ::getsockname(fd, reinterpret_cast<sockaddr*>(&storage), &size);
  return SocketAddress::from_sockaddr(reinterpret_cast<const sockaddr&>(storage), size);
}

void send_all(int fd, View octets) {
  while (!octets.empty()) {
    const ssize_t sent = ::send(fd, octets.data(), octets.size(), MSG_NOSIGNAL);
    if (sent <= 0) return;
    octets.remove_prefix(static_cast<std::size_t>(sent));
  }
}

}  // namespace

Result<SocketAddress> Server::listen(const SocketAddress& address) {
  for (unsigned tries = 1;; ++tries) {
    auto udp = bound(address, SOCK_DGRAM);
    if (!udp) return std::unexpected(udp.error());
    const SocketAddress chosen = address_of(udp->get());
    auto tcp = bound(chosen, SOCK_STREAM);
    if (!tcp && address.port == 0 && tries < kPortTries) continue;  // free for one of both only
    if (!tcp) return std::unexpected(tcp.error());
    if (::listen(tcp->get(), SOMAXCONN) != 0) return fail(errno, "listen");
    auto other = bound(address.with_port(0), SOCK_DGRAM);
    if (!other) return std::unexpected(other.error());
    ::setsockopt(udp->get(), SOL_SOCKET, SO_RCVBUF, &kReceiveBuffer, sizeof kReceiveBuffer);
    udp_ = std::move(*udp);
    tcp_ = std::move(*tcp);
    other_ = std::move(*other);
    return chosen;
  }
}

void Server::run(int signals) {
  for (;;) {
    std::vector<pollfd> all{{signals, POLLIN, 0}, {udp_.get(), POLLIN, 0}, {tcp_.get(), POLLIN, 0}};
    for (const auto& [fd, client] : clients_) all.push_back({fd, POLLIN, 0});
    int patience = -1;
    if (!waiting_.empty())
      patience = static_cast<int>(std::max<std::int64_t>((waiting_.top().due - now()) / 1000000, 0) + 1);
    if (::poll(all.data(), all.size(), patience) < 0 && errno != EINTR) return;
    if (all[0].revents != 0) return;
    if (all[1].revents != 0) take_datagrams();
    if (all[2].revents != 0) accept_client();
    for (std::size_t i = 3; i < all.size(); ++i) {
      if (all[i].revents == 0) continue;
      const auto client = clients_.find(all[i].fd);
      if (client != clients_.end() && !take_stream(client->second)) clients_.erase(client);
    }
    send_due();
  }
}

void Server::take_datagrams() {
  static char room[kLargest];
  for (int i = 0; i < kDatagramsAtOnce; ++i) {
    sockaddr_storage from{};
    socklen_t size = sizeof from;
    const ssize_t got =
        ::recvfrom(udp_.get(), room, sizeof room, MSG_DONTWAIT, reinterpret_cast<sockaddr*>(&from), &size);
    if (got < 0) return;
    const SocketAddress asker = SocketAddress::from_sockaddr(reinterpret_cast<const sockaddr&>(from), size);
    for (Packet& packet : answerer_.answer(View(room, static_cast<std::size_t>(got)), false)) {
      const int fd = packet.other_source ? other_.get() : udp_.get();
      put(std::move(packet), asker, fd);
    }
  }
}

void Server::accept_client() {
  Fd fd(::accept4(tcp_.get(), nullptr, nullptr, SOCK_CLOEXEC));
  if (!fd.valid()) return;
  const int name = fd.get();
  clients_[name].fd = std::move(fd);
}

bool Server::take_stream(Client& client) {
  char room[4096];
  const ssize_t got = ::recv(client.fd.get(), room, sizeof room, MSG_DONTWAIT);
  if (got <= 0) return got < 0 && errno == EAGAIN;
  client.arrived.append(room, static_cast<std::size_t>(got));
  while (client.arrived.size() >= 2) {
    const std::size_t length =
        std::size_t{static_cast<unsigned char>(client.arrived[0])} << 8 | static_cast<unsigned char>(client.arrived[1]);
    if (client.arrived.size() < length + 2) break;
    for (Packet& packet : answerer_.answer(View(client.arrived).substr(2, length), true)) {
      const std::size_t size = packet.octets.size();
      packet.octets.insert(0, {static_cast<char>(size >> 8 & 0xff), static_cast<char>(size & 0xff)});
      put(std::move(packet), {}, client.fd.get());
    }
    client.arrived.erase(0, length + 2);
  }
  return true;
}

void Server::put(Packet packet, const SocketAddress& to, int fd) {
  Waiting made{now() + packet.delay.count(), order_++, std::move(packet.octets), to, fd};
  if (packet.delay == Duration{0}) return send_now(made);
  waiting_.push(std::move(made));
}

void Server::send_due() {
  while (!waiting_.empty() && waiting_.top().due <= now()) {
    send_now(waiting_.top());
    waiting_.pop();
  }
}

void Server::send_now(const Waiting& packet) {
  if (!packet.to.known()) {
    if (clients_.contains(packet.fd)) send_all(packet.fd, packet.octets);
    return;
  }
  sockaddr_storage storage{};
  const socklen_t size = packet.to.to_sockaddr(storage);
  ::sendto(packet.fd, packet.octets.data(), packet.octets.size(), MSG_NOSIGNAL,
           reinterpret_cast<const sockaddr*>(&storage), size);
}

}  // namespace ringpost::dnsd
