// xtext, RFC 3461 4: "!" … "~" without "+" and "=", and "+" with two upper-case hexadecimal digits for all else.
#include "ringpost/smtp.h"

namespace ringpost::smtp {
namespace {

constexpr bool plain(char c) { return c >= '!' && c <= '~' && c != '+' && c != '='; }

// 0 … 15; -1 for no digit. Lower case is not xtext.
constexpr int hex_value(char c) {
  if (is_digit(c)) return c - '0';
  return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

struct Octet {
  char value;
  std::size_t length;  // of its written form; 0: malformed
};

Octet first_octet(View text) {
  if (plain(text[0])) return {text[0], 1};
  if (text[0] != '+' || text.size() < 3) return {0, 0};
  const int high = hex_value(text[1]);
  const int low = hex_value(text[2]);
  if (high < 0 || low < 0) return {0, 0};
  return {static_cast<char>(high * 16 + low), 3};
}

}  // namespace

bool xtext_valid(View text) {
  while (!text.empty()) {
    const Octet octet = first_octet(text);
    if (octet.length == 0) return false;
    text.remove_prefix(octet.length);
  }
  return true;
}

std::optional<std::size_t> xtext_decode(View text, Room room) {
  std::size_t written = 0;
  while (!text.empty()) {
    const Octet octet = first_octet(text);
    if (octet.length == 0 || written == room.size()) return std::nullopt;
    room[written++] = octet.value;
    text.remove_prefix(octet.length);
  }
  return written;
}

std::optional<std::size_t> xtext_encode(View text, Room room) {
  static constexpr char kDigits[] = "0123456789ABCDEF";
  std::size_t written = 0;
  for (const char c : text) {
    const std::size_t needed = plain(c) ? 1 : 3;
    if (room.size() - written < needed) return std::nullopt;
    if (plain(c)) {
      room[written++] = c;
      continue;
    }
    const auto octet = static_cast<unsigned char>(c);
    room[written++] = '+';
    room[written++] = kDigits[octet >> 4];
    room[written++] = kDigits[octet & 15];
  }
  return written;
}

}  // namespace ringpost::smtp
