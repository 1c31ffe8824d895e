// A socket of a simulated ring: an end of a stream, a listener or a datagram socket, and which operations wait on it.
// Private to sim_ring.cpp and sim_sockets.cpp.
#pragma once

#include <cstdint>
#include <deque>
#include <optional>
#include <string>

#include "network.h"
#include "sim_ring.h"

namespace ringpost::sim {

// A connected datagram socket: what its one peer sent and nobody took yet.
struct Datagrams {
  SocketAddress local, remote;
  std::deque<std::string> arrived;
  int error = 0;
};

struct SimRing::SimSocket final : EndpointEvents, ListenerEvents, DatagramEvents {
  static constexpr std::uint32_t kNone = UINT32_MAX;

  explicit SimSocket(SimRing& owner) : ring(owner) {}

  void on_connected() override;
  void on_readable() override;
  void on_writable() override;
  void on_connection() override;
  void on_datagram(View octets, const SocketAddress& from) override;
  void on_datagram_error(int code) override;

  [[nodiscard]] bool busy() const { return accept != kNone || receive != kNone || send != kNone || connect != kNone; }
  void forget(std::uint32_t slot) {
    for (std::uint32_t* each : {&accept, &receive, &send, &connect})
      if (*each == slot) *each = kNone;
  }
  void let_go(Network& network) {
    if (listener) network.close(*listener);
    if (end) end->close();
    if (datagrams) network.unbind(datagrams->local);
  }

  SimRing& ring;
  EndpointPointer end;
  ListenerPointer listener;
  std::optional<Datagrams> datagrams;
  std::uint32_t accept = kNone;  // slots
  std::uint32_t receive = kNone;
  std::uint32_t send = kNone;
  std::uint32_t connect = kNone;
};

}  // namespace ringpost::sim
