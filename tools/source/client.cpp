// A connection of the source: its life and its replies; see client.h. What it says is in dialogue.cpp.
#include "client.h"

#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

namespace ringpost::source {
namespace {

constexpr Duration kReconnectPause = 100ms;

}  // namespace

Client::Client(Source& source, const ClientOptions& options)
    : source_(source), options_(options), dialogue_(options.dialogue), burst_(options.burst) {}

// ---- connection

void Client::open() {
  failed_ = false;
  const auto socket = source_.ring.socket_to(options_.target, options_.source);
  if (!socket) {
    source_.report.connection_failed(socket.error().message());
    failed_ = true;
    return go_on_after_close();
  }
  socket_ = *socket;
  phase_ = Phase::connecting;
  dialogue_ = options_.dialogue;
  offer_ = {};
  reader_.reset();
  taken_on_connection_ = 0;
  burst_ = options_.burst;
  need_reset_ = quit_said_ = flush_waits_ = false;
  last_progress_ = source_.ring.now();
  source_.ring.arm(timeout_, options_.timeout);
  source_.ring.connect(connect_, socket_, options_.target);
}

void Client::on_connect(const ring::Completion& done) {
  if (phase_ == Phase::closing) return close_if_done();
  if (done.result < 0) return lost(std::strerror(-done.result));
  source_.report.connection_opened();
  phase_ = Phase::talking;
  last_progress_ = source_.ring.now();
  await(Kind::banner);
  source_.ring.receive(receive_, socket_);
}

void Client::on_receive(const ring::Completion& done) {
  if (phase_ == Phase::talking && !done.received.empty()) take(done.received);
  if (!done.final) return;
  if (phase_ != Phase::talking) return close_if_done();
  // The peer may close without an answer to QUIT when all is said.
  const bool all_said = quit_said_ && std::ranges::none_of(messages_, [](const auto& each) { return each->in_use; });
  if (all_said) {
    phase_ = Phase::closing;
    return close_if_done();
  }
  lost(done.result == 0 ? "the peer closed the connection" : std::strerror(-done.result));
}

void Client::on_send(const ring::Completion& done) {
  if (phase_ != Phase::talking) return close_if_done();
  if (done.result < 0) return lost(std::strerror(-done.result));
  if (std::exchange(flush_waits_, false)) flush();
}

void Client::on_timeout() {
  const Instant due = last_progress_ + options_.timeout;
  if (due > source_.ring.now()) return source_.ring.arm(timeout_, due);
  lost("no reply in time");
}

void Client::abandon(View why) {
  pause_.disarm();
  lost(why);
}

// Whatever was on the way may have arrived or not: nobody told us, so it was not acknowledged.
void Client::lost(View why) {
  if (phase_ == Phase::closed || phase_ == Phase::closing) return;
  phase_ = Phase::closing;
  failed_ = true;
  source_.report.connection_failed(std::string(why));
  for (const auto& message : messages_) {
    if (message->in_use) broken(*message, why);
  }
  source_.ring.cancel(connect_);
  source_.ring.cancel(receive_);
  source_.ring.cancel(send_);
  close_if_done();
}

void Client::broken(Message& message, View why) {
  source_.report.ended({.result = Fate::broken,
                        .number = message.number,
                        .code = 0,
                        .text = why,
                        .by_data = message.by_data,
                        .content = &message.content,
                        .recipient_codes = &message.recipient_codes},
                       source_.ring.wall());
  source_.ring.defer(source_.write_ledger);
  source_.work.give_back(message.number, source_.ring.now());
  message.in_use = false;
}

void Client::close_if_done() {
  if (phase_ != Phase::closing || connect_.in_kernel() || receive_.in_kernel() || send_.in_kernel()) return;
  timeout_.disarm();
  rate_.disarm();
  awaited_.clear();
  next_awaited_ = 0;
  current_ = next_ = nullptr;
  text_.clear();
  parts_.clear();
  source_.ring.close(socket_);
  phase_ = Phase::closed;
  go_on_after_close();
}

void Client::go_on_after_close() {
  const bool more = source_.work.left(source_.ring.now()) && (!failed_ || options_.reconnect);
  if (more && failed_) {
    source_.ring.arm(pause_, kReconnectPause);
  } else if (more) {
    open();
  }
  source_.client_closed(source_.owner);
}

// ---- replies

void Client::take(View octets) {
  last_progress_ = source_.ring.now();
  while (!octets.empty() && phase_ == Phase::talking) {
    const auto progress = reader_.feed(octets);
    octets.remove_prefix(progress.consumed);
    if (progress.state == smtp::ReplyReader::State::nonsense) return lost("the peer does not speak SMTP");
    if (progress.state == smtp::ReplyReader::State::complete) replied(reader_.reply());
  }
}

void Client::replied(const smtp::Reply& reply) {
  const bool leaving = reply.code == 421;  // RFC 5321 3.8: the channel closes, whatever was asked
  if (leaving || next_awaited_ == awaited_.size())
    return lost(fmt::format("{}: {} {}", leaving ? "the peer leaves" : "a reply to nothing", reply.code, reply.text));
  const Awaited awaited = awaited_[next_awaited_++];
  replied_to(awaited, reply);
  if (phase_ != Phase::talking || next_awaited_ < awaited_.size()) return;
  awaited_.clear();
  next_awaited_ = 0;
  step();
}

void Client::replied_to(const Awaited& awaited, const smtp::Reply& reply) {
  Message* const message = awaited.message;
  switch (awaited.kind) {
    case Kind::banner:
    case Kind::ehlo:
    case Kind::helo:
      return replied_to_hello(awaited.kind, reply);
    case Kind::mail:
      message->mail_taken = reply.done();
      if (!reply.done()) refused(*message, reply);
      return;
    case Kind::rcpt:
      message->recipient_codes.push_back(reply.code);
      if (reply.done()) {
        ++message->recipients_taken;
      } else if (message->recipient_codes.size() == source_.plan.recipients() && message->recipients_taken == 0) {
        refused(*message, reply);
      }
      return;
    case Kind::data:
      message->go_ahead = reply.code == 354;
      if (!message->go_ahead) refused(*message, reply);
      return;
    case Kind::content:
      return conclude(*message, &reply);
    case Kind::reset:
      return;
    case Kind::quit:
      phase_ = Phase::closing;
      source_.ring.cancel(receive_);
      return close_if_done();
  }
}

void Client::replied_to_hello(Kind kind, const smtp::Reply& reply) {
  if (kind == Kind::ehlo && reply.never()) {  // RFC 5321 3.2: an old server
    say(fmt::format("HELO {}\r\n", options_.ehlo));
    await(Kind::helo);
    return flush();
  }
  if (!reply.done()) return lost(fmt::format("refused: {} {}", reply.code, reply.text));
  if (kind == Kind::banner) {
    say(fmt::format("EHLO {}\r\n", options_.ehlo));
    reader_.expect_capabilities(offer_);
    await(Kind::ehlo);
    return flush();
  }
  if (dialogue_ == Dialogue::bdat && !offer_.chunking) dialogue_ = Dialogue::pipelined;
  if (!offer_.pipelining) dialogue_ = Dialogue::lockstep;
}

void Client::refused(Message& message, const smtp::Reply& reply) {
  if (message.refusal != 0) return;
  message.refusal = reply.code;
  message.refusal_text = reply.text;
}

// The message has its answer: `last` is the reply to its content, or it was refused before.
void Client::conclude(Message& message, const smtp::Reply* last) {
  const bool accepted = last != nullptr && last->done() && message.recipients_taken > 0;
  if (last != nullptr && !accepted) refused(message, *last);
  // The end of data ends a transaction, whatever is said to it (RFC 5321 4.1.1.4).
  if (!accepted && message.mail_taken && (last == nullptr || !message.by_data)) need_reset_ = true;
  source_.report.ended({.result = accepted ? Fate::accepted : Fate::refused,
                        .number = message.number,
                        .code = accepted ? last->code : message.refusal,
                        .text = accepted ? last->text : View(message.refusal_text),
                        .latency = source_.ring.now() - message.begun,
                        .by_data = message.by_data,
                        .content = &message.content,
                        .recipient_codes = &message.recipient_codes},
                       source_.ledger.on() ? source_.ring.wall() : WallTime{});
  if (source_.ledger.on()) source_.ring.defer(source_.write_ledger);
  if (!accepted && message.refusal / 100 == 4) source_.work.give_back(message.number, source_.ring.now());
  if (&message == current_) current_ = std::exchange(next_, nullptr);
  if (!accepted) burst_ = 1;  // RFC 3030 4.2: RSET must follow before the next message of this connection
  message.in_use = false;
}

}  // namespace ringpost::source
