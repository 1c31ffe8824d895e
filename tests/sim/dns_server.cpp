#include "dns_server.h"

#include <utility>

#include "world.h"

namespace ringpost::sim {

struct DnsServer::Client final : EndpointEvents, std::enable_shared_from_this<DnsServer::Client> {
  DnsServer& server;
  EndpointPointer end;
  std::string arrived;
  std::string leaving;

  Client(DnsServer& of, EndpointPointer at) : server(of), end(std::move(at)) {}
  void on_connected() override {}
  void on_writable() override { leaving.erase(0, end->write(leaving)); }
  void on_readable() override;
};

void DnsServer::Client::on_readable() {
  arrived += end->readable();
  end->consume(end->readable().size());
  while (arrived.size() >= 2) {
    const std::size_t length =
        std::size_t{static_cast<unsigned char>(arrived[0])} << 8 | static_cast<unsigned char>(arrived[1]);
    if (arrived.size() < length + 2) break;
    for (const dnsd::Packet& packet : server.answerer_.answer(View(arrived).substr(2, length), true)) {
      std::string framed{static_cast<char>(packet.octets.size() >> 8 & 0xff),
                         static_cast<char>(packet.octets.size() & 0xff)};
      framed += packet.octets;
      server.world_.schedule().after(packet.delay, [self = shared_from_this(), framed = std::move(framed)] {
        self->leaving += framed;
        self->on_writable();
      });
    }
    arrived.erase(0, length + 2);
  }
  if (end->at_end() || end->error() != 0) end->close();
}

DnsServer::DnsServer(World& world, const SocketAddress& address, View zone) : world_(world), address_(address) {
  replace(zone);
  world_.network().bind(address_, *this);
  auto opened = world_.network().listen(address_, *this, 64, true);
  RINGPOST_CHECK(opened.has_value());
  listener_ = *opened;
}

DnsServer::~DnsServer() {
  world_.network().unbind(address_);
  world_.network().close(*listener_);
  for (const auto& client : clients_) client->end->close();
}

void DnsServer::replace(View zone) {
  answerer_.zone = {};
  const auto read = answerer_.zone.read(zone);
  RINGPOST_CHECK(read.has_value());
}

void DnsServer::on_datagram(View octets, const SocketAddress& from) {
  for (const dnsd::Packet& packet : answerer_.answer(octets, false)) {
    const SocketAddress source = packet.other_source ? address_.with_port(5353) : address_;
    world_.schedule().after(packet.delay, [this, source, from, octets = packet.octets] {
      world_.network().send_datagram(source, from, octets);
    });
  }
}

void DnsServer::on_connection() {
  std::erase_if(clients_, [](const auto& client) { return client->end->at_end() || client->end->error() != 0; });
  const auto& made = clients_.emplace_back(std::make_shared<Client>(*this, listener_->take()));
  made->end->attach(made.get());
}

std::uint64_t DnsServer::asked(const std::string& name, std::uint16_t type) const {
  const auto found = answerer_.counts.find({name, type});
  return found == answerer_.counts.end() ? 0 : found->second.udp + found->second.tcp;
}

std::uint64_t DnsServer::asked() const {
  std::uint64_t sum = 0;
  for (const auto& [question, count] : answerer_.counts) sum += count.udp + count.tcp;
  return sum;
}

}  // namespace ringpost::sim
