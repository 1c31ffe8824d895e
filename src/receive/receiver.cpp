// Listeners and the connections they bring: slots, limits of the whole, drain. One Receiver per core; its sessions live
// and die here.
#include <algorithm>
#include <deque>
#include <utility>

#include "connection.h"
#include "ringpost/base/check.h"
#include "ringpost/policy.h"
#include "session_parts.h"

namespace ringpost::receive {
namespace {

// Connections above the limit that are told so at the same time; more of them are closed without a word.
constexpr std::uint32_t kTurnedAway = 1024;

constexpr policy::Verdict kNoSlot{421, {4, 3, 2}, "Too many sessions, try again later"};

// Octets kept for sessions that wait, and for unfinished lines: a bounded share of all memory.
constexpr std::uint64_t kBacklogShare = 32;
constexpr std::uint64_t kFewestBlocks = 2048;        // per core: 4 MiB
constexpr std::uint64_t kMostBlocks = 256UL * 1024;  // per core: 512 MiB

std::uint32_t blocks_of_core(const config::Config& config, unsigned cores) {
  const std::uint64_t wanted = config.limits.memory / kBacklogShare / cores / sizeof(Block);
  return static_cast<std::uint32_t>(std::clamp(wanted, kFewestBlocks, kMostBlocks));
}

}  // namespace

struct Receiver::Parts {
  struct Listener {
    Listener(Parts& the_parts, ring::Socket the_socket, const config::Listener& configured)
        : parts(the_parts), socket(the_socket), kind(configured.kind), address(configured.address) {}
    void on_accept(const ring::Completion& done) { parts.on_accept(*this, done); }

    Parts& parts;
    ring::Socket socket;
    config::ListenerKind kind;
    SocketAddress address;
    ring::Operation accept{this, ring::handler<&Listener::on_accept>};
  };

  Parts(ring::Ring& the_ring, std::shared_ptr<const config::Config> the_config, Host& host,
        std::shared_ptr<Census> the_census);

  Result<void> open(const config::Listener& configured);
  void on_accept(Listener& listener, const ring::Completion& done);
  void take(Listener& listener, ring::Socket socket);
  void turn_away(ring::Socket socket, const Peer& peer);
  void begin(ring::Socket socket, const Peer& peer, Connection::Counted counted);
  void gone(Connection& connection);

