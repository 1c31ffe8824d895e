#include "core/bounce.h"

#include <algorithm>
#include <cerrno>
#include <utility>

#include <fmt/format.h>

#include "ringpost/base/check.h"

namespace ringpost::core {
namespace {

using message::RecipientState;
using message::Status;
using report::DsnAction;

constexpr std::size_t kJobsMost = 64;     // DSNs under way at once, of which each holds two messages and its text
constexpr std::size_t kLoadsMost = 16;    // jobs that owed ones may have
constexpr Duration kAgain = 1s;           // when there was no room
constexpr std::size_t kPiece = 8 * 1024;  // octets given to the sink at once
constexpr std::size_t kHeaderRead = report::kDsnHeader + 4096;  // octets of a content in which its header is looked for

// What the one pass over an arriving content would have found.
message::ContentFacts facts_of(View text, const report::DsnForm& form) {
  message::ContentFacts facts;
  facts.size = text.size();
  for (std::size_t at = text.find("\r\n."); at != View::npos; at = text.find("\r\n.", at + 2)) ++facts.dot_lines;
  facts.eight_bit = form.eight_bit;
  facts.eight_bit_header = form.smtputf8;
  facts.ends_with_crlf = true;
  return facts;
}

}  // namespace

// One DSN on its way. Pooled.
struct Bounce::Job : Link<Job> {
  explicit Job(Bounce& bounce)
      : owner(bounce),
        load(this,
             [](void* self, Result<spool::Message*> result) {
               static_cast<Job*>(self)->owner.loaded(*static_cast<Job*>(self), std::move(result));
             }),
        commit(this, [](void* self, spool::Message& durable, const Result<void>& result) {
          static_cast<Job*>(self)->owner.committed(*static_cast<Job*>(self), durable, result);
        }) {
    reader.on_ready(this, [](void* self) { static_cast<Job*>(self)->owner.read(*static_cast<Job*>(self)); });
  }

