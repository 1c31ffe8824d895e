// The sink on its loop: listeners, connections, signals, the end. Owns the connections; each drives one Session.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "ringpost/base/list.h"
#include "ringpost/ring.h"
#include "session.h"

namespace ringpost::sink {

struct Limits {
  std::uint32_t connections = 20000;       // at once; more get 421
  std::uint64_t messages = 0;              // 0: no end; else the sink ends when so many were taken
  Duration idle{std::chrono::minutes(5)};  // RFC 5321 4.5.3.2.7
  Duration drip{0};                        // more than zero: replies go octet by octet, so far apart
};

class Server;

// One connection. Frees itself when the socket is closed and nothing of it is in the kernel.
class Connection : public Link<Connection> {
 public:
  Connection(Server& server, ring::Socket socket);

  void end();  // soon, without waiting for the peer

 private:
  // Octets that wait because the session waits; more than this and we stop reading.
  static constexpr std::size_t kHeldLimit = 1 << 20;

  void on_receive(const ring::Completion& done);
  void on_send(const ring::Completion& done);
  void on_delay();
  void on_idle();
  void take(View octets);
  void take_held();
  void after_input();
  void want_flush();
  void flush();
  void go_on_reading();
  void close_if_done();

  Server& server_;
  ring::Socket socket_;
  Session session_;
  std::string held_;
  std::string sending_;
  std::size_t sent_ = 0;  // of sending_, when dripping
  Instant last_input_;
  bool ended_ = false;  // no more input, or none wanted
  ring::Operation receive_{this, ring::handler<&Connection::on_receive>};
  ring::Operation send_{this, ring::handler<&Connection::on_send>};
  ring::Timer delay_{this, ring::call<&Connection::on_delay>};
  ring::Timer idle_{this, ring::call<&Connection::on_idle>};
  ring::Timer drip_{this, ring::call<&Connection::flush>};
  ring::Deferred flush_{this, ring::call<&Connection::flush>};
};

class Server {
 public:
  Server(ring::Ring& ring, Shared& shared, const Limits& limits) : ring_(ring), shared_(shared), limits_(limits) {}
  ~Server();

  Result<SocketAddress> listen(const SocketAddress& address);
  // Ends: no new connections, those that are open are closed, then the loop stops. Not from within a connection.
  void end();

  ring::Ring& ring() { return ring_; }
  Shared& shared() { return shared_; }
  [[nodiscard]] const Limits& limits() const { return limits_; }
  void gone(Connection& connection);
  void look_at_end();  // has taken as many messages as it should

 private:
  struct Listener {
    Server& server;
    ring::Socket socket;
    ring::Operation accept;
    void on_accept(const ring::Completion& done);
    Listener(Server& of, ring::Socket at) : server(of), socket(at), accept(this, ring::handler<&Listener::on_accept>) {}
  };
  void stop_if_done();

  ring::Timer end_{this, ring::call<&Server::end>};
  ring::Ring& ring_;
  Shared& shared_;
  const Limits& limits_;
  std::vector<std::unique_ptr<Listener>> listeners_;
  List<Connection, Connection> connections_;
  std::uint32_t open_ = 0;
  bool ending_ = false;
};

}  // namespace ringpost::sink
