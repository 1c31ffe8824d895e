// Peers' text made harmless.
#include "ringpost/base/escape.h"

#include <algorithm>

namespace ringpost {

namespace {

constexpr View kCut = "...";
constexpr std::size_t kEscapeLength = 4;  // \xNN

constexpr bool is_plain(char c) { return c >= ' ' && c <= '~' && c != '\\'; }

void append_octet(std::string& out, char c) {
  constexpr View kHex = "0123456789ABCDEF";
  const auto octet = static_cast<unsigned char>(c);
  const char text[kEscapeLength] = {'\\', 'x', kHex[octet >> 4], kHex[octet & 15]};
  out.append(text, kEscapeLength);
}

// How many octets of `text` fit into `room` octets of output.
std::size_t fitting(View text, std::size_t room) {
  std::size_t taken = 0;
  for (; taken < text.size(); ++taken) {
    const std::size_t cost = is_plain(text[taken]) ? 1 : kEscapeLength;
    if (cost > room) break;
    room -= cost;
  }
  return taken;
}

}  // namespace

void append_escaped(std::string& out, View text, std::size_t limit) {
  const bool whole = fitting(text, limit) == text.size();
  const View shown = whole ? text : text.substr(0, fitting(text, limit - std::min(limit, kCut.size())));
  for (const char c : shown) {
    if (is_plain(c))
      out.push_back(c);
    else
      append_octet(out, c);
  }
  if (!whole) out.append(kCut.substr(0, limit));
}

std::string escaped(View text, std::size_t limit) {
  std::string out;
  append_escaped(out, text, limit);
  return out;
}

}  // namespace ringpost
