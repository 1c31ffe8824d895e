// ringpost-dnsd's loop: one UDP socket (and a second one, to lie from), one TCP listener, the replies that wait for
// their time. Plain poll(2): the ring's datagram sockets are a client's. One thread.
#pragma once

#include <map>
#include <queue>
#include <string>
#include <vector>

#include "answer.h"
#include "ringpost/base/address.h"
#include "ringpost/base/fd.h"

namespace ringpost::dnsd {

class Server {
 public:
  explicit Server(Answerer& answerer) : answerer_(answerer) {}

  // UDP and TCP on one port; port 0: one that is free for both. Gives the address.
  Result<SocketAddress> listen(const SocketAddress& address);
  // Serves until `signals` (a signalfd) has something to read; then returns, and may be called again.
  void run(int signals);

 private:
  struct Client {
    Fd fd;
    std::string arrived;
  };
  struct Waiting {
    std::int64_t due = 0;  // nanoseconds, monotonic
    std::uint64_t order = 0;
    std::string octets;
    SocketAddress to;  // UDP
    int fd = -1;       // the socket it leaves by
    bool operator<(const Waiting& other) const { return due != other.due ? due > other.due : order > other.order; }
  };

  void take_datagrams();
  void accept_client();
  bool take_stream(Client& client);
  void send_due();
  void send_now(const Waiting& packet);
  void put(Packet packet, const SocketAddress& to, int fd);

  Answerer& answerer_;
  Fd udp_, other_, tcp_;
  std::map<int, Client> clients_;
  std::priority_queue<Waiting> waiting_;
  std::uint64_t order_ = 0;
};

}  // namespace ringpost::dnsd
