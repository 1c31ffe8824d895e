// Replies into outcomes.
#include "deliver/verdict.h"

#include <algorithm>

namespace ringpost::deliver {
namespace {

using message::Outcome;

constexpr std::uint16_t kTooMuchNow = 452;   // RFC 5321 4.2.2
constexpr std::uint16_t kTooMuchEver = 552;  // its RFC 821 form for too many recipients
constexpr smtp::EnhancedCode kBrokenDialogue{4, 5, 0};

smtp::EnhancedCode enhanced_of(const smtp::Reply& reply) {
  if (reply.enhanced.given()) return reply.enhanced;
  return {static_cast<std::uint8_t>(reply.code / 100), 0, 0};  // RFC 3463 3.1: other or undefined status
}

bool contains_ignoring_case(View text, View lower) {
  return std::search(text.begin(), text.end(), lower.begin(), lower.end(),
                     [](char a, char b) { return ascii_lower(a) == b; }) != text.end();
}

}  // namespace

Outcome taken(const smtp::Reply& reply) {
  return {Outcome::Kind::delivered, reply.code, enhanced_of(reply), reply.text};
}

Outcome refusal(const smtp::Reply& reply) {
  if (reply.never()) return {Outcome::Kind::never, reply.code, enhanced_of(reply), reply.text};
  if (reply.later()) return {Outcome::Kind::later, reply.code, enhanced_of(reply), reply.text};
  return {Outcome::Kind::later, reply.code, kBrokenDialogue, reply.text};
}

Outcome recipient_refusal(const smtp::Reply& reply) {
  Outcome outcome = refusal(reply);
  // RFC 5321 4.5.3.1.10: a 552 without a nearer reason (5.2.2 would be a full mailbox) is temporary.
  const bool count = reply.enhanced == smtp::EnhancedCode{5, 5, 3};
  if (reply.code == kTooMuchEver && (count || !reply.enhanced.given())) {
    outcome.kind = Outcome::Kind::later;
    outcome.enhanced = {4, 5, 3};
  }
  return outcome;
}

bool too_many_recipients(const smtp::Reply& reply) {
  if (reply.code != kTooMuchNow && reply.code != kTooMuchEver) return false;
  if (reply.enhanced.given()) return reply.enhanced.subject == 5 && reply.enhanced.detail == 3;
  return contains_ignoring_case(reply.text, "too many recipients");
}

Outcome host_refusal(const smtp::Reply& reply) {
  Outcome outcome = refusal(reply);
  if (outcome.kind == Outcome::Kind::never) outcome.enhanced.kind = 4;
  outcome.kind = Outcome::Kind::later;
  return outcome;
}

Outcome finding(smtp::EnhancedCode code, View text) {
  const auto kind = code.kind == 5 ? Outcome::Kind::never : Outcome::Kind::later;
  return {kind, 0, code, text};
}

}  // namespace ringpost::deliver
