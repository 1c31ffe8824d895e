// The little that the tools want to know of a message's header.
#pragma once

#include <cstddef>

#include "ringpost/base/bytes.h"

namespace ringpost::tools {

// Where the body begins: behind the first empty line (CRLF, or bare LF from a broken sender); npos: not yet.
// Searches line ends from `search_from` on.
std::size_t body_start(View octets, std::size_t search_from = 0);

// The header of a whole message.
View header_of(View message);

// The value of the first header field of that name (any case), its first line only, blanks around it cut; empty when
// there is none.
View header_value(View header, View name);

}  // namespace ringpost::tools
