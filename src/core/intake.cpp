#include "core/intake.h"

#include "core/dispatch.h"
#include "ringpost/base/check.h"

namespace ringpost::core {
namespace {

// Due entries kept for drafts that were begun before the table was nearly full: a message may need one for each
// recipient.
constexpr std::size_t kEntriesSpare = 4096;
// Mail that comes in faster than it goes out: so many parts of the messages in memory wait for their attempt at
// one destination. So few that they are still in the CPU's cache when it comes.
constexpr std::size_t kFlowShare = 32;

receive::Refused words_of(spool::Refusal refusal) {
  switch (refusal) {
    case spool::Refusal::none:
      break;
    case spool::Refusal::disk_full:
      return {452, {4, 3, 1}, "Mail system full, try again later"};
    case spool::Refusal::memory_full:
      return {452, {4, 3, 2}, "Too much mail in progress, try again later"};
    case spool::Refusal::queue_full:
      return {452, {4, 3, 1}, "Queue full, try again later"};
    case spool::Refusal::stopped:
      return {451, {4, 3, 0}, "Mail system stopped, try again later"};
  }
  return {451, {4, 3, 0}, "Try again later"};
}

}  // namespace

Intake::Intake(Rooms& rooms, Dispatch& dispatch, std::uint32_t messages_in_memory)
    : rooms_(rooms),
      dispatch_(dispatch),
      pending_(messages_in_memory),
      flow_(this, ring::call<&Intake::answer_held>),
      flow_timer_(this, ring::call<&Intake::answer_held>) {
  rooms_.warm.on_less(&flow_);
}

Intake::~Intake() { rooms_.warm.on_less(nullptr); }

message::Draft* Intake::begin(receive::Refused& why) {
  const std::uint64_t bound = rooms_.config->limits.queue_messages / rooms_.ring.cores();
  spool::Refusal refusal = rooms_.spool->refusal();
  if (refusal == spool::Refusal::memory_full) {
    rooms_.warm.let_go_all();
    refusal = rooms_.spool->refusal();
  }
  const bool full =
      rooms_.spool->size() >= bound || rooms_.queue->room() < kEntriesSpare + rooms_.config->limits.recipients;
  if (refusal == spool::Refusal::none && full) refusal = spool::Refusal::queue_full;
  spool::Message* message = refusal == spool::Refusal::none ? rooms_.spool->begin() : nullptr;
  if (message == nullptr) why = words_of(refusal);
  return message;
}

void Intake::commit(message::Draft& draft, receive::Ticket ticket) {
  auto& message = static_cast<spool::Message&>(draft);
  message.envelope.accepted = rooms_.ring.wall();
  message.state.reset(message.envelope.recipient_count(), message.envelope.accepted);
  Pending* pending = pending_.acquire(*this, ticket);
  CHECK(pending != nullptr);  // there are as many places as Messages, and each waits once
  pending->begun = rooms_.ring.now();
  rooms_.spool->commit(message, pending->commit);
}

void Intake::committed(Pending& pending, spool::Message& message, const Result<void>& result) {
  if (!result) {
    message.release();
    return answer(pending, result);
  }
  ++rooms_.counts.accepted;
  tell_reception(message);
  const auto destination = queue(message);
  if (!destination || !too_fast(*destination)) return answer(pending, result);
  pending.since = rooms_.ring.now();
  while (held_.size() <= destination->value) held_.emplace_back();
  held_[destination->value].push_back(pending);
  by_age_.push_back(pending);
  if (!flow_timer_.armed()) rooms_.ring.arm(flow_timer_, rooms_.config->receive.flow_delay);
}

std::optional<DestinationId> Intake::queue(spool::Message& message) {
  rooms_.facts.enter(*rooms_.spool->note(message.id), message.envelope, message.state);
  dispatch_.enqueue(message.id, message.envelope, message.state);
  const auto destination = dispatch_.attempted_soon(message.envelope);
  if (destination)
    rooms_.warm.keep(message, *destination, rooms_.spool->statistics());
  else
    message.release();
  return destination;
}

void Intake::answer(Pending& pending, const Result<void>& result) {
  const receive::Ticket ticket = pending.ticket;
  if (result) rooms_.accept_time.record(static_cast<std::uint64_t>((rooms_.ring.now() - pending.begun).count()));
  pending_.release(pending);
  rooms_.receiver->committed(ticket, result);
}

// Each destination for itself: a slow one holds back the mail for no other.
bool Intake::too_fast(DestinationId id) const {
  return rooms_.config->receive.flow_delay > Duration{0} && rooms_.warm.size(id) > pending_.capacity() / kFlowShare;
}

// The longest held first: all whose destination has room again, and those whose time is over.
void Intake::answer_held() {
  for (const DestinationId id : rooms_.warm.eased())
    while (id.value < held_.size() && !held_[id.value].empty() && !too_fast(id)) answer(held_[id.value].front(), {});
  const Instant long_ago = rooms_.ring.now() - rooms_.config->receive.flow_delay;
  while (!by_age_.empty() && by_age_.front().since <= long_ago) answer(by_age_.front(), {});
  if (!by_age_.empty() && !flow_timer_.armed())
    rooms_.ring.arm(flow_timer_, by_age_.front().since + rooms_.config->receive.flow_delay);
}

void Intake::abandon(message::Draft& draft) { static_cast<spool::Message&>(draft).release(); }

void Intake::refused(const SocketAddress& client, View reverse_path, View forward_path, std::uint16_t code,
                     smtp::EnhancedCode enhanced, View text) {
  rooms_.events.write({.type = report::EventType::refusal,
                       .from = reverse_path,
                       .has_from = !reverse_path.empty(),
                       .to = forward_path,
                       .peer = client,
                       .code = code,
                       .enhanced = enhanced,
                       .text = text});
}

void Intake::session_over(const SocketAddress& client, std::uint32_t messages, Duration took) {
  rooms_.events.write(
      {.type = report::EventType::session, .peer = client, .messages = messages, .has_messages = true, .took = took});
}

void Intake::tell_reception(const spool::Message& message) {
  rooms_.events.write({.type = report::EventType::reception,
                       .id = message.id,
                       .from = message.envelope.reverse_path(),
                       .has_from = true,
                       .to = message.envelope.recipient(0).forward_path,
                       .peer = message.envelope.client,
                       .code = 250,
                       .enhanced = {2, 0, 0},
                       .size = message.facts.size,
                       .recipients = static_cast<std::uint32_t>(message.envelope.recipient_count())});
}

}  // namespace ringpost::core
