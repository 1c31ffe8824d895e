#include "core/intake.h"

#include "core/dispatch.h"
#include "ringpost/base/check.h"

namespace ringpost::core {
namespace {

constexpr std::uint64_t kWarmShare = 2;  // warm messages may hold 1/2 of the content pool
constexpr Duration kWarmTime = 10s;      // what was not attempted by then waits for something else than its turn

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
    : rooms_(rooms), dispatch_(dispatch), pending_(messages_in_memory) {}

Intake::~Intake() { cool_all(); }

message::Draft* Intake::begin(receive::Refused& why) {
  const std::uint64_t bound = rooms_.config->limits.queue_messages / rooms_.ring.cores();
  spool::Refusal refusal = rooms_.spool->refusal();
  if (refusal == spool::Refusal::memory_full) {
    cool_all();
    refusal = rooms_.spool->refusal();
  }
  if (refusal == spool::Refusal::none && rooms_.spool->size() >= bound) refusal = spool::Refusal::queue_full;
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
  rooms_.spool->commit(message, pending->commit);
}

void Intake::committed(Pending& pending, spool::Message& message, const Result<void>& result) {
  const receive::Ticket ticket = pending.ticket;
  pending_.release(pending);
  if (!result) {
    message.release();
    return rooms_.receiver->committed(ticket, result);
  }
  ++rooms_.counts.accepted;
  tell_reception(message);
  dispatch_.enqueue(message.id, message.envelope, message.state);
  keep_warm(message);
  rooms_.receiver->committed(ticket, result);
}

void Intake::abandon(message::Draft& draft) { static_cast<spool::Message&>(draft).release(); }

// The oldest are attempted first, so when the pool is short it is the new ones that are not kept: else each would be
// let go just before its turn.
void Intake::keep_warm(spool::Message& message) {
  const WallTime too_old = rooms_.ring.wall() - kWarmTime;
  while (!warm_.empty() && warm_.front().envelope.accepted < too_old) warm_.pop_front().release();
  const spool::Statistics& pool = rooms_.spool->statistics();
  if (pool.chunks_free < pool.chunks_total / kWarmShare) return message.release();
  warm_.push_back(message);
}

void Intake::cool_all() {
  while (!warm_.empty()) warm_.pop_front().release();
}

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
