// One client's connection (connection.h).
#include "connection.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <utility>

#include "ringpost/base/check.h"

namespace ringpost::receive {

Connection::Connection(Around& around, std::shared_ptr<const config::Config> config, ring::Socket socket,
                       const Peer& peer)
    : around_(around),
      config_(std::move(config)),
      socket_(socket),
      client_(peer.client),
      session_(*config_, peer, around.host, name(), around.pools),
      backlog_(around.blocks),
      since_(around.ring.now()),
      content_since_(since_) {}

Ticket Connection::name() const {
  const std::uint32_t slot = around_.slots.index_of(*this);
  return {slot, around_.slots.generation_of(slot), 0};
}

void Connection::start() {
  begun_ = around_.ring.now();
  session_.on_wake(this, ring::call<&Connection::on_wake>);
  settle();
}

void Connection::committed(std::uint32_t sequence, const Result<void>& result) {
  if (result) ++messages_;
  session_.committed(sequence, result);
  settle();
}

void Connection::drain() {
  session_.drain();
  settle();
}

void Connection::abort() { close(); }

// ---- octets in

void Connection::on_receive(const ring::Completion& done) {
  const bool asked_for = cancelled_ && done.result == -ECANCELED;
  if (done.final) cancelled_ = false;
  if (!done.received.empty()) take(done.received);
  if (done.final && done.result == 0) end_ = true;
  // Broken; or cancelled by a loop that is about to end.
  if (done.final && done.result < 0 && !asked_for) close();
  settle();
}

void Connection::take(View octets) {
  switch (state_) {
    case State::open:
      return take_open(octets);
    case State::lingering:
      lingered_ += static_cast<std::uint32_t>(octets.size());
      if (lingered_ > kLingerOctets) close();
      return;
    case State::closing:
      return;
  }
}

// Straight to the session where possible. Behind an unfinished line only as much is copied as the line may need.
void Connection::take_open(View octets) {
  while (!octets.empty() && !backlog_.empty() && session_.wants_input()) {
    const std::size_t copied = backlog_.top_up(octets);
    if (copied == 0) break;
    octets.remove_prefix(copied);
    pump();
  }
  if (backlog_.empty() && session_.wants_input()) octets.remove_prefix(session_.feed(octets));
  if (!octets.empty()) keep(octets);
}

void Connection::keep(View octets) {
  if (session_.ended()) return;  // behind QUIT or a 421
  if (!backlog_.append(octets)) close();
}

void Connection::pump() {
  while (!backlog_.empty() && session_.wants_input()) {
    const std::size_t consumed = session_.feed(backlog_.front());
    backlog_.consume(consumed);
    if (consumed == 0 && !backlog_.join()) break;
  }
  if (session_.ended()) backlog_.clear();
}

bool Connection::wants_octets() const {
  if (end_) return false;
  switch (state_) {
    case State::open:
      return session_.ended() || session_.wants_input() || backlog_.size() < kBacklogBeforeCancel;
    case State::lingering:
      return true;
    case State::closing:
      return false;
  }
  return false;
}

void Connection::settle_receive() {
  if (wants_octets()) {
    if (!receive_.in_kernel()) around_.ring.receive(receive_, socket_);
  } else if (receive_.in_kernel() && !cancelled_) {
    cancelled_ = true;
    around_.ring.cancel(receive_);
  }
}

// ---- octets out: what was said in this turn leaves in one send, at its end

void Connection::on_turn_end() {
  if (state_ != State::closing) return send_output();
  if (receive_.in_kernel() || send_.in_kernel()) return;
  around_.ring.close(socket_);
  around_.gone(around_.owner, *this);
}

void Connection::send_output() {
  if (send_.in_kernel()) return;
  std::array<iovec, ring::kSendPieces> pieces;
  const std::size_t count = session_.output(pieces);
  if (count > 0) around_.ring.send(send_, socket_, {pieces.data(), count});
}

void Connection::on_send(const ring::Completion& done) {
  if (done.result < 0) {
    close();
  } else {
    session_.sent(static_cast<std::size_t>(done.result));
  }
  settle();
}

// ---- what follows from what happened

void Connection::settle() {
  if (state_ == State::open) settle_open();
  if (state_ == State::lingering && end_) close();
  settle_receive();
  settle_timer();
  if (state_ == State::closing || !send_.in_kernel()) around_.ring.defer(turn_end_);
}

void Connection::settle_open() {
  pump();
  note_progress();
  if (send_.in_kernel() || !session_.answered()) return;
  if (session_.ended()) return linger();
  // The client has closed its side (RFC 5321 does not know that, clients do): it got all its replies, and a session
  // that still wants input will not get any.
  if (end_ && session_.wants_input()) close();
}

void Connection::linger() {
  state_ = State::lingering;
  since_ = around_.ring.now();
  around_.ring.shutdown_write(socket_);
}

// From any state. The slot is given back when the kernel has given back both operations.
void Connection::close() {
  if (state_ == State::closing) return;
  state_ = State::closing;
  timer_.disarm();
  if (receive_.in_kernel() && !cancelled_) around_.ring.cancel(receive_);
  if (send_.in_kernel()) around_.ring.cancel(send_);
  cancelled_ = true;
  around_.ring.defer(turn_end_);
}

// ---- clocks

// RFC 5321 4.5.3.2.7. A command's clock runs from the last reply to the whole line, so that a line that comes in drips
// does not hold a session for ever.
void Connection::note_progress() {
  if (progress_ == session_.progress()) return;
  progress_ = session_.progress();
  since_ = around_.ring.now();
  if (content_ == session_.content()) return;
  content_ = session_.content();
  content_since_ = since_;
}

Instant Connection::due() const {
  if (state_ == State::lingering) return since_ + kLinger;
  const Duration patience = session_.patience();
  if (patience == Duration::max()) return around_.ring.now() + config_->receive.timeouts.command;
  if (session_.ended()) return since_ + kLastWords;
  const Instant silent = since_ + patience;
  return content_ == 0 ? silent : std::min(silent, content_since_ + config_->receive.timeouts.message);
}

// A timer that is due too early asks again when it fires: that is cheaper than moving it with each command.
void Connection::settle_timer() {
  if (state_ == State::closing) return;
  const Instant next = due();
  if (!timer_.armed() || next < timer_.due()) around_.ring.arm(timer_, next);
}

void Connection::on_timer() {
  if (around_.ring.now() < due()) return settle_timer();
  if (state_ == State::lingering || session_.ended()) return close();
  session_.timed_out();
  settle();
}

}  // namespace ringpost::receive
