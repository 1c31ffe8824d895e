// Enhanced status codes, RFC 3463 2: class "." subject "." detail, subject and detail of one to three digits.
#include "ringpost/base/check.h"
#include "ringpost/smtp.h"

namespace ringpost::smtp {
namespace {

// Takes one to three digits off the front of `text`; nothing when there are none or more.
std::optional<std::uint16_t> take_number(View& text) {
  unsigned value = 0;
  std::size_t digits = 0;
  for (; digits < text.size() && is_digit(text[digits]); ++digits) {
    if (digits == 3) return std::nullopt;
    value = value * 10 + static_cast<unsigned>(text[digits] - '0');
  }
  if (digits == 0) return std::nullopt;
  text.remove_prefix(digits);
  return static_cast<std::uint16_t>(value);
}

bool take_dot(View& text) {
  if (!text.starts_with('.')) return false;
  text.remove_prefix(1);
  return true;
}

char* put_number(char* at, unsigned value) {
  if (value >= 100) *at++ = static_cast<char>('0' + value / 100 % 10);
  if (value >= 10) *at++ = static_cast<char>('0' + value / 10 % 10);
  *at++ = static_cast<char>('0' + value % 10);
  return at;
}

}  // namespace

View EnhancedCode::write(Room room) const {
  if (!given()) return {};
  CHECK(room.size() >= kTextLength && kind < 10 && subject < 1000 && detail < 1000);
  char* at = room.data();
  *at++ = static_cast<char>('0' + kind);
  *at++ = '.';
  at = put_number(at, subject);
  *at++ = '.';
  at = put_number(at, detail);
  return {room.data(), static_cast<std::size_t>(at - room.data())};
}

EnhancedCode EnhancedCode::parse(View text) {
  const auto kind = take_number(text);
  if (!kind || (*kind != 2 && *kind != 4 && *kind != 5) || !take_dot(text)) return {};
  const auto subject = take_number(text);
  if (!subject || !take_dot(text)) return {};
  const auto detail = take_number(text);
  if (!detail || !text.empty()) return {};
  return {static_cast<std::uint8_t>(*kind), *subject, *detail};
}

}  // namespace ringpost::smtp
