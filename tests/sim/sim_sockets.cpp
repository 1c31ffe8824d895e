// Sockets of the simulated loop.
#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

#include "sim_ring.h"
#include "sim_socket.h"
#include "world.h"

namespace ringpost::sim {
namespace {

constexpr int kReceivesPerTurn = 8;                   // of one socket
constexpr char kTakenBack = static_cast<char>(0xDB);  // fills a provided buffer whose handler has returned
constexpr Duration kSendMost = 30us;

}  // namespace

// ---- news from the network

void SimRing::SimSocket::on_connected() {
  if (connect != kNone && !ring.slots_[connect].done) ring.decide(connect, 0);
}

void SimRing::SimSocket::on_readable() {
  if (connect != kNone && end->error() != 0 && !ring.slots_[connect].done) ring.decide(connect, -end->error());
  if (receive != kNone) ring.make_ready(receive);
}

void SimRing::SimSocket::on_writable() {
  if (send != kNone) ring.pump_send(send);
}

void SimRing::SimSocket::on_connection() {
  if (accept != kNone) ring.make_ready(accept);
}

// As a connected socket of the kernel: what others send is dropped.
void SimRing::SimSocket::on_datagram(View octets, const SocketAddress& from) {
  if (from != datagrams->remote) return;
  datagrams->arrived.emplace_back(octets);
  if (receive != kNone) ring.make_ready(receive);
}

void SimRing::SimSocket::on_datagram_error(int code) {
  datagrams->error = code;
  if (receive != kNone) ring.make_ready(receive);
}

// ---- names

SimRing::SimSocket* SimRing::socket(int fd) {
  if (dead_) return nullptr;
  const auto it = sockets_.find(fd);
  CHECK(it != sockets_.end());  // closed before, or never made
  return it->second.get();
}

Result<ring::Socket> SimRing::add_listener(const SocketAddress& address, int backlog, bool share) {
  if (dead_) return fail(EIO, "the simulated process is gone");
  auto made = std::make_unique<SimSocket>(*this);
  auto listener = world_.network().listen(address, *made, static_cast<std::size_t>(backlog), share);
  if (!listener) return std::unexpected(listener.error());
  made->listener = *listener;
  sockets_.emplace(next_fd_, std::move(made));
  return ring::Socket{next_fd_++};
}

Result<ring::Socket> SimRing::listen(const SocketAddress& address, const ring::ListenOptions& options) {
  return add_listener(address, options.backlog, options.share_port);
}

Result<ring::Socket> SimRing::listen_local(const std::string& path) {
  return add_listener(world_.network().local_name(path), 64, false);
}

Result<SocketAddress> SimRing::local_address(ring::Socket which) {
  const SimSocket* found = socket(which.fd);
  if (found == nullptr) return fail(EIO, "the simulated process is gone");
  if (found->datagrams) return found->datagrams->local;
  return found->listener ? found->listener->address() : found->end->local();
}

Result<SocketAddress> SimRing::peer_address(ring::Socket which) {
  const SimSocket* found = socket(which.fd);
  if (found == nullptr || !found->end) return fail(ENOTCONN, "peer address");
  return found->end->remote();
}

Result<ring::Socket> SimRing::socket_to(const SocketAddress& remote, const SocketAddress& source) {
  if (dead_ || !remote.known()) return fail(EAFNOSUPPORT, "socket");
  if (world_.network().lacks_socket()) return fail(EMFILE, "socket");
  auto made = std::make_unique<SimSocket>(*this);
  made->end = world_.network().make(source);
  made->end->attach(made.get());
  sockets_.emplace(next_fd_, std::move(made));
  return ring::Socket{next_fd_++};
}

Result<ring::Socket> SimRing::datagram_to(const SocketAddress& remote) {
  if (dead_ || !remote.known()) return fail(EAFNOSUPPORT, "socket");
  auto made = std::make_unique<SimSocket>(*this);
  SocketAddress local = SocketAddress::v4(10, 0, 0, 1, 0);
  if (remote.family == Family::v6) local = *SocketAddress::parse("[2001:db8::1]");
  made->datagrams.emplace();
  made->datagrams->remote = remote;
  made->datagrams->local = world_.network().bind(local, *made);
  sockets_.emplace(next_fd_, std::move(made));
  return ring::Socket{.fd = next_fd_++, .datagram = true};
}

void SimRing::shutdown_write(ring::Socket which) {
  if (SimSocket* found = socket(which.fd)) found->end->shutdown_write();
}

void SimRing::close(ring::Socket which) {
  SimSocket* found = socket(which.fd);
  if (found == nullptr) return;
  CHECK(!found->busy());
  found->let_go(world_.network());
  sockets_.erase(which.fd);
}

// ---- accept

void SimRing::accept(ring::Operation& operation, ring::Socket listener) {
  if (take(operation, Kind::accept, listener.fd) == nullptr) return;
  SimSocket& found = *socket(listener.fd);
  CHECK(found.listener && found.accept == SimSocket::kNone);
  found.accept = slot_of(operation);
}

void SimRing::begin_accept(std::uint32_t index, Slot& slot) {
  if (socket(slot.fd)->listener->waiting()) make_ready(index);
}

void SimRing::finish_accept(std::uint32_t index) {
  Slot& slot = slots_[index];
  while (!slot.cancelled && socket(slot.fd)->listener->waiting()) {
    auto made = std::make_unique<SimSocket>(*this);
    made->end = socket(slot.fd)->listener->take();
    made->end->attach(made.get());
    const int fd = next_fd_++;
    sockets_.emplace(fd, std::move(made));
    ++statistics_.completions;
    settle(*slot.operation, {.result = fd, .received = {}, .final = false});
  }
  if (slot.cancelled) settle_final(index, -ECANCELED);
}

// ---- connect

void SimRing::connect(ring::Operation& operation, ring::Socket which, const SocketAddress& remote) {
  Slot* slot = take(operation, Kind::connect, which.fd);
  if (slot == nullptr) return;
  slot->remote = remote;
  socket(which.fd)->connect = slot_of(operation);
}

void SimRing::begin_connect(std::uint32_t, Slot& slot) { world_.network().connect(*socket(slot.fd)->end, slot.remote); }

// ---- receive

void SimRing::receive(ring::Operation& operation, ring::Socket which) {
  if (take(operation, Kind::receive, which.fd) == nullptr) return;
  SimSocket& found = *socket(which.fd);
  CHECK((found.end || found.datagrams) && found.receive == SimSocket::kNone);
  found.receive = slot_of(operation);
}

void SimRing::begin_receive(std::uint32_t index, Slot& slot) {
  const SimSocket& from = *socket(slot.fd);
  if (from.datagrams) {
    if (!from.datagrams->arrived.empty() || from.datagrams->error != 0) make_ready(index);
    return;
  }
  const Endpoint& end = *from.end;
  if (!end.readable().empty() || end.at_end() || end.error() != 0) make_ready(index);
}

// In the provided buffer, whose octets are gone when the handler has returned.
void SimRing::hand_over(Slot& slot, View octets) {
  scratch_.assign(octets.begin(), octets.end());
  ++statistics_.completions;
  settle(*slot.operation,
         {.result = static_cast<int>(octets.size()), .received = {scratch_.data(), octets.size()}, .final = false});
  std::fill(scratch_.begin(), scratch_.end(), kTakenBack);
}

void SimRing::finish_receive(std::uint32_t index) {
  Slot& slot = slots_[index];
  if (socket(slot.fd)->datagrams) return finish_datagrams(index);
  Endpoint& end = *socket(slot.fd)->end;
  // What was on its way when the owner cancelled may still come.
  int receives = !slot.cancelled ? kReceivesPerTurn : world_.random().chance(1, 2) ? 1 : 0;
  while (receives-- > 0 && !end.readable().empty()) {
    std::size_t length = std::min<std::size_t>(end.readable().size(), kReceiveBufferSize);
    if (world_.random().chance(1, 16)) length = 1 + static_cast<std::size_t>(world_.random().below(length));
    const std::string part(end.readable().substr(0, length));
    end.consume(length);
    const bool was_cancelled = slot.cancelled;
    hand_over(slot, part);
    if (slot.cancelled && !was_cancelled) return;  // its own readiness is on the way
  }
  if (slot.cancelled) return settle_final(index, -ECANCELED);
  if (!end.readable().empty()) return make_ready(index);
  if (end.error() != 0) return settle_final(index, -end.error());
  if (end.at_end()) settle_final(index, 0);
}

void SimRing::finish_datagrams(std::uint32_t index) {
  Slot& slot = slots_[index];
  Datagrams& from = *socket(slot.fd)->datagrams;
  while (!slot.cancelled && !from.arrived.empty()) {
    const std::string one = std::move(from.arrived.front());
    from.arrived.pop_front();
    if (one.empty()) return settle_final(index, 0);
    hand_over(slot, View(one).substr(0, kReceiveBufferSize));
    if (slot.cancelled) return;  // its own readiness is on the way
  }
  if (slot.cancelled) return settle_final(index, -ECANCELED);
  if (from.error != 0) settle_final(index, -std::exchange(from.error, 0));
}

// ---- send

void SimRing::send(ring::Operation& operation, ring::Socket which, std::span<const iovec> pieces) {
  CHECK(pieces.size() <= ring::kSendPieces);
  Slot* slot = take(operation, Kind::send, which.fd);
  if (slot == nullptr) return;
  slot->pieces.assign(pieces.begin(), pieces.end());
  SimSocket& found = *socket(which.fd);
  CHECK((found.end || found.datagrams) && found.send == SimSocket::kNone);  // one send in flight per socket
  found.send = slot_of(operation);
}

void SimRing::begin_send(std::uint32_t index, Slot& slot) {
  slot.checksum = checksum(slot);
  if (const auto& datagrams = socket(slot.fd)->datagrams) {
    std::string octets;
    for (const iovec& part : slot.pieces) octets.append(static_cast<const char*>(part.iov_base), part.iov_len);
    slot.result = static_cast<int>(octets.size());
    world_.network().send_datagram(datagrams->local, datagrams->remote, std::move(octets));
    return after(world_.draw(Duration{0}, kSendMost), index, &SimRing::complete);
  }
  pump_send(index);
}

void SimRing::pump_send(std::uint32_t index) {
  Slot& slot = slots_[index];
  if (slot.done || !slot.begun) return;
  Endpoint& end = *socket(slot.fd)->end;
  if (slot.cancelled) return;
  if (!end.can_write()) return decide(index, end.error() != 0 ? -end.error() : -EPIPE);
  check_octets(slot, "a send");
  std::uint64_t before = 0;
  for (const iovec& piece : slot.pieces) {
    const std::uint64_t skip = slot.offset - before;
    before += piece.iov_len;
    if (slot.offset >= before) continue;
    const std::size_t left = piece.iov_len - static_cast<std::size_t>(skip);
    const std::size_t sent = end.write({static_cast<const char*>(piece.iov_base) + skip, left});
    slot.offset += sent;
    if (sent < left) return;  // the rest when there is room: on_writable()
  }
  slot.result = static_cast<int>(slot.offset);
  after(world_.draw(Duration{0}, kSendMost), index, &SimRing::complete);
}

void SimRing::complete(std::uint32_t index) {
  check_octets(slots_[index], "a send");
  decide(index, slots_[index].result);
}

}  // namespace ringpost::sim
