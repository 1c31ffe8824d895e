// What the peer says, one reply at a time: first by the session's phase, then by the command of the transaction that it
// answers. RFC 5321 4.2.1: the first digit decides; verdict.cpp knows the exceptions.
#include <algorithm>

#include "deliver/machine.h"

namespace ringpost::deliver {
namespace {

constexpr std::uint16_t kBye = 421;  // RFC 5321 3.8: at any time, as the answer to anything or to nothing
constexpr std::uint16_t kUnknownCommand = 500;
constexpr std::uint16_t kNotImplemented = 502;
constexpr std::uint16_t kOutOfOrder = 503;
constexpr smtp::EnhancedCode kBroken{4, 5, 0};

using Fate = Transaction::Fate;

struct CodeText {
  explicit CodeText(std::uint16_t code)
      : digits{static_cast<char>('0' + code / 100 % 10), static_cast<char>('0' + code / 10 % 10),
               static_cast<char>('0' + code % 10)} {}
  [[nodiscard]] View view() const { return {digits, 3}; }
  char digits[3];
};

}  // namespace

void ClientSession::Parts::on_reply(const smtp::Reply& reply) {
  if (reply.code == kBye) return on_bye(reply);
  switch (phase) {
    case Phase::banner:
      return on_banner(reply);
    case Phase::ehlo:
      return on_ehlo(reply);
    case Phase::helo:
      return on_helo(reply);
    case Phase::ready:
      return on_transaction_reply(reply);
    case Phase::quitting:
      return end(End::quit, {}, {});
    case Phase::say_ehlo:
    case Phase::say_helo:
      return on_unasked(reply);
    case Phase::ended:
      return;
  }
}

// ---- the greeting

void ClientSession::Parts::on_banner(const smtp::Reply& reply) {
  if (!reply.done()) return refuse(reply);
  phase = Phase::say_ehlo;
}

void ClientSession::Parts::on_ehlo(const smtp::Reply& reply) {
  if (reply.done()) return greeted();
  // RFC 5321 3.2: a server that does not know EHLO says 5xx; a 4xx is about now, and HELO would not help.
  if (!reply.never()) return refuse(reply);
  capabilities = {};
  phase = Phase::say_helo;
}

void ClientSession::Parts::on_helo(const smtp::Reply& reply) {
  if (!reply.done()) return refuse(reply);
  capabilities = {};
  greeted();
}

void ClientSession::Parts::greeted() {
  phase = Phase::ready;
  pipelining = capabilities.pipelining && manners.pipelining;
  chunking = capabilities.chunking && manners.chunking;
}

void ClientSession::Parts::refuse(const smtp::Reply& reply) {
  const message::Outcome outcome = host_refusal(reply);
  end(End::refused, outcome.code, outcome.enhanced, {outcome.text});
}

// ---- replies that end the session

void ClientSession::Parts::on_bye(const smtp::Reply& reply) {
  if (phase == Phase::ready && count > 0) {
    Transaction* blamed = awaiting();
    if (blamed == nullptr) blamed = writing();
    // Said to MAIL after other messages, it is about this connection (its age, its count), not about the message.
    const bool stale = blamed != nullptr && completed > 0 && blamed->unheard();
    if (blamed != nullptr && blamed->began_writing && !stale) settle_all(*blamed, refusal(reply));
  }
  const smtp::EnhancedCode enhanced = refusal(reply).enhanced;
  end(End::bye, reply.code, enhanced, {reply.text});
}

void ClientSession::Parts::unexpected(const smtp::Reply& reply, View command) {
  end(End::nonsense, reply.code, kBroken,
      {"unexpected reply to ", command, ": ", CodeText{reply.code}.view(), " ", reply.text});
}

// Nothing was asked, unless it is a refusal of the content that is just being sent: each command before it was
// answered, so it can mean nothing else. The content cannot be ended then, so the connection is.
void ClientSession::Parts::on_unasked(const smtp::Reply& reply) {
  Transaction* const t = writing();
  if (t != nullptr && t->inside_content() && (reply.later() || reply.never())) {
    settle_accepted(*t, refusal(reply));
    return end(End::bye, reply.code, refusal(reply).enhanced, {reply.text});
  }
  end(End::nonsense, reply.code, kBroken, {"a reply nobody asked for: ", CodeText{reply.code}.view(), " ", reply.text});
}

// ---- transactions

void ClientSession::Parts::on_transaction_reply(const smtp::Reply& reply) {
  Transaction* const t = awaiting();
  if (t == nullptr) return on_unasked(reply);
  const Step awaited = t->awaited();
  t->answered = true;
  switch (awaited) {
    case Step::rset:
      t->rset_owed = false;  // whatever it says: MAIL will tell
      if (reply.go_on()) unexpected(reply, "RSET");
      break;
    case Step::mail:
      on_mail(*t, reply);
      break;
    case Step::rcpt:
      on_rcpt(*t, reply);
      break;
    case Step::data:
      on_data(*t, reply);
      break;
    case Step::content:
      on_content(*t, reply);
      break;
    case Step::over:
      break;
  }
  retire_finished();
  end_failed_content();
}

void ClientSession::Parts::on_mail(Transaction& t, const smtp::Reply& reply) {
  t.mail_owed = false;
  if (reply.done()) {
    t.mail_accepted = true;
    return;
  }
  if (reply.go_on()) return unexpected(reply, "MAIL FROM");
  t.envelope_refused = true;
  // "Bad sequence" after other transactions speaks of this dialogue, not of the message.
  if (reply.code == kOutOfOrder && begun > 1) return unexpected(reply, "MAIL FROM");
  settle_all(t, refusal(reply));
}

void ClientSession::Parts::on_rcpt(Transaction& t, const smtp::Reply& reply) {
  --t.rcpts_owed;
  if (t.rcpts_owed == 0) talk.envelope_answered(*t.job);
  if (t.envelope_refused) return;
  while (t.fates[t.next_answered] != Fate::asked) ++t.next_answered;
  const std::size_t position = t.next_answered++;
  if (reply.done()) {
    t.fates[position] = Fate::accepted;
    ++t.accepted;
  } else if (reply.go_on()) {
    unexpected(reply, "RCPT TO");
  } else if (t.accepted > 0 && too_many_recipients(reply)) {
    // RFC 5321 4.5.3.1.10: the ones that had no room go in a transaction of their own.
    t.fates[position] = Fate::open;
    recipients_limit = std::min(recipients_limit, t.accepted);
  } else {
    settle(t, position, recipient_refusal(reply));
  }
}

void ClientSession::Parts::on_data(Transaction& t, const smtp::Reply& reply) {
  t.data_owed = false;
  if (reply.go_on()) {
    t.go_ahead = true;
    return;
  }
  if (reply.done()) return unexpected(reply, "DATA");
  settle_accepted(t, refusal(reply));
  t.envelope_refused = true;
  stop_writing(t);
}

void ClientSession::Parts::on_content(Transaction& t, const smtp::Reply& reply) {
  --t.contents_owed;
  if (reply.go_on()) return unexpected(reply, "the content");
  // Something between us and the peer (a filter, a proxy) offered what it does not know. The message is not refused by
  // this. The chunk's octets are taken for commands there, so the connection ends, as after a 421; what was in flight
  // goes back and by DATA, once, for no later connection to this destination is told of CHUNKING.
  if (chunking && (reply.code == kUnknownCommand || reply.code == kNotImplemented)) {
    talk.bdat_unknown();
    return end(End::bye, reply.code, kBroken, {"CHUNKING is offered, but BDAT is unknown: ", reply.text});
  }
  const bool last = t.content_complete && t.contents_owed == 0;
  if (!reply.done()) {
    settle_accepted(t, refusal(reply));
    t.content_refused = true;
    // RFC 3030 2: what a refused chunk leaves of the transaction is not certain.
    if (chunking) peer_has_transaction = true;
    return;
  }
  if (chunking && t.chunk_left > 0 && t.contents_owed == 0) return unexpected(reply, "a chunk not yet sent");
  if (last && !t.content_refused) settle_accepted(t, taken(reply));
}

}  // namespace ringpost::deliver
