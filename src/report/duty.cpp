// Who is owed word: the rules in one place. core acts on them.
#include <algorithm>

#include "ringpost/report.h"

namespace ringpost::report {
namespace {

using message::Envelope;
using message::Recipient;
using message::RecipientState;
using message::Status;

// RFC 3461 4.1: NEVER stands alone, but one that came beside others is obeyed all the same.
bool asks(const Recipient& recipient, smtp::Notify what) {
  return (recipient.notify & smtp::kNotifyNever) == 0 && (recipient.notify & what) != 0;
}

// RFC 3461 4.1: who says nothing is told of failures and delays.
bool wants(const Recipient& recipient, smtp::Notify what) { return recipient.notify == 0 || asks(recipient, what); }

bool wants_delay(const Envelope& envelope, const Recipient& recipient, const RecipientState& state,
                 const config::Config& config) {
  return config.bounce.delay_after > Duration{0} && !state.delay_told && !envelope.reverse_path().empty() &&
         wants(recipient, smtp::kNotifyDelay);
}

WallTime expiry(const Envelope& envelope, const config::Config& config) {
  return envelope.accepted + config.retry.expire;
}

}  // namespace

bool wants_relayed(const Envelope& envelope, const Recipient& recipient) {
  return !envelope.reverse_path().empty() && asks(recipient, smtp::kNotifySuccess);
}

View untold(const Envelope& envelope, const Recipient& recipient, const config::Config& config) {
  if (!envelope.reverse_path().empty()) {
    if ((recipient.notify & smtp::kNotifyNever) != 0) return "nobody is told: NOTIFY=NEVER";
    return wants(recipient, smtp::kNotifyFailure) ? View{} : View{"nobody is told: NOTIFY without FAILURE"};
  }
  // RFC 5321 4.5.5: never a report on what has the null reverse-path. NOTIFY speaks about the sender, who is none.
  if (config.bounce.postmaster.empty()) return "nobody is told: no sender, and bounce.postmaster is not set";
  if (equal_ignoring_case(recipient.forward_path, config.bounce.postmaster))
    return "nobody is told: no sender, and it was for bounce.postmaster";
  return {};
}

std::optional<DsnAction> owed(const Envelope& envelope, const Recipient& recipient, const RecipientState& state,
                              const config::Config& config, WallTime now) {
  switch (state.status) {
    case Status::failed:
      return untold(envelope, recipient, config).empty() ? std::optional{DsnAction::failed} : std::nullopt;
    case Status::relayed:
      return DsnAction::relayed;
    case Status::open:
      if (!wants_delay(envelope, recipient, state, config) || now < envelope.accepted + config.bounce.delay_after ||
          now >= expiry(envelope, config))
        return std::nullopt;
      return DsnAction::delayed;
    case Status::delivered:
    case Status::removed:
    case Status::bounced:
    case Status::held:  // the operator who holds it knows that it is late
      break;
  }
  return std::nullopt;
}

WallTime deadline(const Envelope& envelope, const Recipient& recipient, const RecipientState& state,
                  const config::Config& config) {
  const WallTime end = expiry(envelope, config);
  if (!wants_delay(envelope, recipient, state, config)) return end;
  return std::min(end, envelope.accepted + config.bounce.delay_after);
}

View addressee(const Envelope& envelope, const config::Config& config) {
  return envelope.reverse_path().empty() ? View{config.bounce.postmaster} : envelope.reverse_path();
}

}  // namespace ringpost::report
