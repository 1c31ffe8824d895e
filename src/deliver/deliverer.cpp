// The public face of the room, and its pool of connections.
#include <algorithm>
#include <utility>

#include "deliver/pool.h"

namespace ringpost::deliver {
namespace {

constexpr std::uint32_t kFewestConnections = 64;
constexpr std::uint32_t kMostConnections = 60'000;  // to one address from one of ours: the local ports
constexpr std::uint64_t kMemoryShare = 8;           // the part of limits.memory that connections may take

std::size_t octets_each() { return sizeof(Connection) + ClientSession::octets_each(); }

}  // namespace

// ---- Pool

Pool::Pool(ring::Ring& ring, std::shared_ptr<const config::Config> config, Host& host)
    : ring_(ring), config_(std::move(config)), host_(host), connections_(capacity(*config_, ring.cores())) {}

Pool::~Pool() { CHECK(connections_.used() == 0); }

std::uint32_t Pool::capacity(const config::Config& config, unsigned cores) {
  const std::uint64_t share = config.limits.memory / kMemoryShare / std::max(cores, 1U) / octets_each();
  return static_cast<std::uint32_t>(std::clamp<std::uint64_t>(share, kFewestConnections, kMostConnections));
}

Destination* Pool::find(DestinationId id) {
  return id.value < destinations_.size() ? destinations_[id.value].get() : nullptr;
}

Destination& Pool::at(DestinationId id) {
  if (id.value >= destinations_.size()) destinations_.resize(id.value + std::size_t{1});
  std::unique_ptr<Destination>& place = destinations_[id.value];
  if (!place) {
    place = std::make_unique<Destination>();
    place->id = id;
  }
  return *place;
}

void Pool::open(DestinationId id, const route::Route& route) {
  Destination& destination = at(id);
  const route::Route* const known = destination.route.get();
  if (known == nullptr || known->name != route.name || known->hosts != route.hosts || known->manners != route.manners)
    destination.route = std::make_shared<const route::Route>(route);
  Connection* const made = draining_ ? nullptr : connections_.acquire(*this, destination, destination.route);
  ++destination.count;
  if (made == nullptr) {
    without_room_.push_back(id);
    return ring_.defer(without_room_turn_);
  }
  destination.connections.push_front(*made);
  statistics_.open = connections_.used();
}

void Pool::report_without_room() {
  const std::vector<DestinationId> ids = std::exchange(without_room_, {});
  for (const DestinationId id : ids) {
    Destination& destination = at(id);
    --destination.count;
    if (!draining_) {
      const Attempt attempt{.host = {}, .source = {}, .site = destination.route->name};
      host_.unreachable(id, finding({4, 3, 1}, "this relay has as many connections open as its memory allows"),
                        attempt);
    }
    host_.closed(id);
  }
}

// An idle connection that nobody woke in this turn first: what comes together spreads over what is open.
bool Pool::wake(DestinationId id) {
  Destination* const destination = find(id);
  if (destination == nullptr || destination->connections.empty()) return false;
  List<Connection>& all = destination->connections;
  Connection* found = nullptr;
  for (Connection* at = &all.front(); at != nullptr; at = all.after(*at)) {
    if (!at->has_room()) continue;
    if (found == nullptr || (at->idle() && !at->woken())) found = at;
    if (found->idle() && !found->woken()) break;
  }
  if (found == nullptr) return false;
  found->wake();
  return true;
}

void Pool::yield(DestinationId id, std::uint32_t count) {
  Destination* const destination = find(id);
  if (destination == nullptr || destination->connections.empty()) return;
  List<Connection>& all = destination->connections;
  const auto each = [&](auto&& act) {
    for (Connection* at = &all.front(); at != nullptr; at = all.after(*at)) act(*at);
  };
  each([&](Connection& c) { count -= count > 0 && c.leaving(); });
  const auto leave = [&](Connection& c) {
    if (count == 0 || c.leaving()) return;
    c.leave();
    --count;
  };
  each([&](Connection& c) {
    if (c.idle()) leave(c);
  });
  each([&](Connection& c) {
    if (!c.greeted()) leave(c);
  });
  each(leave);
}

void Pool::drain() {
  draining_ = true;
  connections_.for_each([](Connection& c) { c.leave(); });
}

void Pool::abort() {
  draining_ = true;
  connections_.for_each([](Connection& c) { c.abort(); });
}

void Pool::retire(Connection& connection, Destination& destination) {
  connections_.release(connection);
  --destination.count;
  statistics_.open = connections_.used();
  host_.closed(destination.id);
}

// ---- Deliverer

struct Deliverer::Parts {
  Pool pool;
};

Deliverer::Deliverer(ring::Ring& ring, std::shared_ptr<const config::Config> config, Host& host)
    : parts_(new Parts{{ring, std::move(config), host}}) {}

Deliverer::~Deliverer() = default;

void Deliverer::open(DestinationId id, const route::Route& route) { parts_->pool.open(id, route); }

bool Deliverer::wake(DestinationId id) { return parts_->pool.wake(id); }

void Deliverer::yield(DestinationId id, std::uint32_t count) { parts_->pool.yield(id, count); }

std::uint32_t Deliverer::connections(DestinationId id) const {
  const Destination* const destination = parts_->pool.find(id);
  return destination == nullptr ? 0 : destination->count;
}

std::uint32_t Deliverer::connecting(DestinationId id) const {
  Destination* const destination = parts_->pool.find(id);
  if (destination == nullptr || destination->connections.empty()) return 0;
  std::uint32_t count = 0;
  List<Connection>& all = destination->connections;
  for (Connection* at = &all.front(); at != nullptr; at = all.after(*at)) count += !at->greeted();
  return count;
}

void Deliverer::reconfigure(std::shared_ptr<const config::Config> config) {
  parts_->pool.reconfigure(std::move(config));
}

void Deliverer::drain() { parts_->pool.drain(); }

void Deliverer::abort() { parts_->pool.abort(); }

bool Deliverer::idle() const { return parts_->pool.idle(); }

const Statistics& Deliverer::statistics() const { return parts_->pool.statistics(); }

std::vector<config::MemoryLine> Deliverer::memory(const config::Config& config, unsigned cores) {
  return {
      {"outbound connections", std::uint64_t{Pool::capacity(config, cores)} * std::max(cores, 1U), octets_each(),
       "an eighth of limits.memory; each holds its session and what it is sending, and is touched when first open"}};
}

}  // namespace ringpost::deliver
