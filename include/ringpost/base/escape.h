// Peers' text for logs, events and terminals: what a stranger sent must not forge a line, move a cursor or fill a disk.
#pragma once

#include <cstddef>
#include <string>

#include "ringpost/base/bytes.h"

namespace ringpost {

inline constexpr std::size_t kEscapedLimit = 512;  // octets of output where the caller names no other bound

// Printable ASCII is kept; every other octet, and the backslash, becomes \xNN, so what was written can be read back
// exactly. Output longer than `limit` is cut between two whole characters and ends with "...". Any thread.
[[nodiscard]] std::string escaped(View text, std::size_t limit = kEscapedLimit);

// The same, appended to `out`, adding at most `limit` octets.
void append_escaped(std::string& out, View text, std::size_t limit = kEscapedLimit);

}  // namespace ringpost
