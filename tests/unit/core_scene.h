// What the tests of core stand on: the whole relay as a process of the simulated machine, clients that hand it mail,
// its control socket, and its disk after the fact. Who takes the mail are the sites of deliver's tests
// (deliver_yard.h).
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "../sim/relay.h"
#include "../sim/world.h"
#include "deliver_yard.h"

namespace ringpost::core::test {

using deliver::test::Fault;
using deliver::test::Server;
using deliver::test::Site;
using deliver::test::Stage;

inline const SocketAddress kRelay = SocketAddress::v4(10, 0, 0, 1, 2525);
inline const SocketAddress kFirst = SocketAddress::v4(192, 0, 2, 1, 25);
inline const SocketAddress kSecond = SocketAddress::v4(192, 0, 2, 2, 25);

// A connection that says what it is told to and keeps what it hears.
class Talker : public sim::EndpointEvents {
 public:
  Talker(sim::World& world, const SocketAddress& server);
  ~Talker() override { end_->close(); }
  Talker(const Talker&) = delete;
  Talker& operator=(const Talker&) = delete;

  void say(View octets);
  // Lines heard that begin so.
  [[nodiscard]] std::size_t heard(View prefix) const;
  std::string said;  // by the server

 private:
  void on_connected() override { push(); }
  void on_readable() override;
  void on_writable() override { push(); }
  void push();
  sim::EndpointPointer end_;
  std::string pending_;
};

// A message as the spool has it.
struct Kept {
  std::vector<std::string> to;
  std::vector<message::RecipientState> states;  // without their texts
};

class Scene {
 public:
  explicit Scene(unsigned cores = 1, std::uint64_t seed = 1);
  ~Scene();  // drains the relay, if it runs, and checks that it ends

  // Mail for `domain` goes there; before start().
  void route(const std::string& domain, std::vector<SocketAddress> hosts);
  void start();                               // CHECKs that it does
  void end();                                 // by a drain
  void lose_power(sim::Survivors survivors);  // start() may follow
  [[nodiscard]] Core& core(unsigned number = 0) { return relay_->core(number); }
  [[nodiscard]] Counts counts() const { return relay_->counts(); }

  // One message over a connection of its own; gives whether it was taken.
  bool send(const std::vector<std::string>& to, View content = "Subject: x\r\n\r\nbody\r\n");
  // The octets of such a message, pipelined; behind a greeting. Content is dot-stuffed.
  static std::string transaction(const std::vector<std::string>& to, View content);
  // The answer to one request on the control socket, its lines with LF.
  std::string ask(View request);
  // What the spool holds on the disk now.
  std::map<SpoolId, Kept> kept();
  // False: it did not come to that within `limit` of virtual time.
  bool run_until(const std::function<bool()>& condition, Duration limit = 10min) {
    return world.run_until(condition, limit);
  }

  sim::World world;
  config::Config config;

 private:
  std::unique_ptr<sim::Relay> relay_;
};

}  // namespace ringpost::core::test
