#include "core/dispatch_parts.h"

#include <algorithm>

#include "ringpost/base/check.h"

namespace ringpost::core {
namespace {

using message::Outcome;
using message::Status;

constexpr std::size_t kJobsAhead = 48;        // of one destination, loaded or coming from the disk
constexpr std::size_t kExpiredAtOnce = 64;    // late or expired entries of a destination in memory, above kJobsAhead
constexpr Duration kLoadAgain = 1s;           // when memory is short
constexpr Duration kDiskAgain = 1s;           // when outcomes cannot be kept
constexpr Duration kLateAgain = 1s;           // until a late one may be attempted again
constexpr Duration kOpenAgain = 1s;           // after a connection that this machine had no means for
constexpr Duration kTellAgain = 1min;         // of such shortages
constexpr Duration kRequeue = 100ms;          // between two looks for room in a full queue
constexpr std::size_t kRoomToRequeue = 4096;  // entries: what most messages need; the others try again
constexpr Duration kLongestPause = 5min;      // between two tries to reach a destination
constexpr Duration kLongestSleep = 60s;       // the calendar may jump: look at least so often
constexpr std::size_t kVisitsAtOnce = 256;    // destinations looked at in one turn

}  // namespace

Dispatch::Dispatch(Rooms& rooms, Settle& settle)
    : rooms_(rooms),
      settle_(settle),
      leases_(rooms.ring, *this),
      pump_(this, ring::call<&Dispatch::pump>),
      save_(this, ring::call<&Dispatch::save_outcomes>),
      due_timer_(this, ring::call<&Dispatch::wake>),
      open_timer_(this, ring::call<&Dispatch::wake>),
      requeue_load_(this,
                    [](void* self, Result<spool::Message*> result) {
                      static_cast<Dispatch*>(self)->requeue_loaded(std::move(result));
                    }),
      requeue_timer_(this, ring::call<&Dispatch::requeue>),
      sweep_timer_(this, ring::call<&Dispatch::forget_unneeded>) {}

Dispatch::~Dispatch() { CHECK(idle()); }

std::optional<DestinationId> Dispatch::attempted_soon(const message::Envelope& envelope) {
  const DestinationId id = destination_of(envelope.recipient(0).domain);
  return held_back(target(id)) ? std::nullopt : std::optional{id};
}

bool Dispatch::enqueue(SpoolId id, const message::Envelope& envelope, const message::State& state) {
  const WallTime now = rooms_.ring.wall();
  bool all = true;
  for (std::uint32_t i = 0; i < state.size(); ++i) {
    const message::RecipientState recipient = state.at(i);
    if (recipient.status != Status::open) continue;
    all &= rooms_.queue->add({.id = id,
                              .destination = destination_of(envelope.recipient(i), recipient),
                              .due = recipient.due,
                              .expires = report::deadline(envelope, envelope.recipient(i), recipient, *rooms_.config)},
                             now);
  }
  wake();
  if (!all) queue_later(id);
  return all;
}

void Dispatch::queue_later(SpoolId id) {
  unqueued_.push_back(id);
  if (!stopped_ && !requeue_timer_.armed()) rooms_.ring.arm(requeue_timer_, kRequeue);
}

// A message that found the table full is in the spool without its entries: one at a time gets them when there is room.
void Dispatch::requeue() {
  if (stopped_ || unqueued_.empty()) return;
  if (rooms_.queue->room() < kRoomToRequeue || requeue_busy_) return rooms_.ring.arm(requeue_timer_, kRequeue);
  requeued_ = unqueued_.back();
  unqueued_.pop_back();
  requeue_busy_ = true;
  rooms_.spool->load(requeued_, spool::Spool::Want::envelope, requeue_load_);
}

void Dispatch::requeue_loaded(Result<spool::Message*> result) {
  requeue_busy_ = false;
  if (result) {
    spool::Message& message = **result;
    enqueue(message.id, message.envelope, message.state);  // those it has are left as they are
    message.release();
  } else if (result.error().code != ENOENT && result.error().code != EBADMSG) {
    queue_later(requeued_);  // no memory, or no answer from the disk: it still has no entry
  }
  if (!stopped_) rooms_.ring.arm(requeue_timer_, kRequeue);
}

// ---- what to do this turn

void Dispatch::pump() {
  if (stopped_) return;
  // An attempt whose outcome may be lost would be made twice.
  if (!rooms_.spool->takes_outcomes()) return rooms_.ring.arm(due_timer_, kDiskAgain);
  queue::Queue& queue = *rooms_.queue;
  queue.advance(rooms_.ring.wall());
  for (Target* t = with_ready_.empty() ? nullptr : &with_ready_.front(); t != nullptr;) {
    Target* next = with_ready_.after(*t);
    if (t->ready_count == 0)
      t->unlink();
    else
      serve(*t);
    t = next;
  }
  // A round over all destinations may take several turns; what came up meanwhile is another round.
  if (!in_round_ && round_again_) {
    in_round_ = true;
    round_again_ = false;
    queue.begin_round();
  }
  std::size_t visits = 0;
  while (in_round_ && visits++ < kVisitsAtOnce) {
    const auto id = queue.next_ready();
    in_round_ = id.has_value();
    if (id) visit(target(*id));
  }
  if (in_round_ || round_again_) rooms_.ring.defer(pump_);
  arm_for_due();
}

void Dispatch::arm_for_due() {
  Duration sleep = kLongestSleep;
  if (const auto next = rooms_.queue->next_due())
    sleep = std::clamp<Duration>(*next - rooms_.ring.wall(), 1ms, kLongestSleep);
  const Instant at = rooms_.ring.now() + sleep;
  if (!due_timer_.armed() || at < due_timer_.due()) rooms_.ring.arm(due_timer_, at);
}

void Dispatch::visit(Target& t) {
  t.needed_at = rooms_.ring.now();
  expire_waiting(t);
  if (is_suspended(t)) {  // looked at from time to time, for what expires
    const queue::Destination& shown = rooms_.queue->at(t.id);
    return rooms_.queue->pause(t.id, rooms_.ring.wall() + kLongestPause, shown.failures, std::string{shown.last_error});
  }
  if (t.route == nullptr) return fill(t);  // each entry finds its new destination when it is loaded
  if (t.refuses(rooms_.ring.now())) return fail_waiting(t);
  serve(t);
}

void Dispatch::serve(Target& t) {
  if (!rooms_.deliverer->wake(t.id)) open_if_allowed(t);
}

// One more connection a turn at the most, and one at a time until the first is greeted: a dead destination costs one
// slot.
void Dispatch::open_if_allowed(Target& t) {
  if (rooms_.ring.now() < t.no_open_before) return;
  const std::uint32_t connecting = rooms_.deliverer->connecting(t.id);
  const std::uint32_t greeted = rooms_.deliverer->connections(t.id) - connecting;
  if (connecting > greeted || !has_way(t)) return;
  if (leases_.take(t.id, rooms_.queue->at(t.id).name, t.route->manners.connections))
    rooms_.deliverer->open(t.id, t.way);
}

void Dispatch::expire_waiting(Target& t) {
  const WallTime now = rooms_.ring.wall();
  while (rooms_.ring.now() >= no_load_before_ &&
         t.loading + t.ready_count < kExpiredAtOnce) {  // the end of each of them wakes
    const auto entry = rooms_.queue->take_expired(t.id, now);
    if (!entry) return;
    begin(t, *entry);
  }
}

// ---- from the queue into memory

Dispatch::Job* Dispatch::begin(Target& t, const queue::Entry& entry) {
  if (free_jobs_.empty()) free_jobs_.push_back(*jobs_.emplace_back(std::make_unique<Job>(*this)));
  Job& job = free_jobs_.pop_front();
  ++jobs_out_;
  job.entry = entry;
  job.id = entry.id;
  job.destination = entry.destination;
  job.changed = false;
  ++t.loading;
  // One that has expired is wanted whole, too: its sender is told.
  rooms_.spool->load(entry.id, t.route != nullptr ? spool::Spool::Want::content : spool::Spool::Want::envelope,
                     job.load);
  return &job;
}

void Dispatch::loaded(Job& job, Result<spool::Message*> result) {
  Target& t = target(job.destination);
  --t.loading;
  if (!result) {
    const WallTime now = rooms_.ring.wall();
    const int code = result.error().code;
    if (code == ENOENT || code == EBADMSG) {
      if (code == EBADMSG)
        rooms_.events.write({.type = report::EventType::trouble,
                             .id = job.id,
                             .text = "the spool's record of this message is damaged: it will not be delivered; see "
                                     "ringpost-spoolcat, and ringpostctl remove ID to drop it",
                             .site = rooms_.queue->at(t.id).name});
      rooms_.queue->done(job.entry);
    } else {
      rooms_.queue->put_back(job.entry, now + kLoadAgain, now);
      if (code == EBUSY) no_load_before_ = rooms_.ring.now() + kLoadAgain;
    }
    free_job(job);
    return wake();
  }
  job.message = *result;
  rooms_.warm.take(*job.message);
  if (stopped_) return back_to_queue(job);
  choose_recipients(job);
  if (job.chosen.empty()) return finish(job);
  if (has_expired(job)) return settle_expired(job);
  if (t.refuses(rooms_.ring.now())) return refuse(t, job);
  if (t.blame_next) {
    t.blame_next = false;
    return blame(t, job);
  }
  if (held_back(t)) return wait_longer(job);
  job.reader.open(*job.message);
  job.envelope = &job.message->envelope;
  job.facts = &job.message->facts;
  job.recipients = job.chosen;
  job.content = &job.reader;
  put_ready(t, job, false);
}

void Dispatch::put_ready(Target& t, Job& job, bool first) {
  if (first)
    t.ready.push_front(job);
  else
    t.ready.push_back(job);
  ++t.ready_count;
  if (!t.linked()) with_ready_.push_back(t);
  wake();
}

// Whether nothing may be attempted there now.
bool Dispatch::held_back(const Target& t) const {
  const queue::Destination& shown = rooms_.queue->at(t.id);
  return shown.paused_until > rooms_.ring.wall() || t.route == nullptr || is_suspended(t);
}

bool Dispatch::is_suspended(const Target& t) const {
  return rooms_.suspensions.any() && rooms_.suspensions.has(rooms_.queue->at(t.id).name);
}

// The open recipients that are due and go to this job's destination by the routes of now, and that no other attempt is
// about. Those whose route has changed get an entry at their new destination.
void Dispatch::choose_recipients(Job& job) {
  spool::Message& message = *job.message;
  const WallTime due = std::max(rooms_.ring.wall(), job.entry.due);  // also after the calendar was put back
  const bool all = has_expired(job) || job.entry.flushed;
  message.attempting.resize(message.state.size());
  for (std::uint32_t i = 0; i < message.state.size(); ++i) {
    const message::RecipientState state = message.state.at(i);
    if (state.status != Status::open || message.attempting[i]) continue;
    const DestinationId where = destination_of(message.envelope.recipient(i), state);
    if (where == job.destination)
      (all || state.due <= due ? job.chosen : job.later).push_back(i);
    else if (!rooms_.queue->add({job.id, where, state.due, job.entry.expires}, rooms_.ring.wall()))
      queue_later(job.id);
  }
  for (const std::uint32_t i : job.chosen) message.attempting[i] = true;
}

// Brings entries into memory until kJobsAhead are ready or on their way from the disk. Without memory it waits for a
// job to end: else all entries that are ready would go through the wheel once a second.
void Dispatch::fill(Target& t) {
  while (rooms_.ring.now() >= no_load_before_ && t.loading + t.ready_count < kJobsAhead) {
    const auto entry = rooms_.queue->take(t.id);
    if (!entry) return;
    begin(t, *entry);
  }
}

// ---- attempts

deliver::Job* Dispatch::next(DestinationId id) {
  if (stopped_ || !rooms_.spool->takes_outcomes()) return nullptr;
  Target& t = target(id);
  if (is_suspended(t)) return nullptr;
  fill(t);
  while (!t.ready.empty()) {
    Job& job = t.pop();
    if (!still_wanted(job)) continue;
    if (t.ready_count > 0) wake();  // for another connection: this one may have no room for a second job
    return &job;
  }
  return nullptr;
}

// What an operator has removed, held or sent elsewhere since it was loaded is none of this attempt's.
void Dispatch::leave_out_changed(Job& job) {
  if (std::exchange(job.changes_seen, rooms_.operator_changes) == rooms_.operator_changes) return;
  std::erase_if(job.chosen, [&](std::uint32_t i) {
    const message::RecipientState state = job.message->state.at(i);
    if (state.status == Status::open) {
      const DestinationId where = destination_of(job.message->envelope.recipient(i), state);
      if (where == job.destination) return false;
      if (!rooms_.queue->add({job.id, where, state.due, job.entry.expires}, rooms_.ring.wall())) queue_later(job.id);
    }
    job.message->attempting[i] = false;
    return true;
  });
  job.recipients = job.chosen;
}

// What was loaded may have waited long for its connection. After a removal or its expiry no attempt starts.
bool Dispatch::still_wanted(Job& job) {
  leave_out_changed(job);
  if (!Settle::next_due(*job.message, job.chosen)) {
    finish(job);
    return false;
  }
  if (!has_expired(job)) return true;
  settle_expired(job);
  return false;
}

void Dispatch::outcome(deliver::Job& base, std::uint32_t recipient, const Outcome& outcome,
                       const deliver::Attempt& attempt) {
  auto& job = static_cast<Job&>(base);
  if (outcome.kind != Outcome::Kind::delivered)
    rooms_.queue->note_error(job.destination, outcome.text);
  else
    rooms_.queue->note_delivered(job.destination, rooms_.ring.wall());
  if (!settle_.outcome(*job.message, recipient, outcome,
                       {.host = attempt.host,
                        .host_name = attempt.host_name,
                        .source = attempt.source,
                        .site = attempt.site,
                        .took = attempt.took}))
    return;
  // Not only when the job is done: that may wait long, for a peer that replies before it has read all that was sent.
  job.changed = true;
  if (!job.Link<UnsavedTag>::linked()) unsaved_.push_back(job);
  rooms_.ring.defer(save_);
}

// The outcomes of this turn whose jobs are not done yet.
void Dispatch::save_outcomes() {
  while (!unsaved_.empty()) {
    Job& job = unsaved_.pop_front();
    job.changed = false;
    settle_.save(*job.message);
  }
}

void Dispatch::done(deliver::Job& base) { finish(static_cast<Job&>(base)); }

void Dispatch::finish(Job& job) {
  spool::Message& message = *job.message;
  if (job.changed) settle_.save(message);
  job.Link<UnsavedTag>::unlink();
  auto due = Settle::next_due(message, job.chosen);
  if (const auto other = Settle::next_due(message, job.later); other && (!due || *other < *due)) due = other;
  job.entry.flushed = false;
  if (due)
    rooms_.queue->put_back(job.entry, *due, rooms_.ring.wall());
  else
    rooms_.queue->done(job.entry);
  free_job(job);
  wake();
}

bool Dispatch::has_expired(const Job& job) const {
  return rooms_.ring.wall() >= expiry(rooms_, job.message->envelope.accepted);
}

// Nobody reaches its destination. When its deadline has come it is late, and is looked at again after as long: it
// stands behind the others then, so that each of them comes to the front at its time.
void Dispatch::wait_longer(Job& job) {
  const WallTime now = rooms_.ring.wall();
  if (now < job.entry.expires) return back_to_queue(job);
  take_later_ones(job);
  settle_.late(*job.message, job.chosen, rooms_.queue->at(job.destination).name);
  const Duration again = rooms_.config->bounce.delay_after;
  const WallTime end = expiry(rooms_, job.message->envelope.accepted);
  job.entry.expires = again > Duration{0} ? std::min(end, now + again) : end;
  rooms_.queue->put_back(job.entry, now + kLateAgain, now);
  free_job(job);
  wake();
}

// Lateness and expiry are of all its open recipients there, whenever each is due.
void Dispatch::take_later_ones(Job& job) {
  job.chosen.insert(job.chosen.end(), job.later.begin(), job.later.end());
  job.later.clear();
}

void Dispatch::settle_expired(Job& job) {
  take_later_ones(job);
  settle_.expire(*job.message, job.chosen, rooms_.queue->at(job.destination).name);
  job.changed = true;
  finish(job);
}

void Dispatch::returned(deliver::Job& base) {
  auto& job = static_cast<Job&>(base);
  Target& t = target(job.destination);
  if (stopped_ || held_back(t)) return back_to_queue(job);
  job.reader.rewind();
  put_ready(t, job, true);
}

void Dispatch::free_job(Job& job) {
  job.reader.close();
  if (job.message != nullptr) {
    for (const std::uint32_t i : job.chosen) job.message->attempting[i] = false;
    job.message->release();
    no_load_before_ = {};
  }
  job.message = nullptr;
  job.chosen.clear();
  job.later.clear();
  free_jobs_.push_front(job);
  --jobs_out_;
}

void Dispatch::back_to_queue(Job& job) {
  const WallTime now = rooms_.ring.wall();
  rooms_.queue->put_back(job.entry, std::min(job.entry.due, now), now);
  free_job(job);
  wake();  // the pause may be over, or the route gone
}

void Dispatch::back_to_queue_all(Target& t) {
  while (!t.ready.empty()) back_to_queue(t.pop());
}

// ---- connections

void Dispatch::closed(DestinationId id) {
  Target& t = target(id);
  if (t.unreachable) {
    t.unreachable = false;
    leases_.refused(id);
  } else {
    leases_.closed(id);
  }
  wake();
}

void Dispatch::reached(DestinationId id) {
  target(id).blame_next = false;
  const queue::Destination& shown = rooms_.queue->at(id);
  if (shown.failures > 0) rooms_.events.write({.type = report::EventType::destination_reached, .site = shown.name});
  rooms_.queue->reached(id);
}

void Dispatch::connection_over(DestinationId id, std::uint32_t messages, const deliver::Attempt& attempt) {
  rooms_.events.write({.type = report::EventType::connection,
                       .peer = attempt.host,
                       .host = attempt.host_name,
                       .source = attempt.source,
                       .site = rooms_.queue->at(id).name,
                       .messages = messages,
                       .has_messages = true,
                       .took = attempt.took});
}

void Dispatch::unreachable(DestinationId id, const Outcome& outcome, const deliver::Attempt& attempt) {
  Target& t = target(id);
  t.unreachable = true;
  t.error = outcome.text;
  t.error_code = outcome.code;
  t.error_enhanced = outcome.enhanced;
  t.error_host = attempt.host;
  t.error_host_name = attempt.host_name;
  rooms_.queue->note_error(id, outcome.text);
}

// The destination is not to blame: no pause, and no attempt is counted.
void Dispatch::shortage(DestinationId id, const Outcome& outcome, const deliver::Attempt& attempt) {
  const Instant now = rooms_.ring.now();
  target(id).no_open_before = now + kOpenAgain;
  if (!stopped_ && !open_timer_.armed()) rooms_.ring.arm(open_timer_, kOpenAgain);
  rooms_.queue->note_error(id, outcome.text);
  if (now < quiet_before_) return;
  quiet_before_ = now + kTellAgain;
  rooms_.events.write({.type = report::EventType::trouble,
                       .peer = attempt.host,
                       .enhanced = outcome.enhanced,
                       .text = outcome.text,
                       .site = attempt.site});
}

void Dispatch::leases_changed(DestinationId id) {
  Target& t = target(id);
  const bool busy = t.ready_count > 0 || rooms_.queue->at(id).ready > 0;
  if (const std::uint32_t end = leases_.must_end(id, busy); end > 0) rooms_.deliverer->yield(id, end);
  wake();
}

void Dispatch::destination_dead(DestinationId id) {
  if (!stopped_) pause_for(target(id));
}

// Nobody reaches it, or finds it: the oldest message has had its attempt, the others wait untouched until the pause is
// over.
void Dispatch::pause_for(Target& t) {
  if (t.ready.empty() && t.loading == 0)
    if (const auto entry = rooms_.queue->take(t.id)) begin(t, *entry);
  const auto& schedule = rooms_.config->retry.schedule;
  const std::uint32_t failures = rooms_.queue->at(t.id).failures + 1;
  const Duration pause = std::min(kLongestPause, schedule[std::min<std::size_t>(failures, schedule.size()) - 1]);
  rooms_.queue->pause(t.id, rooms_.ring.wall() + pause, failures, t.error);
  rooms_.events.write({.type = report::EventType::destination_paused,
                       .peer = t.error_host,
                       .host = t.error_host_name,
                       .text = t.error,
                       .site = rooms_.queue->at(t.id).name,
                       .until = rooms_.ring.wall() + pause});
  if (!t.ready.empty())
    blame(t, t.pop());
  else
    t.blame_next = t.loading > 0;
  while (!t.ready.empty()) wait_longer(t.pop());
}

void Dispatch::blame(Target& t, Job& job) {
  const Outcome outcome{Outcome::Kind::later, t.error_code, t.error_enhanced, t.error};
  for (const std::uint32_t recipient : job.chosen)
    job.changed |= settle_.outcome(
        *job.message, recipient, outcome,
        {.host = t.error_host, .host_name = t.error_host_name, .source = {}, .site = rooms_.queue->at(t.id).name});
  finish(job);
}

// ---- suspensions, reload, end

void Dispatch::suspended(View destination) {
  if (const auto id = rooms_.queue->find(destination)) back_to_queue_all(target(*id));
}

void Dispatch::resumed(View destination) {
  const auto id = rooms_.queue->find(destination);
  if (!id) return;
  rooms_.queue->end_pause(*id);
  wake();
}

void Dispatch::rerouted() {
  by_route_.clear();
  for (Target& t : targets_) {
    if (!t.in_use) continue;
    t.route = rooms_.router->by_name(rooms_.queue->at(t.id).name);
    t.blame_next = false;
    // Hosts are looked for anew: routes, name servers or what is private may have changed.
    if (t.search.searching()) --searches_;
    t.search.cancel();
    t.way.hosts = nullptr;
    t.refusal = {};
    back_to_queue_all(t);
    rooms_.queue->reached(t.id);
  }
  wake();
}

void Dispatch::stop() {
  stopped_ = true;
  due_timer_.disarm();
  open_timer_.disarm();
  requeue_timer_.disarm();
  sweep_timer_.disarm();
  for (Target& t : targets_) back_to_queue_all(t);
}

}  // namespace ringpost::core
