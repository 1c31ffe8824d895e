// The rules of access and size, each with its reply. Called by receive for every session; owns nothing.
#include "ringpost/policy.h"

#include <algorithm>

namespace ringpost::policy {
namespace {

constexpr Verdict kAccepted{};
// RFC 5321 3.8: 421 may be given at any point when the service cannot go on.
constexpr Verdict kTooManySessions{421, {4, 3, 2}, "Too many sessions, try again later"};
constexpr Verdict kTooManyOfClient{421, {4, 7, 0}, "Too many sessions from your address, try again later"};
constexpr Verdict kTooManyErrors{421, {4, 7, 0}, "Too many errors, closing"};
constexpr Verdict kRelayDenied{550, {5, 7, 1}, "Relay access denied"};
// RFC 5321 4.5.3.1.10: 452, so that the client sends the others in a transaction of their own.
constexpr Verdict kTooManyRecipients{452, {4, 5, 3}, "Too many recipients, send the others separately"};
constexpr Verdict kTooLarge{552, {5, 3, 4}, "Message size exceeds the limit"};
constexpr Verdict kLoop{554, {5, 4, 6}, "Too many Received fields: this message loops"};

}  // namespace

Verdict may_connect(const Arrival& arrival, const config::Config& config) {
  const std::uint32_t of_client = config.limits.sessions_per_client;
  if (arrival.sessions >= config.limits.sessions) return kTooManySessions;
  if (of_client != 0 && arrival.sessions_of_client >= of_client) return kTooManyOfClient;
  return kAccepted;
}

bool may_relay(const SocketAddress& client, const config::Config& config) {
  const auto& networks = config.relay.networks;
  return std::any_of(networks.begin(), networks.end(),
                     [&](const Network& network) { return network.contains(client); });
}

Verdict may_send(std::optional<std::uint64_t> declared_size, const config::Config& config) {
  return declared_size.value_or(0) > config.limits.message_size ? kTooLarge : kAccepted;
}

Verdict may_write_to(const Recipient& recipient, const config::Config& config) {
  if (!recipient.relay && !recipient.domain.empty()) return kRelayDenied;
  return recipient.taken >= config.limits.recipients ? kTooManyRecipients : kAccepted;
}

Verdict may_contain(std::uint64_t octets, std::uint32_t received, const config::Config& config) {
  if (octets > config.limits.message_size) return kTooLarge;
  return received > config.receive.max_received ? kLoop : kAccepted;
}

Verdict may_go_on(std::uint32_t errors, const config::Config& config) {
  return errors >= config.receive.errors ? kTooManyErrors : kAccepted;
}

}  // namespace ringpost::policy
