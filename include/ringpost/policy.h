// May this client do this? Pure functions of facts and Config → Verdict. They count nothing, remember nothing, look at
// no clock and never touch a socket: who asks has counted, and turns the verdict into a reply.
//
// Any thread. Texts are static. None allocates.
#pragma once

#include <cstdint>
#include <optional>

#include "ringpost/base/address.h"
#include "ringpost/base/bytes.h"
#include "ringpost/config.h"
#include "ringpost/smtp.h"

namespace ringpost::policy {

// Yes, or the reply that says no. A 421 also ends the session.
struct Verdict {
  std::uint16_t code = 0;  // 0: accepted
  smtp::EnhancedCode enhanced;
  View text;
  [[nodiscard]] constexpr bool accepted() const { return code == 0; }
};

// A client has connected.
struct Arrival {
  SocketAddress client;
  std::uint32_t sessions = 0;            // open in the whole process, without this one
  std::uint32_t sessions_of_client = 0;  // of them, from the same address
};
Verdict may_connect(const Arrival&, const config::Config&);

// Whether the client may send to any recipient without AUTH (relay.networks). Does not change during a session.
bool may_relay(const SocketAddress& client, const config::Config&);

// MAIL with SIZE= as declared (RFC 1870 6.1), or none.
Verdict may_send(std::optional<std::uint64_t> declared_size, const config::Config&);

// One RCPT of a transaction.
struct Recipient {
  View domain;              // empty: the bare postmaster, which everybody may write to (RFC 5321 4.5.1)
  std::uint32_t taken = 0;  // recipients already accepted in this transaction
  bool relay = false;       // may_relay() of this session
};
Verdict may_write_to(const Recipient&, const config::Config&);

// The content so far, or whole: its octets, and the Received fields found in it (RFC 5321 6.3).
Verdict may_contain(std::uint64_t octets, std::uint32_t received, const config::Config&);

// After each refused command: `errors` refusals in this session, this one counted.
Verdict may_go_on(std::uint32_t errors, const config::Config&);

}  // namespace ringpost::policy
