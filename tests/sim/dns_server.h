// A simulated name server: ringpost-dnsd's answers (and misbehaviours) over the simulated network, by datagrams and by
// streams. Make it before the relay asks and keep it to the end of the world's run.
#pragma once

#include <list>
#include <memory>
#include <string>

#include "network.h"
#include "tools/dnsd/answer.h"

namespace ringpost::sim {

class World;

class DnsServer final : DatagramEvents, ListenerEvents {
 public:
  // `zone`: lines as ringpost-dnsd takes them.
  DnsServer(World&, const SocketAddress&, View zone);
  ~DnsServer() override;
  DnsServer(const DnsServer&) = delete;
  DnsServer& operator=(const DnsServer&) = delete;

  // Another zone from now on.
  void replace(View zone);
  [[nodiscard]] const dnsd::Counts& counts() const { return answerer_.counts; }
  // How often `name` was asked about in all, over both.
  [[nodiscard]] std::uint64_t asked(const std::string& name, std::uint16_t type) const;
  [[nodiscard]] std::uint64_t asked() const;
  void forget_counts() { answerer_.counts.clear(); }

 private:
  struct Client;
  void on_datagram(View octets, const SocketAddress& from) override;
  void on_connection() override;

  World& world_;
  SocketAddress address_;
  dnsd::Answerer answerer_;
  ListenerPointer listener_;
  std::list<std::shared_ptr<Client>> clients_;
};

}  // namespace ringpost::sim
