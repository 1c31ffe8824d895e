// The sender's dialogues: lockstep, pipelined (RFC 2920), the next envelope behind the body (RFC 2920 3.1), and BDAT
// (RFC 3030).
#include "client.h"

#include <algorithm>
#include <utility>

namespace ringpost::sim {
namespace {

constexpr std::uint64_t kMillion = 1'000'000;
constexpr std::size_t kMessagesMost = 6;  // on one connection
constexpr std::uint64_t kStepsMost = 40;

}  // namespace

Client::Client(World& world, Ledger& ledger, const ClientHabits& habits, const SocketAddress& relay, std::uint64_t seed)
    : world_(world), ledger_(ledger), habits_(habits), relay_(relay), random_(seed) {}

void Client::start() {
  if (waiting_.empty()) return;
  const auto pause = random_.below(static_cast<std::uint64_t>(habits_.pause_most.count()));
  world_.schedule().after(Duration{static_cast<std::int64_t>(pause)}, [this] { connect(); });
}

void Client::connect() {
  dialogue_ = static_cast<Dialogue>(random_.below(4));
  const std::size_t count = 1 + static_cast<std::size_t>(random_.below(kMessagesMost));
  while (in_hand_.size() < count && !waiting_.empty()) {
    in_hand_.push_back({waiting_.front(), {}, 0, false});
    waiting_.pop_front();
  }
  steps_left_ = random_.chance(habits_.break_off, kMillion) ? static_cast<std::int64_t>(random_.below(kStepsMost)) : -1;
  silent_ = false;
  lines_ = {};
  outbox_.clear();
  plan();
  end_ = world_.network().make(SocketAddress::v4(10, 1, 0, 1, 0));
  end_->attach(this);
  world_.network().connect(*end_, relay_);
  watch();
}

// ---- what to say

void Client::plan() {
  steps_.clear();
  expected_.clear();
  expected_.push_back({Kind::greeting, 0, 0, ""});
  steps_.push_back({Kind::hello, 0, 0, "EHLO client.test\r\n"});
  for (std::size_t i = 0; i < in_hand_.size(); ++i) plan_message(i);
  steps_.push_back({Kind::quit, 0, 0, "QUIT\r\n"});
}

void Client::plan_message(std::size_t transaction) {
  const MessageRecord& message = *in_hand_[transaction].message;
  std::string parameters = message.eight_bit ? " BODY=8BITMIME" : "";
  if (message.ret_full) parameters += " RET=FULL";
  steps_.push_back({Kind::mail, transaction, 0, "MAIL FROM:<" + message.reverse_path + ">" + parameters + "\r\n"});
  for (std::size_t i = 0; i < message.recipients.size(); ++i)
    steps_.push_back({Kind::rcpt, transaction, i, "RCPT TO:<" + message.recipients[i].path + ">\r\n"});
  if (dialogue_ == Dialogue::chunked) return plan_chunks(transaction);
  steps_.push_back({Kind::data, transaction, 0, "DATA\r\n"});
  steps_.push_back({Kind::body, transaction, 0, stuffed(message.content)});
}

void Client::plan_chunks(std::size_t transaction) {
  View rest = in_hand_[transaction].message->content;
  while (random_.chance(1, 2) && rest.size() > 1) {
    const std::size_t size = 1 + static_cast<std::size_t>(random_.below(rest.size() - 1));
    steps_.push_back(
        {Kind::chunk, transaction, 0, "BDAT " + std::to_string(size) + "\r\n" + std::string(rest.substr(0, size))});
    rest.remove_prefix(size);
  }
  steps_.push_back(
      {Kind::last_chunk, transaction, 0, "BDAT " + std::to_string(rest.size()) + " LAST\r\n" + std::string(rest)});
}

// The transaction is refused before its content was sent: what was planned of it is not said; RSET clears the rest.
void Client::skip(std::size_t transaction) {
  std::erase_if(steps_, [&](const Step& step) {
    return step.transaction == transaction && step.kind != Kind::hello && step.kind != Kind::quit;
  });
  steps_.push_front({Kind::reset, transaction, 0, "RSET\r\n"});
}

bool Client::may_send(const Step& step) const {
  if (expected_.empty()) return true;
  if (dialogue_ == Dialogue::lockstep) return false;
  // RFC 2920 3.1: the greeting, EHLO and DATA are answered before anything follows them.
  const Kind last = expected_.back().kind;
  if (last == Kind::greeting || last == Kind::hello || last == Kind::data || last == Kind::quit) return false;
  if (step.kind == Kind::mail && last == Kind::body) return dialogue_ == Dialogue::overlapped;
  return true;
}

void Client::pump() {
  while (end_ && !silent_ && !steps_.empty() && may_send(steps_.front())) {
    Step step = std::move(steps_.front());
    steps_.pop_front();
    if (breaks_off()) return;
    const std::string octets = std::exchange(step.octets, {});
    if (step.kind == Kind::body || step.kind == Kind::last_chunk) offer(in_hand_[step.transaction]);
    expected_.push_back(std::move(step));
    put(octets);
  }
}

void Client::put(const std::string& octets) {
  outbox_ += octets;
  on_writable();
}

void Client::on_writable() {
  if (end_) outbox_.erase(0, end_->write(outbox_));
}

// The whole content may have reached the relay from now on.
void Client::offer(Transaction& transaction) {
  // Recipients whose reply is still out count too: they may be taken.
  std::vector<std::size_t> places = transaction.taken;
  for (const Step& due : expected_)
    if (due.kind == Kind::rcpt && &in_hand_[due.transaction] == &transaction) places.push_back(due.recipient);
  ledger_.offered(*transaction.message, places);
  transaction.taken = std::move(places);
}

// ---- what was said

void Client::on_readable() {
  watch();
  lines_.add(end_->readable());
  end_->consume(end_->readable().size());
  while (const auto line = lines_.next()) {
    if (line->size() > 3 && (*line)[3] == '-') continue;
    if (expected_.empty()) break;  // a 421 of its own accord, before the end
    on_reply(std::atoi(line->c_str()), *line);
    if (!end_) return;
  }
  if (end_->error() != 0 || end_->at_end()) return end();
  pump();
}

void Client::on_reply(int code, const std::string& text) {
  const Step step = std::move(expected_.front());
  expected_.pop_front();
  if (breaks_off()) return;
  if (code == 421) return end();
  Transaction* transaction = step.transaction < in_hand_.size() ? &in_hand_[step.transaction] : nullptr;
  switch (step.kind) {
    case Kind::greeting:
    case Kind::hello:
      if (code >= 300) end();
      return;
    case Kind::mail:
    case Kind::rcpt:
    case Kind::data: {
      const bool good = step.kind == Kind::data ? code == 354 : code == 250;
      if (!good && transaction->first_refusal == 0) transaction->first_refusal = code;
      auto& taken = transaction->taken;
      if (step.kind == Kind::rcpt) {
        if (good) {
          if (std::find(taken.begin(), taken.end(), step.recipient) == taken.end()) taken.push_back(step.recipient);
        } else {
          // One that was offered before its reply was seen was not part of it.
          if (std::erase(taken, step.recipient) > 0) ledger_.withdrawn(*transaction->message, step.recipient);
        }
      }
      if (step.kind == Kind::data && !good) skip(step.transaction);
      if (step.kind == Kind::mail && !good && dialogue_ == Dialogue::lockstep) skip(step.transaction);
      return;
    }
    case Kind::chunk:
      if (code != 250 && transaction->first_refusal == 0) transaction->first_refusal = code;
      return;
    case Kind::body:
    case Kind::last_chunk:
      return on_final(*transaction, code, text);
    case Kind::reset:
      return;
    case Kind::quit:
      return end();
  }
}

void Client::on_final(Transaction& transaction, int code, const std::string& text) {
  world_.trace().note(world_.now(), "client hears about " + transaction.message->reverse_path + ": " + text);
  if (code == 250) {
    ledger_.acknowledged(*transaction.message, transaction.taken, text);
    transaction.answered = true;
    return;
  }
  ledger_.refused(*transaction.message, transaction.taken);
  if (transaction.first_refusal == 0) transaction.first_refusal = code;
}

// ---- the end of a connection

// RFC 5321 4.1.1.5 knows no such end, but networks do: closing, resetting, or saying nothing more.
bool Client::breaks_off() {
  if (steps_left_ < 0 || steps_left_-- > 0) return false;
  world_.trace().add(world_.now(), Trace::kWorld, "a client breaks off");
  switch (random_.below(4)) {
    case 0:
      silent_ = true;
      return true;  // patience ends it
    case 1:
      end_->reset();
      break;
    case 2:
      // In the middle of what it was saying.
      if (!steps_.empty()) end_->write(View(steps_.front().octets).substr(0, steps_.front().octets.size() / 2));
      end_->close();
      break;
    default:
      end_->close();
  }
  end();
  return true;
}

void Client::end() {
  if (end_) end_->close();
  end_.reset();
  ++activity_;
  for (Transaction& transaction : in_hand_) {
    const int refusal = transaction.first_refusal;
    if (refusal >= 500 && refusal != 503 && refusal != 554)
      ledger_.refused_for_good(*transaction.message, refusal);
    else if (!transaction.answered)
      waiting_.push_back(transaction.message);
    if (transaction.answered) transaction.message->settled = true;
  }
  in_hand_.clear();
  start();
}

// Ends the connection when nothing has come for as long as the client waits.
void Client::watch() {
  const std::uint64_t seen = ++activity_;
  world_.schedule().after(habits_.patience, [this, seen] {
    if (seen == activity_) end();
  });
}

}  // namespace ringpost::sim
