// What the tests of a Deliverer stand on: a simulated network with misbehaving servers on it, and a Host that hands out
// letters by destination and watches what comes back. A letter's octets are overwritten as soon as it is given back, so
// that the simulated ring sees a send that still reads them.
#pragma once

#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "../sim/world.h"
#include "deliver_scene.h"

namespace ringpost::deliver::test {

// A server on an address of the simulated network: each connection has a Server of its own, made by `make`.
class Site : public sim::ListenerEvents {
 public:
  std::function<void(Server&, int connection)> make = [](Server&, int) {};
  std::function<bool(const Server&)> reads = [](const Server&) { return true; };  // false: that one reads no more
  int connections = 0;
  int open = 0;
  int most_open = 0;

  Site(sim::World& world, const SocketAddress& address);
  ~Site() override;  // resets what is open
  void on_connection() override;
  [[nodiscard]] std::vector<Server::Message> messages() const;
  [[nodiscard]] std::vector<std::string> breaches() const;
  [[nodiscard]] std::size_t commands(View prefix) const;  // that begin so, of all connections
  // Ends each connection, with a reset or in order.
  void hang_up(bool reset);

 private:
  struct Peer;
  sim::World& world_;
  sim::ListenerPointer listener_;
  std::vector<std::shared_ptr<Peer>> peers_;
};

class Yard : public Host {
 public:
  sim::World world;
  std::shared_ptr<config::Config> config = std::make_shared<config::Config>();
  std::map<std::uint32_t, std::deque<std::unique_ptr<Letter>>> letters;  // by destination
  std::map<std::uint32_t, int> closed_count, reached_count;
  std::vector<std::string> unreachables;  // "destination: code enhanced text @host"
  std::vector<std::string> shortages;     // the same
  int stalled_count = 0;
  int returned_count = 0;
  bool hold = false;  // next() gives nothing
  std::unique_ptr<Deliverer> deliverer;

  explicit Yard(std::uint64_t seed = 1) : world({.seed = seed}) { config->hostname = "client.example"; }
  ~Yard() override;

  void start() { deliverer = std::make_unique<Deliverer>(world.ring(), config, *this); }
  Letter& add(std::uint32_t destination, std::size_t recipients = 1,
              std::string content = "Subject: x\r\n\r\nbody\r\n");
  static route::Way route(std::vector<SocketAddress> hosts, config::Manners manners = {});
  [[nodiscard]] bool all_over() const;
  [[nodiscard]] std::size_t count(std::uint32_t destination, View prefix) const;

  Job* next(DestinationId) override;
  void outcome(Job&, std::uint32_t recipient, const message::Outcome&, const Attempt&) override;
  void done(Job&) override;
  void returned(Job&) override;
  void closed(DestinationId id) override { ++closed_count[id.value]; }
  void reached(DestinationId id) override { ++reached_count[id.value]; }
  void unreachable(DestinationId, const message::Outcome&, const Attempt&) override;
  void shortage(DestinationId, const message::Outcome&, const Attempt&) override;
  void stalled(DestinationId) override { ++stalled_count; }

 private:
  Letter& letter_of(Job&);
};

}  // namespace ringpost::deliver::test
