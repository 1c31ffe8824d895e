// What we say: the greeting, and of each transaction as much as may be said now. One step is one command or a run of
// content; it waits for a reply where the dialogue asks for it, for the source, or for the next send.
#include <algorithm>

#include "deliver/machine.h"

namespace ringpost::deliver {
namespace {

constexpr View kLoneDot = ".\r\n";
using Fate = Transaction::Fate;

bool has_utf8(View text) {
  return std::any_of(text.begin(), text.end(), [](char c) { return static_cast<unsigned char>(c) > 127; });
}

}  // namespace

void ClientSession::Parts::write_all() {
  switch (phase) {
    case Phase::say_ehlo:
    case Phase::say_helo: {
      const bool extended = phase == Phase::say_ehlo;
      out.put(extended ? "EHLO " : "HELO ");
      out.put(hostname);
      out.put("\r\n");
      if (extended) reader.expect_capabilities(capabilities);
      phase = extended ? Phase::ehlo : Phase::helo;
      return;
    }
    case Phase::ready:
      return write_transactions();
    case Phase::banner:
    case Phase::ehlo:
    case Phase::helo:
    case Phase::quitting:
    case Phase::ended:
      return;
  }
}

void ClientSession::Parts::write_transactions() {
  if (!reached) {
    reached = true;
    talk.reached();
  }
  const std::uint64_t begun_before = begun;
  while (phase == Phase::ready && !content_failed) {
    Transaction* t = writing();
    if (t == nullptr) {
      retire_finished();  // one that ended without a word makes room, and may leave a further round
      if (writing() != nullptr) continue;
      if (!may_begin()) break;
      if (begun - begun_before >= kUnfitPerOutput) {
        talk.ready();
        break;
      }
      t = begin_next();
      if (t == nullptr) break;
    } else if (!write_step(*t)) {
      break;
    }
  }
  end_failed_content();
  retire_finished();
  const bool enough = manners.messages_per_connection > 0 && begun >= manners.messages_per_connection;
  if (phase != Phase::ready || count > 0 || !(quit_wanted || enough)) return;
  out.put("QUIT\r\n");  // RFC 2920 3.1: only as the last of a group; here nothing else is in flight
  phase = Phase::quitting;
}

Transaction* ClientSession::Parts::writing() {
  // Transactions are written one after the other, and a further round of one is put behind the others.
  for (std::size_t i = 0; i < count; ++i)
    if (at(i).step != Step::over) return &at(i);
  return nullptr;
}

// ---- beginning

// Takes the next job. Null: there is none, or the dialogue is broken. One that is unfit for the peer is over at once.
Transaction* ClientSession::Parts::begin_next() {
  if (count == 0 && !reader.idle()) {
    end(End::nonsense, {4, 5, 0}, {"a reply nobody asked for"});
    return nullptr;
  }
  Job* const job = talk.next();
  if (job == nullptr) return nullptr;
  CHECK(!job->recipients.empty() && job->content != nullptr);
  Transaction& t = at(count++);
  t.begin(*job);
  ++begun;
  job->content->on_ready(&talk, [](void* its) { static_cast<Talk*>(its)->ready(); });
  begin_content(t);
  refuse_unfit(t);
  if (t.all_settled()) t.step = Step::over;
  return &t;
}

// A round of a job begins, its content at the first octet. RSET goes before it where the peer may still be inside the
// transaction before: one that ended without its content, or one in the same burst of which nobody knows yet (were all
// of its recipients refused, some servers would take this one's recipients into it).
void ClientSession::Parts::begin_content(Transaction& t) {
  t.content_size = t.content_left = t.job->content->size();
  in_flight_octets += t.content_size;
  t.stuffer.reset(t.job->facts->dot_lines > 0);
  t.step = peer_has_transaction || (chunking && count > 1) ? Step::rset : Step::mail;
}

// Says no for the peer where what it offers says so already; the codes are those that its extensions name.
// A content with eight-bit octets goes as it is to a peer without 8BITMIME: to convert it would break its octets and
// signatures, and to refuse it (RFC 6152 3) would lose mail that the servers of the field take.
void ClientSession::Parts::refuse_unfit(Transaction& t) {
  using message::Outcome;
  // RFC 1870 6.1: a message larger than the limit need not be tried.
  if (capabilities.size && capabilities.size_limit > 0 && t.content_size > capabilities.size_limit)
    return settle_all(t, {Outcome::Kind::never, 552, {5, 3, 4}, "message is larger than the host takes", true});
  const message::Envelope& envelope = *t.job->envelope;
  if (!envelope.smtputf8 || capabilities.smtputf8) return;
  // RFC 6531 3.2: what needs SMTPUTF8 must not go where it is not offered.
  if (has_utf8(envelope.reverse_path()))
    return settle_all(t, {Outcome::Kind::never, 553, {5, 6, 7}, "host does not offer SMTPUTF8: sender address", true});
  if (t.job->facts->eight_bit_header)
    return settle_all(t, {Outcome::Kind::never, 550, {5, 6, 9}, "host does not offer SMTPUTF8: header section", true});
  for (std::size_t i = 0; i < t.fates.size(); ++i)
    if (has_utf8(envelope.recipient(t.job->recipients[i]).forward_path))
      settle(t, i, {Outcome::Kind::never, 553, {5, 6, 7}, "host does not offer SMTPUTF8: recipient address", true});
}

// ---- the envelope

// False: nothing more can be said now.
bool ClientSession::Parts::write_step(Transaction& t) {
  if (!pipelining && t.owes_reply()) return false;
  switch (t.step) {
    case Step::rset:
      return write_rset(t);
    case Step::mail:
      return write_mail(t);
    case Step::rcpt:
      return write_recipients(t);
    case Step::data:
      return write_data(t);
    case Step::content:
      return write_content(t);
    case Step::over:
      break;
  }
  return false;
}

bool ClientSession::Parts::write_rset(Transaction& t) {
  if (!out.fits_command()) return false;
  out.put("RSET\r\n");
  t.rset_owed = t.began_writing = true;
  peer_has_transaction = false;
  t.step = Step::mail;
  return true;
}

bool ClientSession::Parts::write_mail(Transaction& t) {
  if (!out.fits_command()) return false;
  const message::Envelope& envelope = *t.job->envelope;
  out.put("MAIL FROM:<");
  out.put(envelope.reverse_path());
  out.put(">");
  if (capabilities.size) {  // RFC 1870 6
    out.put(" SIZE=");
    out.put_number(t.content_size);
  }
  const bool eight_bit = t.job->facts->eight_bit || envelope.body == smtp::BodyType::eight_bit_mime;
  if (eight_bit && capabilities.eight_bit_mime) out.put(" BODY=8BITMIME");  // RFC 6152 2
  if (envelope.smtputf8 && capabilities.smtputf8) out.put(" SMTPUTF8");     // RFC 6531 3.4
  if (capabilities.dsn) {                                                   // RFC 3461 5.2.1
    if (envelope.ret == smtp::DsnReturn::full) out.put(" RET=FULL");
    if (envelope.ret == smtp::DsnReturn::headers) out.put(" RET=HDRS");
    if (!envelope.envid().empty()) {
      out.put(" ENVID=");
      out.put(envelope.envid());
    }
  }
  out.put("\r\n");
  t.mail_owed = t.began_writing = true;
  t.step = Step::rcpt;
  return true;
}

bool ClientSession::Parts::write_recipients(Transaction& t) {
  if (t.envelope_refused) {
    stop_writing(t);
    return true;
  }
  while (t.next_asked < t.fates.size() && t.asked < recipients_limit) {
    if (t.fates[t.next_asked] != Fate::open) {
      ++t.next_asked;
      continue;
    }
    if (!out.fits_command() || (!pipelining && t.owes_reply())) return false;
    write_recipient(t, t.next_asked++);
  }
  t.step = chunking ? Step::content : Step::data;
  return true;
}

void ClientSession::Parts::write_recipient(Transaction& t, std::size_t position) {
  const message::Recipient recipient = t.job->envelope->recipient(t.job->recipients[position]);
  out.put("RCPT TO:<");
  out.put(recipient.forward_path);
  out.put(">");
  if (capabilities.dsn) {  // RFC 3461 5.2.1
    if (recipient.notify != 0) {
      out.put(" NOTIFY=");
      if ((recipient.notify & smtp::kNotifyNever) != 0) {
        out.put("NEVER");
      } else {
        View comma;
        const auto add = [&](smtp::Notify bit, View word) {
          if ((recipient.notify & bit) == 0) return;
          out.put(comma);
          out.put(word);
          comma = ",";
        };
        add(smtp::kNotifySuccess, "SUCCESS");
        add(smtp::kNotifyFailure, "FAILURE");
        add(smtp::kNotifyDelay, "DELAY");
      }
    }
    if (!recipient.orcpt.empty()) {
      out.put(" ORCPT=");
      out.put(recipient.orcpt);
    }
  }
  out.put("\r\n");
  t.fates[position] = Fate::asked;
  ++t.asked;
  ++t.rcpts_owed;
}

// ---- the content

bool ClientSession::Parts::write_data(Transaction& t) {
  if (t.pointless()) {
    stop_writing(t);
    return true;
  }
  if (!out.fits_command()) return false;
  out.put("DATA\r\n");
  t.data_owed = true;
  t.step = Step::content;
  return true;
}

bool ClientSession::Parts::write_content(Transaction& t) {
  if (chunking) return write_chunks(t);
  if (!t.go_ahead) return false;
  // RFC 2920 3.1: DATA was let through although nobody is left to send to: a lone dot, and no content.
  if (t.accepted == 0) {
    if (!out.fits_segment()) return false;
    out.add(kLoneDot);
  } else if (!write_stuffed(t)) {
    return false;
  }
  t.content_complete = true;
  t.contents_owed = 1;
  peer_has_transaction = false;  // RFC 5321 4.1.1.4: the end of the content clears the buffers, whatever the reply
  t.step = Step::over;
  return true;
}

// RFC 5321 4.5.2. True when the content and its end are out.
bool ClientSession::Parts::write_stuffed(Transaction& t) {
  while (out.fits_segment()) {
    if (t.piece.empty()) {
      if (t.content_left == 0) {
        out.add(t.stuffer.end());
        return true;
      }
      if (!pull(t)) return false;
    }
    out.add(t.stuffer.next(t.piece));
    t.in_output = true;
    if (t.piece.empty()) t.to_release += t.piece_size;
  }
  return false;
}

// RFC 3030 2: the octets as they are, behind their number.
bool ClientSession::Parts::write_chunks(Transaction& t) {
  for (;;) {
    if (t.chunk_left == 0 && !announce_chunk(t)) return t.step == Step::over;
    while (t.chunk_left > 0) {
      if (!out.fits_segment() || (t.piece.empty() && !pull(t))) return false;
      const View segment =
          t.piece.substr(0, static_cast<std::size_t>(std::min<std::uint64_t>(t.piece.size(), t.chunk_left)));
      out.add(segment);
      t.in_output = true;
      t.piece.remove_prefix(segment.size());
      t.chunk_left -= segment.size();
      if (t.piece.empty()) t.to_release += t.piece_size;
    }
    if (t.content_complete = t.content_left == 0 && t.piece.empty(); t.content_complete) {
      t.step = Step::over;
      return true;
    }
  }
}

// True when a chunk was announced; false when it must wait, or when there is no more to say (step over).
bool ClientSession::Parts::announce_chunk(Transaction& t) {
  if (!pipelining && t.owes_reply()) return false;
  if (t.pointless() || t.content_refused) {
    stop_writing(t);
    return false;
  }
  if (!out.fits_command()) return false;
  const std::uint64_t left = t.content_left + t.piece.size();
  t.chunk_left = std::min(left, kChunkOctets);
  out.put("BDAT ");
  out.put_number(t.chunk_left);
  out.put(t.chunk_left == left ? " LAST\r\n" : "\r\n");
  ++t.contents_owed;
  return true;
}

// Takes the next piece of the source. False: not there yet, or it failed and the session is over.
bool ClientSession::Parts::pull(Transaction& t) {
  using State = message::BodySource::Pull::State;
  const message::BodySource::Pull pulled = t.job->content->next();
  if (pulled.state == State::wait) return false;
  if (pulled.state != State::ready || pulled.piece.size() > t.content_left) {
    content_failed = true;
    return false;
  }
  t.piece = pulled.piece;
  t.piece_size = pulled.piece.size();
  t.content_left -= pulled.piece.size();
  return true;
}

// A content that broke off must not look whole to the peer: the connection is broken instead, once the transactions
// before it have their replies.
void ClientSession::Parts::end_failed_content() {
  if (content_failed && writing() == &at(0)) end(End::content, {4, 3, 0}, {"the content could not be read"});
}

// The rest of the transaction is not said.
void ClientSession::Parts::stop_writing(Transaction& t) {
  t.step = Step::over;
  if (t.mail_accepted) peer_has_transaction = true;
}

}  // namespace ringpost::deliver