  ring::Ring& ring;
  std::shared_ptr<const config::Config> config;
  std::shared_ptr<Census> census;
  const std::uint32_t slots;  // for counted sessions: any core may get all that the process allows
  Pools pools;
  Slab<Block> blocks;
  Slab<Connection> connections;
  std::uint32_t turned_away = 0;
  Connection::Around around;
  std::deque<Listener> listeners;
  bool draining = false;
};

Receiver::Parts::Parts(ring::Ring& the_ring, std::shared_ptr<const config::Config> the_config, Host& host,
                       std::shared_ptr<Census> the_census)
    : ring(the_ring),
      config(std::move(the_config)),
      census(the_census != nullptr ? std::move(the_census) : std::make_shared<Census>()),
      slots(config->limits.sessions),
      pools(slots + kTurnedAway),
      blocks(blocks_of_core(*config, ring.cores())),
      connections(slots + kTurnedAway),
      around{ring, host, pools, blocks, connections, this, [](void* parts, Connection& connection) {
               static_cast<Parts*>(parts)->gone(connection);
             }} {}

Result<void> Receiver::Parts::open(const config::Listener& configured) {
  const auto socket = ring.listen(configured.address, {});
  if (!socket) return std::unexpected(socket.error());
  Listener& listener = listeners.emplace_back(*this, *socket, configured);
  if (const auto bound = ring.local_address(*socket)) listener.address = *bound;
  ring.accept(listener.accept, listener.socket);
  return {};
}

void Receiver::Parts::on_accept(Listener& listener, const ring::Completion& done) {
  if (done.result >= 0) take(listener, {done.result});
  if (!done.final) return;
  // Cancelled, by drain() or by a loop that is about to end.
  if (done.result < 0) return ring.close(std::exchange(listener.socket, {}));
  ring.accept(listener.accept, listener.socket);
}

void Receiver::Parts::take(Listener& listener, ring::Socket socket) {
  const auto client = ring.peer_address(socket);
  if (!client) return ring.close(socket);  // it has gone again
  Peer peer{.client = *client, .listener = listener.address, .kind = listener.kind, .verdict = {}};
  const bool by_client = config->limits.sessions_per_client != 0;
  const Census::Count count = census->enter(*client, by_client);
  peer.verdict = policy::may_connect(
      {.client = *client, .sessions = count.sessions, .sessions_of_client = count.of_client}, *config);
  // The configuration may allow more sessions than it did when the slots were made.
  const bool room = connections.used() - turned_away < slots;
  if (peer.verdict.accepted() && !room) peer.verdict = kNoSlot;
  if (!peer.verdict.accepted()) {
    census->leave(*client, by_client);
    return turn_away(socket, peer);
  }
  ++pools.statistics.connections;
  ++pools.statistics.sessions;
  const auto counted = by_client ? Connection::Counted::as_session_of_client : Connection::Counted::as_session;
  begin(socket, peer, counted);
}

// One too many gets 421 instead of a banner (RFC 5321 3.8), if we can afford even that.
void Receiver::Parts::turn_away(ring::Socket socket, const Peer& peer) {
  if (turned_away == kTurnedAway) return ring.close(socket);
  ++turned_away;
  begin(socket, peer, Connection::Counted::not_at_all);
}

void Receiver::Parts::begin(ring::Socket socket, const Peer& peer, Connection::Counted counted) {
  Connection* connection = connections.acquire(around, config, socket, peer);
  CHECK(connection != nullptr);
  connection->counted = counted;
  connection->start();
  if (draining) connection->drain();  // accepted just before the listener was called back
}

void Receiver::Parts::gone(Connection& connection) {
  if (connection.counted == Connection::Counted::not_at_all) {
    --turned_away;
  } else {
    census->leave(connection.client(), connection.counted == Connection::Counted::as_session_of_client);
    --pools.statistics.sessions;
    around.host.session_over(connection.client(), connection.messages(), ring.now() - connection.begun());
  }
  connections.release(connection);
}

// ---- the face

Receiver::Receiver(ring::Ring& ring, std::shared_ptr<const config::Config> config, Host& host,
                   std::shared_ptr<Census> census)
    : parts_(std::make_unique<Parts>(ring, std::move(config), host, std::move(census))) {}

Receiver::~Receiver() = default;

Result<void> Receiver::listen() {
  for (const config::Listener& configured : parts_->config->listeners) {
    // Submission asks for AUTH and TLS, which are not here yet: better no port than one that takes passwords in clear.
    if (configured.kind != config::ListenerKind::relay) continue;
    if (auto opened = parts_->open(configured); !opened) return opened;
  }
  return {};
}

std::vector<SocketAddress> Receiver::addresses() const {
  std::vector<SocketAddress> all;
  for (const Parts::Listener& listener : parts_->listeners) all.push_back(listener.address);
  return all;
}

void Receiver::committed(Ticket ticket, const Result<void>& result) {
  Connection* connection = parts_->connections.find(ticket.slot, ticket.generation);
  if (connection != nullptr) connection->committed(ticket.sequence, result);
}

void Receiver::reconfigure(std::shared_ptr<const config::Config> config) { parts_->config = std::move(config); }

void Receiver::drain() {
  if (!std::exchange(parts_->draining, true))
    for (Parts::Listener& listener : parts_->listeners) parts_->ring.cancel(listener.accept);
  parts_->connections.for_each([](Connection& connection) { connection.drain(); });
}

void Receiver::abort() {
  drain();
  parts_->connections.for_each([](Connection& connection) { connection.abort(); });
}

bool Receiver::idle() const {
  for (const Parts::Listener& listener : parts_->listeners)
    if (listener.accept.in_kernel()) return false;
  return parts_->connections.used() == 0;
}

const Statistics& Receiver::statistics() const { return parts_->pools.statistics; }

std::vector<config::MemoryLine> Receiver::memory(const config::Config& config, unsigned cores) {
  const std::uint32_t sessions = config.limits.sessions;
  return {
      {"sessions", sessions, sizeof(Connection) + sizeof(Session::Parts), "limits.sessions: connection and session"},
      {"transactions", sessions, sizeof(Transaction), "one in each session at the most"},
      {"awaited commits", sessions, sizeof(Marks), "the order of replies behind them"},
      {"replies", sessions + std::uint64_t{cores} * Pools::Parts::burst_of(sessions), sizeof(ReplyChunk),
       "one chunk a session, the others for bursts"},
      {"backlog of receives", std::uint64_t{cores} * blocks_of_core(config, cores), sizeof(Block),
       "unfinished lines and what arrives for sessions that wait: 1/32 of limits.memory"},
  };
}

}  // namespace ringpost::receive
