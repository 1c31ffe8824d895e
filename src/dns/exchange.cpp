#include "exchange.h"

#include <cstring>
#include <utility>

#include <fmt/format.h>

namespace ringpost::dns {
namespace {

constexpr std::size_t kLengthOctets = 2;  // before a message over TCP, RFC 1035 4.2.2

View words(int error) {
  const char* const text = strerrordesc_np(error);
  return text != nullptr ? text : "unknown error";
}

}  // namespace

void Exchange::begin(const SocketAddress& to, bool tcp, std::string wire, Duration patience) {
  RINGPOST_CHECK(free());
  tcp_ = tcp;
  patience_ = patience;
  begun_ = ring_.now();
  wire_ = std::move(wire);
  arrived_.clear();
  const auto made = tcp ? ring_.socket_to(to, {}) : ring_.datagram_to(to);
  if (!made) {
    why_ = made.error().message();
    phase_ = Phase::failed;
    return ring_.defer(turn_);
  }
  socket_ = *made;
  ring_.arm(timer_, patience);
  if (!tcp) {
    phase_ = Phase::asking;
    return send();
  }
  const auto size = static_cast<std::uint16_t>(wire_.size());
  wire_.insert(0, {static_cast<char>(size >> 8), static_cast<char>(size & 0xff)});
  phase_ = Phase::connecting;
  ring_.connect(connect_, socket_, to);
}

void Exchange::send() {
  piece_ = {wire_.data(), wire_.size()};
  ring_.send(send_, socket_, {&piece_, 1});
  ring_.receive(receive_, socket_);
}

void Exchange::cancel() {
  if (phase_ == Phase::free || phase_ == Phase::closing) return;
  close();
}

void Exchange::on_connect(const ring::Completion& done) {
  if (phase_ == Phase::closing) return close_if_quiet();
  if (done.result < 0) return fail(std::string(words(-done.result)));
  phase_ = Phase::talking;
  send();
}

void Exchange::on_send(const ring::Completion& done) {
  if (phase_ == Phase::closing) return close_if_quiet();
  if (done.result < 0) fail(std::string(words(-done.result)));
}

void Exchange::on_receive(const ring::Completion& done) {
  if (phase_ == Phase::closing) {
    if (done.final) close_if_quiet();
    return;
  }
  if (!done.received.empty()) {
    if (tcp_)
      take_stream(done.received);
    else
      take_datagram(done.received);
  }
  if (!done.final) return;
  if (phase_ == Phase::closing) return close_if_quiet();
  if (done.result < 0) return fail(std::string(words(-done.result)));
  if (tcp_) return fail("it closed the connection");
  ring_.receive(receive_, socket_);  // an empty datagram
}

void Exchange::take_datagram(View octets) {
  if (owner_.on_message(*this, octets)) close();
}

void Exchange::take_stream(View octets) {
  arrived_ += octets;
  if (arrived_.size() < kLengthOctets) return;
  const std::size_t length =
      std::size_t{static_cast<unsigned char>(arrived_[0])} << 8 | static_cast<unsigned char>(arrived_[1]);
  if (arrived_.size() < kLengthOctets + length) return;
  // One question was sent, so what is not its answer is nothing to wait behind.
  if (owner_.on_message(*this, View(arrived_).substr(kLengthOctets, length))) return close();
  fail("it answered something else over TCP");
}

void Exchange::on_timer() { fail(fmt::format("no answer within {} s", (patience_ + 500ms) / 1s), true); }

void Exchange::on_turn() {
  if (phase_ == Phase::failed) return fail(why_);
  if (phase_ != Phase::closing) return;
  if (socket_.open()) ring_.close(std::exchange(socket_, {}));
  phase_ = Phase::free;
  owner_.on_free(*this);
}

void Exchange::fail(std::string why, bool timed_out) {
  if (phase_ == Phase::closing) return;
  close();
  owner_.on_failure(*this, std::move(why), timed_out);
}

void Exchange::close() {
  phase_ = Phase::closing;
  timer_.disarm();
  for (ring::Operation* operation : {&connect_, &send_, &receive_})
    if (operation->in_kernel()) ring_.cancel(*operation);
  close_if_quiet();
}

// Freed in a turn of its own: its owner may be on the way down the stack.
void Exchange::close_if_quiet() {
  if (!in_kernel()) ring_.defer(turn_);
}

}  // namespace ringpost::dns
