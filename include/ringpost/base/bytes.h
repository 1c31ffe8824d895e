// Views of octets. Mail is octets, not text, but nearly every octet we look at is ASCII: so what is read is a
// std::string_view and what is written to is a std::span<char>. A view owns nothing; each function that takes
// or gives one says how long it must live.
#pragma once

#include <algorithm>
#include <cstddef>
#include <span>
#include <string_view>

namespace ringpost {

using View = std::string_view;
using Room = std::span<char>;

constexpr char ascii_lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c | 0x20) : c; }
constexpr bool is_digit(char c) { return c >= '0' && c <= '9'; }

// RFC 5321 2.4: verbs, keywords and domains compare without regard to ASCII case; never by locale.
constexpr bool equal_ignoring_case(View a, View b) {
  return a.size() == b.size() &&
         std::equal(a.begin(), a.end(), b.begin(), [](char x, char y) { return ascii_lower(x) == ascii_lower(y); });
}

}  // namespace ringpost
