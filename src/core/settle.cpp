#include "core/settle.h"

#include <algorithm>
#include <utility>

namespace ringpost::core {
namespace {

using message::Outcome;
using message::RecipientState;
using message::Status;

// RFC 5321 4.5.3.1.10: a server that takes only so many recipients at once says 452 for the rest, which is to be sent
// again at once, not after a retry interval.
constexpr std::uint16_t kTooManyRecipients = 452;
constexpr smtp::EnhancedCode kTooManyRecipientsEnhanced{4, 5, 3};
constexpr Duration kNextTransaction = 1s;
// Some say it for their own reasons, for ever: from this age of the message on it is a deferral like any other.
constexpr Duration kNextTransactionFor = 5min;
constexpr smtp::EnhancedCode kNoAnswer{4, 4, 1};  // RFC 3463 3.5
constexpr std::int64_t kSpreadSteps = 1024;
constexpr View kRemoved = "Removed by an operator";

std::uint16_t one_more(std::uint16_t attempts) {
  return attempts == UINT16_MAX ? attempts : static_cast<std::uint16_t>(attempts + 1);
}

// Recipients of a message that failed one after the other in one attempt come back together, and are one run in the
// record; each message has steps of its own.
WallTime in_step(SpoolId id, WallTime due, Duration wait) {
  constexpr std::int64_t kSteps = 32;  // of a wait
  constexpr std::int64_t kLeast = 250;
  const std::int64_t step = std::max(kLeast, wait / 1ms / kSteps);
  const auto offset = static_cast<std::int64_t>(std::hash<SpoolId>{}(id) % static_cast<std::uint64_t>(step));
  return {(due.milliseconds - offset + step - 1) / step * step + offset};
}

}  // namespace

// Up to a tenth longer than the schedule says, by the message: what failed together does not come back together, and
// recipients of one message still do.
Duration Settle::wait_after(SpoolId id, std::uint16_t attempts) const {
  const auto& schedule = rooms_.config->retry.schedule;
  const std::size_t step = std::min<std::size_t>(std::max<std::uint16_t>(attempts, 1) - 1U, schedule.size() - 1);
  const auto spread = static_cast<std::int64_t>((std::hash<SpoolId>{}(id) >> 32) % std::uint64_t{kSpreadSteps});
  return schedule[step] + schedule[step] / 10 * spread / kSpreadSteps;
}

bool Settle::outcome(spool::Message& message, std::uint32_t recipient, const Outcome& outcome, const Origin& origin) {
  RecipientState state = message.state.at(recipient);
  if (state.status != Status::open && state.status != Status::held) return false;
  const bool was_held = is_held(message.state);
  state.attempts = one_more(state.attempts);
  state.code = outcome.code;
  report::EventType type = report::EventType::delivery;
  std::string host;
  const bool relayed = outcome.kind == Outcome::Kind::delivered && !outcome.dsn_passed_on &&
                       report::wants_relayed(message.envelope, message.envelope.recipient(recipient));
  const bool told_later = outcome.kind != Outcome::Kind::delivered || relayed;
  if (told_later) host = origin.host_name;
  if (told_later && host.empty() && origin.host.known()) host = origin.host.literal();
  state.text = told_later ? outcome.text : View{};
  state.host = host;
  state.enhanced = told_later ? outcome.enhanced : smtp::EnhancedCode{};
  state.attempted = told_later ? rooms_.ring.wall() : WallTime{};
  state.ours = told_later && (outcome.ours || outcome.code == 0 || !origin.host.known());
  switch (outcome.kind) {
    case Outcome::Kind::delivered:
      state.status = relayed ? Status::relayed : Status::delivered;
      ++rooms_.counts.delivered;
      rooms_.queue_time.record(static_cast<std::uint64_t>(
          std::max<std::int64_t>(0, rooms_.ring.wall().milliseconds - message.envelope.accepted.milliseconds)));
      break;
    case Outcome::Kind::later:
      later(message, outcome, state);
      type = report::EventType::transient_failure;
      ++rooms_.counts.deferred;
      break;
    case Outcome::Kind::never:
      state.status = Status::failed;
      type = report::EventType::failure;
      ++rooms_.counts.failed;
      break;
  }
  message.state.set(recipient, state);
  if (state.status != Status::open && state.status != Status::held) {
    if (only_to_tell(message.state)) ++rooms_.counts.kept_failed;
    count_held(message, was_held);
  }
  tell(message, recipient, outcome, type, state.attempts, origin);
  return true;
}

void Settle::later(const spool::Message& message, const Outcome& outcome, RecipientState& state) {
  const WallTime now = rooms_.ring.wall();
  Duration wait = wait_after(message.id, state.attempts);
  const std::size_t taken = message.state.count(Status::delivered) + message.state.count(Status::relayed);
  const bool others_taken = taken > 0 && now < message.envelope.accepted + kNextTransactionFor;
  if (outcome.code == kTooManyRecipients && others_taken &&
      (!outcome.enhanced.given() || outcome.enhanced == kTooManyRecipientsEnhanced)) {
    wait = kNextTransaction;
    --state.attempts;
  }
  // The last wait ends at the expiry, so that a message fails in time and not one interval later.
  state.due = std::max(now, std::min(in_step(message.id, now + wait, wait), expiry(rooms_, message.envelope.accepted)));
}

void Settle::expire(spool::Message& message, std::span<const std::uint32_t> recipients, View site) {
  bool told = false;
  for (const std::uint32_t recipient : recipients) {
    RecipientState state = message.state.at(recipient);
    if (state.status != Status::open) continue;
    if (!std::exchange(told, true)) tell_expiry(message, recipients.size(), site);
    std::string last{state.text};
    if (last.empty()) {
      last = last_error(site);
      state.ours = true;
    }
    std::string text = "Message expired: not delivered within " + config::duration_text(rooms_.config->retry.expire);
    if (!last.empty()) text.append("; last error: ").append(last);
    state.status = Status::failed;
    state.text = last;
    // RFC 3463: 4.4.7 delivery time expired, as a permanent failure.
    state.enhanced = {5, 4, 7};
    message.state.set(recipient, state);
    if (only_to_tell(message.state)) ++rooms_.counts.kept_failed;
    count_held(message, false);
    ++rooms_.counts.failed;
    const Outcome outcome{Outcome::Kind::never, state.code, state.enhanced, text};
    tell(message, recipient, outcome, report::EventType::failure, state.attempts,
         {.host = {}, .host_name = {}, .source = {}, .site = site});
  }
}

void Settle::tell_expiry(const spool::Message& message, std::size_t recipients, View site) {
  rooms_.events.write({.type = report::EventType::expiry,
                       .id = message.id,
                       .from = message.envelope.reverse_path(),
                       .has_from = true,
                       .site = site,
                       .recipients = static_cast<std::uint32_t>(recipients),
                       .queued = rooms_.ring.wall() - message.envelope.accepted});
}

void Settle::count_held(const spool::Message& message, bool was_held) {
  const bool held = is_held(message.state);
  if (held && !was_held) ++rooms_.counts.held;
  if (!held && was_held) --rooms_.counts.held;
}

void Settle::remove(spool::Message& message, std::span<const std::uint32_t> recipients) {
  ++rooms_.operator_changes;
  const bool was_kept = only_to_tell(message.state);
  const bool was_held = is_held(message.state);
  for (const std::uint32_t i : recipients) {
    RecipientState state = message.state.at(i);
    state.status = Status::removed;
    state.text = {};
    message.state.set(i, state);
    tell(message, i, {Outcome::Kind::never, 0, {}, kRemoved}, report::EventType::removal, state.attempts, {});
  }
  const bool is_kept = only_to_tell(message.state);
  if (was_kept && !is_kept) --rooms_.counts.kept_failed;
  if (!was_kept && is_kept) ++rooms_.counts.kept_failed;
  count_held(message, was_held);
}

void Settle::late(spool::Message& message, std::span<const std::uint32_t> recipients, View site) {
  const WallTime now = rooms_.ring.wall();
  bool owed = false;
  for (const std::uint32_t i : recipients) {
    RecipientState state = message.state.at(i);
    if (!report::owed(message.envelope, message.envelope.recipient(i), state, *rooms_.config, now)) continue;
    owed = true;
    if (!state.text.empty()) continue;
    const std::string error = last_error(site);
    state.text = error;
    state.ours = true;
    state.enhanced = kNoAnswer;
    message.state.set(i, state);
  }
  if (owed) save(message);
}

// What stands in the way of one that never had an attempt of its own.
std::string Settle::last_error(View site) const {
  const auto destination = rooms_.queue->find(site);
  return destination ? rooms_.queue->at(*destination).last_error : std::string{};
}

void Settle::hold(spool::Message& message, std::span<const std::uint32_t> recipients) {
  ++rooms_.operator_changes;
  const bool was_held = is_held(message.state);
  for (const std::uint32_t i : recipients) {
    RecipientState state = message.state.at(i);
    state.status = Status::held;
    message.state.set(i, state);
  }
  count_held(message, was_held);
  tell_operation(message, report::EventType::hold, recipients.size(), {});
}

void Settle::release(spool::Message& message, std::span<const std::uint32_t> recipients) {
  const bool was_held = is_held(message.state);
  for (const std::uint32_t i : recipients) {
    RecipientState state = message.state.at(i);
    state.status = Status::open;
    state.due = rooms_.ring.wall();
    message.state.set(i, state);
  }
  count_held(message, was_held);
  tell_operation(message, report::EventType::release, recipients.size(), {});
}

void Settle::reroute(spool::Message& message, std::span<const std::uint32_t> recipients, View destination) {
  ++rooms_.operator_changes;
  for (const std::uint32_t i : recipients) {
    RecipientState state = message.state.at(i);
    state.via = destination;
    state.due = rooms_.ring.wall();
    message.state.set(i, state);
  }
  tell_operation(message, report::EventType::reroute, recipients.size(), destination);
}

void Settle::tell_operation(const spool::Message& message, report::EventType type, std::size_t recipients, View site) {
  rooms_.events.write({.type = type,
                       .id = message.id,
                       .from = message.envelope.reverse_path(),
                       .has_from = true,
                       .to = message.envelope.recipient(0).forward_path,
                       .site = site,
                       .size = message.facts.size,
                       .recipients = static_cast<std::uint32_t>(recipients),
                       .queued = rooms_.ring.wall() - message.envelope.accepted});
}

bool Settle::discard(SpoolId id, bool damaged) {
  spool::Note* note = rooms_.spool->note(id);
  if (note == nullptr || !rooms_.spool->discard(id)) return false;
  const Facts facts = Facts::of(*note);
  rooms_.facts.leave(*note);
  if (!facts.open() && !damaged) --(facts.held() ? rooms_.counts.held : rooms_.counts.kept_failed);
  rooms_.queue->remove(id);
  rooms_.events.write({.type = report::EventType::removal, .id = id, .text = kRemoved});
  return true;
}

void Settle::save(spool::Message& message) { bounce_.save(message); }

std::optional<WallTime> Settle::next_due(const spool::Message& message, std::span<const std::uint32_t> recipients) {
  std::optional<WallTime> next;
  for (const std::uint32_t recipient : recipients) {
    const RecipientState state = message.state.at(recipient);
    if (state.status == Status::open && (!next || state.due < *next)) next = state.due;
  }
  return next;
}

void Settle::tell(const spool::Message& message, std::uint32_t recipient, const Outcome& outcome,
                  report::EventType type, std::uint32_t attempt, const Origin& origin) {
  rooms_.events.write({.type = type,
                       .id = message.id,
                       .from = message.envelope.reverse_path(),
                       .has_from = true,
                       .to = message.envelope.recipient(recipient).forward_path,
                       .peer = origin.host,
                       .host = origin.host_name,
                       .code = outcome.code,
                       .enhanced = outcome.enhanced,
                       .text = outcome.text,
                       .attempt = attempt,
                       .source = origin.source,
                       .site = origin.site,
                       .size = message.facts.size,
                       .took = origin.took,
                       .queued = rooms_.ring.wall() - message.envelope.accepted});
}

}  // namespace ringpost::core