  Bounce& owner;
  SpoolId id;                          // the original's
  spool::Message* original = nullptr;  // held
  spool::Message* made = nullptr;      // held
  std::vector<Told> told;
  bool reading = false;
  bool whole = false;  // the content is wanted whole
  std::string content;
  std::string text;
  std::size_t pushed = 0;  // octets of the text in the draft
  spool::Reader reader;
  spool::Load load;
  spool::Commit commit;
};

Bounce::Bounce(Rooms& rooms)
    : rooms_(rooms), work_(this, ring::call<&Bounce::work>), again_(this, ring::call<&Bounce::work>) {}
Bounce::~Bounce() { CHECK(idle()); }

void Bounce::save(spool::Message& message) {
  // One that has a job is looked at again when that ends.
  std::vector<Told> told;
  if (!has_job(message.id)) told = collect(message);
  if (told.empty()) return save_state(message);
  if (busy_ < kJobsMost && rooms_.ring.now() >= not_before_) {
    Job& job = take_job(message.id);
    message.hold();
    job.original = &message;
    job.told = std::move(told);
    if (begin(job)) return;  // the group has the state
  } else {
    owe(message.id);
  }
  save_state(message);
}

void Bounce::save_state(spool::Message& message) {
  keep_facts(rooms_, message);
  rooms_.spool->save(message, nullptr);
}

// What is owed, at most as much as one DSN tells. Those of whom nobody is to be told are closed on the way.
std::vector<Bounce::Told> Bounce::collect(spool::Message& message) {
  std::vector<Told> told;
  const WallTime now = rooms_.ring.wall();
  for (std::uint32_t i = 0; i < message.state.size(); ++i) {
    const RecipientState state = message.state.at(i);
    const message::Recipient recipient = message.envelope.recipient(i);
    if (const auto action = report::owed(message.envelope, recipient, state, *rooms_.config, now)) {
      if (told.size() < report::kDsnRecipients) told.push_back({i, *action});
    } else if (state.status == Status::failed) {
      close_untold(message, i, report::untold(message.envelope, recipient, *rooms_.config));
    }
  }
  return told;
}

void Bounce::close_untold(spool::Message& message, std::uint32_t recipient, View why) {
  const bool kept = only_to_tell(message.state);
  RecipientState state = message.state.at(recipient);
  state.status = Status::bounced;
  message.state.set(recipient, state);
  if (kept && message.state.ended()) --rooms_.counts.kept_failed;
  rooms_.events.write({.type = report::EventType::bounce,
                       .id = message.id,
                       .from = message.envelope.reverse_path(),
                       .has_from = true,
                       .to = message.envelope.recipient(recipient).forward_path,
                       .text = why});
}

// ---- what is owed

void Bounce::owe(SpoolId id) {
  owed_.push_back(id);
  if (stopped_) return;
  if (rooms_.ring.now() < not_before_)
    rooms_.ring.arm(again_, not_before_);
  else
    rooms_.ring.defer(work_);
}

void Bounce::work() {
  while (!stopped_ && !owed_.empty() && busy_ < kLoadsMost) {
    if (rooms_.ring.now() < not_before_) return rooms_.ring.arm(again_, not_before_);
    const SpoolId id = owed_.front();
    owed_.pop_front();
    if (has_job(id)) continue;
    Job& job = take_job(id);
    rooms_.spool->load(id, spool::Spool::Want::content, job.load);
  }
}

void Bounce::loaded(Job& job, Result<spool::Message*> result) {
  if (!result) {
    const int code = result.error().code;
    if (code == EBADMSG)
      rooms_.events.write({.type = report::EventType::trouble,
                           .id = job.id,
                           .text = "the spool's record of this message is damaged: its sender is not told that it "
                                   "failed; see ringpost-spoolcat, and ringpostctl remove ID to drop it"});
    if (code == ENOENT || code == EBADMSG) return finish(job);
    return give_up(job);
  }
  job.original = *result;
  const bool ended = job.original->state.ended();
  job.told = collect(*job.original);
  if (!job.told.empty()) {
    begin(job);
    return;
  }
  if (!ended && job.original->state.ended()) save_state(*job.original);
  finish(job);
}

// ---- a DSN, step by step: each gives whether the group has been asked for; if not, it goes on by itself, or has given
// up

bool Bounce::begin(Job& job) {
  spool::Message& original = *job.original;
  if (!original.content_in_memory() && !original.content_in_a_file()) {
    // It was loaded by its envelope alone: once more, with everything.
    std::exchange(job.original, nullptr)->release();
    rooms_.spool->load(job.id, spool::Spool::Want::content, job.load);
    return false;
  }
  // RFC 3461 4.3: RET speaks of failures; who said nothing gets the header section.
  job.whole = original.envelope.ret == smtp::DsnReturn::full && !original.envelope.reverse_path().empty() &&
              original.facts.size <= rooms_.config->bounce.full_content &&
              std::ranges::any_of(job.told, [](const Told& one) { return one.action == DsnAction::failed; });
  job.made = rooms_.spool->begin_beside(original);
  if (job.made == nullptr) return give_up(job), false;
  job.reader.open(original);
  job.reading = true;
  return read(job);
}

bool Bounce::read(Job& job) {
  using State = message::BodySource::Pull::State;
  const std::size_t wanted = job.whole ? SIZE_MAX : kHeaderRead;
  while (job.reading && job.content.size() < wanted) {
    const message::BodySource::Pull pull = job.reader.next();
    if (pull.state == State::wait) return false;
    if (pull.state == State::ready) {
      job.content += pull.piece;
      job.reader.release(pull.piece.size());
      continue;
    }
    // A content that the disk does not give is not returned; that it failed is told.
    if (pull.state == State::failed) job.whole = false;
    break;
  }
  job.reading = false;
  job.reader.close();
  return compose(job);
}

bool Bounce::compose(Job& job) {
  const message::Envelope& original = job.original->envelope;
  const View to = report::addressee(original, *rooms_.config);
  if (to.empty()) return give_up(job), false;  // a reload took the postmaster away: nobody is owed any more
  spool::Message& made = *job.made;
  write(job, job.text);
  made.envelope.accepted = rooms_.ring.wall();
  made.envelope.protocol = message::Protocol::esmtp;
  made.envelope.set_reverse_path({});  // RFC 3464 2, RFC 5321 4.5.5
  const std::size_t at = to.rfind('@');
  // RFC 3461 5.2.7: nobody tells of what becomes of a DSN.
  made.envelope.add_recipient(to, at == View::npos ? 0 : to.size() - at - 1, smtp::kNotifyNever, {});
  made.state.reset(1, made.envelope.accepted);
  made.content->on_drained(&job, [](void* self) { static_cast<Job*>(self)->owner.push(*static_cast<Job*>(self)); });
  return push(job);
}

void Bounce::write(Job& job, std::string& out) const {
  const spool::Message& original = *job.original;
  std::vector<report::DsnRecipient> recipients;
  recipients.reserve(job.told.size());
  for (const Told& one : job.told) {
    const message::Recipient recipient = original.envelope.recipient(one.recipient);
    const RecipientState state = original.state.at(one.recipient);
    recipients.push_back({.forward_path = recipient.forward_path,
                          .orcpt = recipient.orcpt,
                          .action = one.action,
                          .status = state.enhanced,
                          .code = state.code,
                          .text = state.text,
                          .ours = state.ours,
                          .host = state.host,
                          .attempts = state.attempts,
                          .attempted = state.attempted,
                          .retry_until = expiry(rooms_, original.envelope.accepted)});
  }
  report::Dsn dsn;
  dsn.id = job.made->id;
  dsn.about = original.id;
  dsn.hostname = rooms_.config->hostname;
  dsn.from_name = rooms_.config->bounce.from_name;
  dsn.to = report::addressee(original.envelope, *rooms_.config);
  dsn.to_postmaster = original.envelope.reverse_path().empty();
  dsn.now = rooms_.ring.wall();
  dsn.original = &original.envelope;
  dsn.recipients = recipients;
  dsn.content = job.content;
  dsn.return_content = job.whole;
  dsn.salt = rooms_.ring.random().next();
  const report::DsnForm form = report::write_dsn(out, dsn);
  spool::Message& made = *job.made;
  made.facts = facts_of(out, form);
  made.envelope.body = form.eight_bit ? smtp::BodyType::eight_bit_mime : smtp::BodyType::seven_bit;
  made.envelope.smtputf8 = form.smtputf8;
}

bool Bounce::push(Job& job) {
  using State = message::BodySink::State;
  while (job.pushed < job.text.size()) {
    const View piece = View{job.text}.substr(job.pushed, kPiece);
    job.pushed += piece.size();
    switch (job.made->content->push(piece)) {
      case State::ok:
        break;
      case State::full:
        return false;
      case State::failed:
        return give_up(job), false;
    }
  }
  return commit(job);
}

bool Bounce::commit(Job& job) {
  if (!mark(job)) {  // an operator removed them meanwhile; others may have failed
    const message::State& state = job.original->state;
    const SpoolId more = state.count(Status::failed) + state.count(Status::relayed) > 0 ? job.id : SpoolId{};
    finish(job);
    if (more != SpoolId{}) owe(more);
    return false;
  }
  keep_facts(rooms_, *job.original);
  rooms_.spool->commit_beside(*job.made, *job.original, job.commit);
  return true;
}

// Writes down that they are told. What has changed since the words were written is left as it is; false: all has.
bool Bounce::mark(Job& job) {
  spool::Message& message = *job.original;
  const bool kept = only_to_tell(message.state);
  std::erase_if(job.told, [&](const Told& one) {
    RecipientState state = message.state.at(one.recipient);
    const Status was = state.status;
    switch (one.action) {
      case DsnAction::failed:
        if (was != Status::failed) return true;
        state.status = Status::bounced;
        break;
      case DsnAction::relayed:
        if (was != Status::relayed) return true;
        state.status = Status::delivered;
        break;
      case DsnAction::delayed:
        if (was != Status::open) return true;
        state.delay_told = true;
        break;
    }
    message.state.set(one.recipient, state);
    return false;
  });
  if (kept && message.state.ended()) --rooms_.counts.kept_failed;
  return !job.told.empty();
}

// The group did not come to be.
void Bounce::unmark(Job& job) {
  spool::Message& message = *job.original;
  const bool ended = message.state.ended();
  for (const Told& one : job.told) {
    RecipientState state = message.state.at(one.recipient);
    if (one.action == DsnAction::failed && state.status == Status::bounced) state.status = Status::failed;
    if (one.action == DsnAction::relayed && state.status == Status::delivered) state.status = Status::relayed;
    if (one.action == DsnAction::delayed) state.delay_told = false;
    message.state.set(one.recipient, state);
  }
  if (ended && only_to_tell(message.state)) ++rooms_.counts.kept_failed;
}

void Bounce::committed(Job& job, spool::Message& made, const Result<void>& result) {
  spool::Message& original = *job.original;
  if (!result) return failed(job, result.error());
  ++rooms_.counts.bounces;
  tell(job, made);
  job.made = nullptr;
  made_(made);
  // More of its recipients may have failed meanwhile, or than one DSN tells of.
  const bool more = original.state.count(Status::failed) + original.state.count(Status::relayed) > 0;
  if (more) original.hold();
  finish(job);
  if (!more) return;
  save(original);
  original.release();
}

void Bounce::failed(Job& job, const Error& error) {
  unmark(job);
  if (rooms_.spool->refusal() == spool::Refusal::stopped) return finish(job);
  save_state(*job.original);
  if (error.code != EMSGSIZE) return give_up(job);
  rooms_.events.write({.type = report::EventType::trouble,
                       .id = job.id,
                       .text =
                           "the state of this message and a DSN about it do not fit into one batch of the spool: its "
                           "sender is not told that it failed"});
  finish(job);
}

void Bounce::tell(const Job& job, const spool::Message& made) {
  const auto count = [&](DsnAction action) {
    return std::ranges::count_if(job.told, [&](const Told& one) { return one.action == action; });
  };
  std::string what;
  constexpr std::pair<DsnAction, View> kWords[] = {
      {DsnAction::failed, "failed"}, {DsnAction::delayed, "delayed"}, {DsnAction::relayed, "relayed"}};
  for (const auto& [action, word] : kWords)
    if (const auto some = count(action); some > 0) what += fmt::format("{}{} {}", what.empty() ? "" : ", ", some, word);
  rooms_.events.write({.type = report::EventType::bounce,
                       .id = job.id,
                       .from = made.envelope.reverse_path(),
                       .has_from = true,
                       .to = made.envelope.recipient(0).forward_path,
                       .text = what,
                       .size = made.facts.size,
                       .recipients = static_cast<std::uint32_t>(job.told.size()),
                       .report = made.id});
}

// ---- jobs

bool Bounce::has_job(SpoolId id) const {
  return busy_ > 0 && std::ranges::any_of(jobs_, [&](const auto& job) { return job->id == id; });
}

Bounce::Job& Bounce::take_job(SpoolId id) {
  if (free_.empty()) free_.push_back(*jobs_.emplace_back(std::make_unique<Job>(*this)));
  Job& job = free_.pop_front();
  ++busy_;
  job.id = id;
  return job;
}

// There is no room, or no answer from the disk: later.
void Bounce::give_up(Job& job) {
  not_before_ = rooms_.ring.now() + kAgain;
  const SpoolId id = job.id;
  finish(job);
  owe(id);
}

void Bounce::finish(Job& job) {
  job.reading = false;
  job.reader.close();
  if (job.made != nullptr) std::exchange(job.made, nullptr)->release();
  if (job.original != nullptr) std::exchange(job.original, nullptr)->release();
  job.id = {};
  job.told.clear();
  job.content = {};
  job.text = {};
  job.pushed = 0;
  free_.push_back(job);
  --busy_;
  if (!owed_.empty() && !stopped_) rooms_.ring.defer(work_);
}

void Bounce::stop() {
  stopped_ = true;
  again_.disarm();
}

}  // namespace ringpost::core
