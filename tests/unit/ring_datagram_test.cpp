// Datagrams on the real kernel over loopback: one send is one datagram, one completion is one, and strangers are
// unheard.
#include <arpa/inet.h>
#include <doctest/doctest.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <cerrno>
#include <string>

#include "ring_loop.h"
#include "ringpost/base/fd.h"

namespace ringpost::ring {

using test::piece;
using test::Recorded;
using test::Runner;

namespace {

// A plain UDP socket on a port of the kernel's choice.
struct Peer {
  Fd fd{::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0)};
  SocketAddress address;

  Peer() {
    sockaddr_storage at{};
    const socklen_t size = SocketAddress::v4(127, 0, 0, 1, 0).to_sockaddr(at);
    REQUIRE(::bind(fd.get(), reinterpret_cast<const sockaddr*>(&at), size) == 0);
    socklen_t got = sizeof at;
    REQUIRE(::getsockname(fd.get(), reinterpret_cast<sockaddr*>(&at), &got) == 0);
    address = SocketAddress::from_sockaddr(reinterpret_cast<const sockaddr&>(at), got);
  }
  void send(std::string_view octets, const SocketAddress& to) const {
    sockaddr_storage at{};
    const socklen_t size = to.to_sockaddr(at);
    REQUIRE(::sendto(fd.get(), octets.data(), octets.size(), 0, reinterpret_cast<const sockaddr*>(&at), size) ==
            static_cast<ssize_t>(octets.size()));
  }
  [[nodiscard]] std::string take() const {
    char room[4096];
    const ssize_t got = ::recv(fd.get(), room, sizeof room, 0);
    return got < 0 ? std::string() : std::string(room, static_cast<std::size_t>(got));
  }
};

}  // namespace

TEST_CASE("datagrams keep their bounds in both directions, and what a stranger sends is not heard") {
  Fleet fleet(1, 0);
  const auto ring = test::ring_of(fleet);
  Runner runner(*ring);
  const Peer peer;
  const Peer stranger;
  const auto made = ring->datagram_to(peer.address);
  REQUIRE(made);
  const auto local = ring->local_address(*made);
  REQUIRE(local);
  CHECK(local->is_loopback());
  CHECK(local->port != 0);

  Recorded send;
  const std::string question(1200, 'q');
  const iovec pieces[] = {piece(question)};
  ring->send(send.operation, *made, pieces);
  CHECK(runner.run_until([&] { return send.finals == 1; }));
  CHECK(send.last == 1200);
  CHECK(peer.take() == question);

  stranger.send("lie", *local);
  peer.send(std::string(1232, 'a'), *local);
  peer.send("b", *local);
  peer.send("c", *local);
  Recorded receive;
  ring->receive(receive.operation, *made);
  CHECK(runner.run_until([&] { return receive.results.size() >= 3; }));
  REQUIRE(receive.results.size() == 4);
  CHECK(receive.results[0] == 1232);
  CHECK(receive.results[1] == 1);
  CHECK(receive.results[2] == 1);
  CHECK(receive.results[3] == -ECANCELED);  // the loop has ended
  CHECK(receive.octets == std::string(1232, 'a') + "bc");
  ring->close(*made);
}

TEST_CASE("a datagram to a port where nobody listens is refused, and the socket lives on") {
  Fleet fleet(1, 0);
  const auto ring = test::ring_of(fleet);
  Runner runner(*ring);
  SocketAddress nobody;
  {
    const Peer gone;
    nobody = gone.address;
  }
  const auto made = ring->datagram_to(nobody);
  REQUIRE(made);
  Recorded send;
  Recorded receive;
  const iovec pieces[] = {piece("hello")};
  ring->receive(receive.operation, *made);
  ring->send(send.operation, *made, pieces);
  CHECK(runner.run_until([&] { return receive.finals == 1 && send.finals == 1; }));
  CHECK(receive.last == -ECONNREFUSED);
  ring->receive(receive.operation, *made);
  CHECK(runner.run_until([&] { return receive.operation.in_kernel(); }));
  CHECK(receive.finals == 2);
  ring->close(*made);
}

}  // namespace ringpost::ring
