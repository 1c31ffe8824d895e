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

bool Destination::rests(const SocketAddress& host, Instant now) const {
  return std::any_of(resting.begin(), resting.end(),
                     [&](const Resting& each) { return each.host == host && each.until > now; });
}

void Destination::rest(const SocketAddress& host, Instant now) {
  std::erase_if(resting, [&](const Resting& each) { return each.host == host || each.until <= now; });
  if (resting.size() < route::kMostHosts) resting.push_back({host, now + kHostRests});
}

void Destination::recovered(const SocketAddress& host) {
  std::erase_if(resting, [&](const Resting& each) { return each.host == host; });
}

void Pool::open(DestinationId id, const route::Way& way) {
  Destination& destination = at(id);
  const route::Way* const known = destination.way.get();
  const auto same_hosts = [&] {
    if (known->hosts == way.hosts) return true;
    return known->hosts && way.hosts && known->hosts->list == way.hosts->list;
  };
  if (known == nullptr || known->name != way.name || !same_hosts() || known->manners != way.manners)
    destination.way = std::make_shared<const route::Way>(way);
  ++destination.count;
  // Before the pool is full, so that few have to wait for another's goodbye.
  const bool nearly_full = connections_.used() >= connections_.capacity() - connections_.capacity() / 16;
  const bool coming = nearly_full && !draining_ && make_room();
  if (!draining_ && !connections_.full()) return make(destination);
  if (coming) return waiting_.push_back(id);
  without_room_.push_back(id);
  ring_.defer(without_room_turn_);
}

void Pool::make(Destination& destination) {
  Connection* const made = connections_.acquire(*this, destination, destination.way);
  CHECK(made != nullptr);
  destination.connections.push_front(*made);
  statistics_.open = connections_.used();
}

// A connection that has nothing to do goes, for one that has: destinations may be many more than connections.
bool Pool::make_room() {
  if (idle_.empty()) return false;
  idle_.pop_front().leave();
  return true;
}

void Pool::note(Connection& connection) {
  Link<IdleTag>& link = connection;
  if (!connection.idle())
    link.unlink();
  else if (!link.linked())
    idle_.push_back(connection);
}

void Pool::report_without_room() {
  const std::vector<DestinationId> ids = std::exchange(without_room_, {});
  for (const DestinationId id : ids) {
    Destination& destination = at(id);
    --destination.count;
    if (!draining_) {
      const Attempt attempt{.host = {}, .host_name = {}, .source = {}, .site = destination.way->name};
      ++statistics_.shortages;
      host_.shortage(id,
                     finding({4, 3, 1},
                             "this relay has as many connections open as its memory allows; raise "
                             "limits.memory"),
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

void Pool::forget(DestinationId id) {
  const Destination* const destination = find(id);
  if (destination == nullptr) return;
  CHECK(destination->count == 0);
  destinations_[id.value].reset();
}

void Pool::drain() {
  draining_ = true;
  without_room_.insert(without_room_.end(), waiting_.begin(), waiting_.end());
  waiting_.clear();
  ring_.defer(without_room_turn_);
  connections_.for_each([](Connection& c) { c.leave(); });
}

void Pool::abort() {
  if (!draining_) drain();
  connections_.for_each([](Connection& c) { c.abort(); });
}

void Pool::retire(Connection& connection, Destination& destination) {
  connections_.release(connection);
  --destination.count;
  if (!waiting_.empty()) {
    Destination& next = at(waiting_.front());
    waiting_.pop_front();
    make(next);
  }
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

void Deliverer::open(DestinationId id, const route::Way& way) { parts_->pool.open(id, way); }

void Deliverer::forget(DestinationId id) { parts_->pool.forget(id); }

bool Deliverer::wake(DestinationId id) { return parts_->pool.wake(id); }

void Deliverer::yield(DestinationId id, std::uint32_t count) { parts_->pool.yield(id, count); }

std::uint32_t Deliverer::connections(DestinationId id) const {
  const Destination* const destination = parts_->pool.find(id);
  return destination == nullptr ? 0 : destination->count;
}

// Those that wait for another's place are connecting too.
std::uint32_t Deliverer::connecting(DestinationId id) const {
  Destination* const destination = parts_->pool.find(id);
  if (destination == nullptr) return 0;
  std::uint32_t greeted = 0;
  List<Connection>& all = destination->connections;
  if (!all.empty())
    for (Connection* at = &all.front(); at != nullptr; at = all.after(*at)) greeted += at->greeted();
  return destination->count - greeted;
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
