// Filter: which messages an operator's command is about, made of a request once and the same for all cores. Decides by
// what a message says when it is in memory; search.h decides before, by its facts. Pure.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "ringpost/control.h"
#include "ringpost/route.h"
#include "ringpost/spool.h"

namespace ringpost::core {

// How a message as a whole stands, as people see it.
enum class Standing : std::uint8_t {
  queued,   // some recipient will be attempted
  held,     // none of those, some are held
  failed,   // none of both: its sender is still to be told
  damaged,  // its record on the disk cannot be read
};
View word_of(Standing);
Standing standing_of(const message::State&);

// Where a recipient goes: the destination that an operator chose, while there is such a one, else by its domain. Lives
// as long as state, router and scratch.
View destination_name(const message::Recipient& recipient, const message::RecipientState& state,
                      const route::Router& router, std::string& scratch);

// "user@example.net", any user "@example.net", or "<>".
struct AddressWanted {
  bool given = false;
  bool any_user = false;
  std::string text;    // lower case; of any_user the domain
  std::string domain;  // lower case
  [[nodiscard]] bool fits(View address, View domain) const;
};

struct Filter {
  static Result<Filter> of(const control::Request& request, WallTime now);

  std::optional<SpoolId> id;
  std::string destination;
  AddressWanted from, to;
  std::optional<WallTime> accepted_until;  // older
  std::optional<WallTime> accepted_since;  // newer
  std::string error;                       // lower case
  std::uint16_t code = 0;
  std::optional<Standing> standing;

  // Without any condition it is about every message.
  [[nodiscard]] bool empty() const;
  // Whether it is about some recipients of a message and not about others.
  [[nodiscard]] bool about_recipients() const;
  // Some recipient of the message fits, and so does the message.
  [[nodiscard]] bool fits(const spool::Message& message, const route::Router& router) const;
  [[nodiscard]] bool recipient_fits(const spool::Message& message, std::uint32_t index,
                                    const route::Router& router) const;
  [[nodiscard]] bool error_fits(View text, std::uint16_t reply_code) const;
  // As in a request, for the event: "from=@example.net older=2h".
  std::string text;
};

}  // namespace ringpost::core
