// The public face of the client's session, its phases and its end. Connection and tests call it; it calls its Talk.
#include <utility>

#include "deliver/machine.h"

namespace ringpost::deliver {

ClientSession::Parts::Parts(View name, const config::Manners& m, const config::DeliverTimeouts& t, Talk& its)
    : hostname(name), manners(m), timeouts(t), talk(its) {}

ClientSession::ClientSession(View hostname, const config::Manners& manners, const config::DeliverTimeouts& timeouts,
                             Talk& talk)
    : parts_(std::make_unique<Parts>(hostname, manners, timeouts, talk)) {}

ClientSession::~ClientSession() { CHECK(parts_->count == 0); }

void ClientSession::feed(View input) {
  Parts& p = *parts_;
  while (!input.empty() && p.phase != Phase::ended) {
    const smtp::ReplyReader::Progress progress = p.reader.feed(input);
    input.remove_prefix(progress.consumed);
    if (progress.state == smtp::ReplyReader::State::nonsense) {
      p.end(End::nonsense, {4, 5, 0}, {"the peer's reply to ", p.awaited_name(), " was no SMTP"});
    } else if (progress.state == smtp::ReplyReader::State::complete) {
      ++p.progress;
      p.on_reply(p.reader.reply());
    }
  }
}

std::span<const iovec> ClientSession::output() {
  Parts& p = *parts_;
  CHECK(!p.output_pending);
  p.out.clear();
  p.write_all();
  p.output_pending = !p.out.empty();
  return p.out.pieces();
}

void ClientSession::sent(std::size_t octets) {
  Parts& p = *parts_;
  CHECK(p.output_pending && octets == p.out.octets());
  p.output_pending = false;
  ++p.progress;
  for (std::size_t i = 0; i < p.count; ++i) {
    Transaction& t = p.at(i);
    if (t.to_release > 0) t.job->content->release(t.to_release);
    t.to_release = 0;
    t.in_output = false;
  }
  p.retire_finished();
}

bool ClientSession::can_take_work() const { return parts_->may_begin(); }

void ClientSession::broken(View why) {
  Parts& p = *parts_;
  p.output_pending = false;
  p.end(End::broken, {4, 4, 2}, {why, " while waiting for ", p.awaited_name()});
  p.give_back();
}

void ClientSession::timed_out() {
  Parts& p = *parts_;
  if (idle()) return quit();
  if (p.phase == Phase::quitting) return p.end(End::quit, {}, {});
  p.end(End::timeout, {4, 4, 2}, {"timed out waiting for ", p.awaited_name()});
}

void ClientSession::quit() { parts_->quit_wanted = true; }

bool ClientSession::ended() const { return parts_->phase == Phase::ended; }

bool ClientSession::idle() const { return parts_->phase == Phase::ready && parts_->count == 0; }

bool ClientSession::usable() const { return parts_->phase == Phase::ready && !parts_->quit_wanted; }

Duration ClientSession::patience() const { return parts_->patience(); }

std::uint64_t ClientSession::progress() const { return parts_->progress; }

std::size_t ClientSession::in_flight() const { return parts_->count; }

std::size_t ClientSession::octets_each() { return sizeof(Parts); }

bool ClientSession::refused(message::Outcome& outcome) const {
  if (parts_->how != End::refused) return false;
  outcome = parts_->reason();
  return true;
}

// ---- time

Duration ClientSession::Parts::patience() const {
  switch (phase) {
    case Phase::banner:
      return timeouts.banner;
    case Phase::say_ehlo:
    case Phase::ehlo:
    case Phase::say_helo:
    case Phase::helo:
      return timeouts.helo;
    case Phase::quitting:
    case Phase::ended:
      return timeouts.quit;
    case Phase::ready:
      break;
  }
  if (count == 0) return timeouts.idle;
  const Transaction* const t = awaiting();
  if (t == nullptr) return timeouts.data_block;
  switch (t->awaited()) {
    case Step::rset:
    case Step::mail:
      return timeouts.mail;
    case Step::rcpt:
      return timeouts.rcpt;
    case Step::data:
      return timeouts.data_init;
    case Step::content:
      return t->content_complete ? timeouts.data_done : timeouts.data_block;
    case Step::over:
      break;
  }
  return timeouts.data_block;
}

// ---- work

std::size_t ClientSession::Parts::depth() const {
  if (!pipelining || !manners.overlap) return 1;
  return chunking ? kTransactionsInFlight : 2;  // with DATA: the one whose final reply is awaited, and the next
}

bool ClientSession::Parts::may_begin() const {
  if (phase != Phase::ready || quit_wanted || count >= depth()) return false;
  if (manners.messages_per_connection > 0 && begun >= manners.messages_per_connection) return false;
  if (count == 0) return true;
  return at(count - 1).step == Step::over && in_flight_octets - at(0).content_size < kInFlightOctets;
}

const Transaction* ClientSession::Parts::awaiting() const {
  for (std::size_t i = 0; i < count; ++i)
    if (at(i).owes_reply()) return &at(i);
  return nullptr;
}

View ClientSession::Parts::awaited_name() const {
  switch (phase) {
    case Phase::banner:
      return "the banner";
    case Phase::say_ehlo:
    case Phase::ehlo:
      return "EHLO";
    case Phase::say_helo:
    case Phase::helo:
      return "HELO";
    case Phase::quitting:
      return "QUIT";
    case Phase::ready:
    case Phase::ended:
      break;
  }
  const Transaction* const t = awaiting();
  switch (t == nullptr ? Step::over : t->awaited()) {
    case Step::rset:
      return "RSET";
    case Step::mail:
      return "MAIL FROM";
    case Step::rcpt:
      return "RCPT TO";
    case Step::data:
      return "DATA";
    case Step::content:
      return t->content_complete ? "the end of the content" : "a part of the content";
    case Step::over:
      break;
  }
  return count > 0 ? "the peer to take the content" : "nothing";
}

void ClientSession::Parts::settle(Transaction& t, std::size_t position, const message::Outcome& outcome) {
  CHECK(t.fates[position] != Transaction::Fate::settled);
  t.fates[position] = Transaction::Fate::settled;
  ++t.settled;
  message::Outcome told = outcome;
  // RFC 3461 5.2.1: the parameters went with the envelope wherever DSN is offered.
  told.dsn_passed_on = outcome.kind == message::Outcome::Kind::delivered && capabilities.dsn;
  talk.outcome(*t.job, t.job->recipients[position], told);
}

void ClientSession::Parts::settle_all(Transaction& t, const message::Outcome& outcome) {
  for (std::size_t i = 0; i < t.fates.size(); ++i)
    if (t.fates[i] != Transaction::Fate::settled) settle(t, i, outcome);
}

void ClientSession::Parts::settle_accepted(Transaction& t, const message::Outcome& outcome) {
  for (std::size_t i = 0; i < t.fates.size(); ++i)
    if (t.fates[i] == Transaction::Fate::accepted) settle(t, i, outcome);
}

void ClientSession::Parts::retire_finished() {
  while (count > 0 && at(0).finished() && !at(0).in_output && phase != Phase::ended) retire_front();
}

// The oldest transaction is over. Recipients that the peer had no room for go in a further one, as long as each round
// settles somebody.
void ClientSession::Parts::retire_front() {
  Transaction& t = at(0);
  in_flight_octets -= t.content_size;
  head = (head + 1) % ring.size();
  --count;
  completed += t.answered;
  if (t.all_settled()) return talk.done(*std::exchange(t.job, nullptr));
  CHECK(t.asked > 0);
  Transaction& again = at(count++);
  if (&again != &t) {
    std::swap(again.job, t.job);
    std::swap(again.fates, t.fates);
    again.settled = std::exchange(t.settled, 0);
  }
  again.begin_round();
  again.job->content->rewind();
  begin_content(again);
}

// ---- the end

message::Outcome ClientSession::Parts::reason() const {
  message::Outcome outcome = finding(reason_enhanced, View{reason_text.data(), reason_length});
  outcome.kind = message::Outcome::Kind::later;
  outcome.code = reason_code;
  return outcome;
}

// The first reason stays. Jobs are given back by broken(), when the kernel no longer reads what is theirs.
void ClientSession::Parts::end(End why, std::uint16_t code, smtp::EnhancedCode enhanced,
                               std::initializer_list<View> words) {
  if (phase == Phase::ended) return;
  for (const View word : words) {
    reason_length += word.copy(reason_text.data() + reason_length, reason_text.size() - reason_length);
  }
  // One that never came so far as to ask for work was of no use: the host refused, whatever it said before.
  how = reached || why == End::quit ? why : End::refused;
  reason_code = code;
  reason_enhanced = enhanced;
  phase = Phase::ended;
}

// Each job gets what it has not got, by how far it was:
//   - The connection had served others, and the peer left without an answer to this MAIL: it had closed before, as it
//     may at any time (RFC 5321 3.8), or has had enough. All go back untouched.
//   - The peer said 421: it has done nothing that stands behind that reply, so what was behind goes back.
//   - Else the oldest one that is open failed: later. So each connection that breaks has ended at least one attempt,
//     and no job comes back for ever.
//   - The others: later when all of their content was sent, for the peer may have taken them; else they go back.
void ClientSession::Parts::give_back() {
  const message::Outcome outcome = reason();
  bool blame = how != End::bye;
  const bool stale = how == End::broken && count > 0 && completed > 0 && at(0).unheard();
  while (count > 0) {
    Transaction& t = at(0);
    in_flight_octets -= t.content_size;
    head = (head + 1) % ring.size();
    --count;
    Job& job = *std::exchange(t.job, nullptr);
    if (t.all_settled()) {
      talk.done(job);
      continue;
    }
    const bool sent_whole = t.content_complete && how != End::bye;
    const bool back = t.settled == 0 && (stale || !t.began_writing || (!blame && !sent_whole));
    if (back) {
      talk.returned(job);
      continue;
    }
    blame = false;
    t.job = &job;
    settle_all(t, outcome);
    t.job = nullptr;
    talk.done(job);
  }
}

}  // namespace ringpost::deliver
