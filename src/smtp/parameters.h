// Parameters behind the path of MAIL and RCPT, RFC 5321 4.1.2: keyword ["=" value], parted by blanks; and the values
// that those two commands know. Called by command.cpp only.
#pragma once

#include "ringpost/smtp.h"

namespace ringpost::smtp {

struct Parameter {
  View keyword;
  View value;
  bool has_value = false;
};

constexpr bool blank(char c) { return c == ' ' || c == '\t'; }
View trim(View text);

// Takes the next parameter off the front of `text`, which begins with a blank; a refusal when it is malformed.
Parsed<Parameter> take_parameter(View& text);

// Decimal digits only, 1 … 20 of them; what does not fit 64 bits becomes their largest value.
std::optional<std::uint64_t> parse_decimal(View text);

// Values. Each is false or nothing when malformed.
bool envid_valid(View value);                          // RFC 3461 4.4
bool orcpt_valid(View value, bool smtputf8);           // RFC 3461 4.2, RFC 6533 3
bool auth_value_valid(View value);                     // RFC 4954 5
std::optional<DsnReturn> parse_return(View value);     // RFC 3461 4.3
std::optional<std::uint8_t> parse_notify(View value);  // RFC 3461 4.1

}  // namespace ringpost::smtp
