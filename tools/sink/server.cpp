// The sink's loop side; see server.h.
#include "server.h"

#include <sys/socket.h>
#include <unistd.h>

#include <utility>

namespace ringpost::sink {
namespace {

constexpr Duration kLastReplies = 100ms;  // for the replies to the last messages to leave
constexpr View kTooMany = "421 4.7.0 too many connections\r\n";

}  // namespace

// ---- connection

Connection::Connection(Server& server, ring::Socket socket)
    : server_(server), socket_(socket), session_(server.shared()), last_input_(server.ring().now()) {
  server_.ring().receive(receive_, socket_);
  server_.ring().arm(idle_, server_.limits().idle);
  session_.greet();
  after_input();
}

void Connection::on_receive(const ring::Completion& done) {
  if (!done.received.empty()) {
    last_input_ = server_.ring().now();
    if (server_.shared().ledger.on()) server_.shared().wall = server_.ring().wall();
    take(done.received);
  }
  if (!done.final) return;
  // A receive that was cancelled to hold a fast client back goes on; one that failed or ended does not.
  if (done.result == -ECANCELED && !ended_) {
    go_on_reading();
  } else {
    ended_ = true;
  }
  close_if_done();
}

void Connection::take(View octets) {
  if (ended_) return;
  if (held_.empty()) octets.remove_prefix(session_.feed(octets));
  if (!octets.empty()) held_ += octets;
  if (held_.size() > octets.size()) take_held();
  after_input();
}

void Connection::take_held() {
  if (const std::size_t taken = session_.feed(held_); taken > 0) held_.erase(0, taken);
}

void Connection::after_input() {
  ring::Ring& ring = server_.ring();
  if (session_.waits() > Duration{0} && !delay_.armed()) ring.arm(delay_, session_.waits());
  if (held_.size() > kHeldLimit || session_.stops_reading()) ring.cancel(receive_);
  want_flush();
}

void Connection::on_delay() {
  session_.resume();
  if (session_.waits() == Duration{0}) take_held();
  after_input();
  if (!receive_.in_kernel() && !ended_) go_on_reading();
}

void Connection::go_on_reading() {
  if (held_.size() <= kHeldLimit && !session_.stops_reading() && !session_.over())
    server_.ring().receive(receive_, socket_);
}

void Connection::want_flush() {
  if (!send_.in_kernel() && !drip_.armed()) server_.ring().defer(flush_);
}

// At the end of the turn: first the ledger, then the replies that say what it holds.
void Connection::flush() {
  server_.shared().ledger.flush();
  server_.look_at_end();
  if (send_.in_kernel()) return;
  if (sent_ == sending_.size()) {
    sending_.clear();
    sent_ = 0;
    sending_.swap(session_.output());
  }
  if (sent_ < sending_.size()) {
    const std::size_t size = server_.limits().drip > Duration{0} ? 1 : sending_.size() - sent_;
    const iovec piece{sending_.data() + sent_, size};
    server_.ring().send(send_, socket_, {&piece, 1});
    return;
  }
  if (session_.over()) return end();
  close_if_done();
}

void Connection::on_send(const ring::Completion& done) {
  if (done.result < 0) return end();
  sent_ += static_cast<std::size_t>(done.result);
  const bool more = sent_ < sending_.size() || !session_.output().empty();
  if (more && server_.limits().drip > Duration{0}) {
    server_.ring().arm(drip_, server_.limits().drip);
  } else if (more || session_.over()) {
    server_.ring().defer(flush_);
  }
  close_if_done();
}

void Connection::on_idle() {
  const Instant due = last_input_ + server_.limits().idle;
  if (due > server_.ring().now()) return server_.ring().arm(idle_, due);
  end();
}

void Connection::end() {
  ended_ = true;
  delay_.disarm();
  drip_.disarm();
  server_.ring().cancel(receive_);
  server_.ring().cancel(send_);
  close_if_done();
}

// A client that shut its side down still gets the replies that are due: they are few and the socket takes them.
void Connection::close_if_done() {
  if (!ended_ || receive_.in_kernel() || send_.in_kernel()) return;
  if (delay_.armed() || drip_.armed() || flush_.linked()) return;
  server_.ring().close(socket_);
  server_.gone(*this);
  delete this;
}

// ---- server

Server::~Server() {
  for (const auto& listener : listeners_) ring_.close(listener->socket);
}

Result<SocketAddress> Server::listen(const SocketAddress& address) {
  const auto socket = ring_.listen(address, {});
  if (!socket) return std::unexpected(socket.error());
  listeners_.push_back(std::make_unique<Listener>(*this, *socket));
  ring_.accept(listeners_.back()->accept, *socket);
  return ring_.local_address(*socket);
}

void Server::Listener::on_accept(const ring::Completion& done) {
  if (done.final) return server.stop_if_done();
  const ring::Socket accepted{done.result};
  if (done.result < 0) return;
  if (server.ending_ || server.open_ >= server.limits_.connections) {
    ++server.shared_.counts.refused_connections;
    // A new socket takes these few octets at once.
    [[maybe_unused]] const ssize_t ignored =
        ::send(accepted.fd, kTooMany.data(), kTooMany.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
    return server.ring_.close(accepted);
  }
  ++server.shared_.counts.connections;
  ++server.open_;
  server.connections_.push_back(*new Connection(server, accepted));
}

void Server::gone(Connection& connection) {
  connection.unlink();
  --open_;
  stop_if_done();
}

void Server::look_at_end() {
  if (limits_.messages > 0 && shared_.counts.messages >= limits_.messages && !end_.armed())
    ring_.arm(end_, kLastReplies);
}

void Server::end() {
  if (ending_) return;
  ending_ = true;
  for (const auto& listener : listeners_) ring_.cancel(listener->accept);
  Connection* next = nullptr;
  for (Connection* each = connections_.empty() ? nullptr : &connections_.front(); each != nullptr; each = next) {
    next = connections_.after(*each);
    each->end();
  }
  stop_if_done();
}

void Server::stop_if_done() {
  if (!ending_ || open_ > 0) return;
  for (const auto& listener : listeners_)
    if (listener->accept.in_kernel()) return;
  ring_.stop();
}

}  // namespace ringpost::sink
