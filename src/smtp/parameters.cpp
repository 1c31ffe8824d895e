// See parameters.h.
#include "parameters.h"

#include <algorithm>
#include <limits>

namespace ringpost::smtp {
namespace {

constexpr bool high(char c) { return (c & 0x80) != 0; }
constexpr bool letter_or_digit(char c) { return (ascii_lower(c) >= 'a' && ascii_lower(c) <= 'z') || is_digit(c); }

// RFC 5321 4.1.2: esmtp-keyword = (ALPHA / DIGIT) *(ALPHA / DIGIT / "-").
bool keyword_valid(View text) {
  return !text.empty() && letter_or_digit(text.front()) &&
         std::ranges::all_of(text, [](char c) { return letter_or_digit(c) || c == '-'; });
}

// RFC 5321 4.1.2: esmtp-value = 1*(%d33-60 / %d62-126); RFC 6531 3.3 adds UTF-8.
bool value_valid(View text) {
  return !text.empty() &&
         std::ranges::all_of(text, [](char c) { return high(c) || (c > ' ' && c <= '~' && c != '='); });
}

// RFC 3461 4.2: addr-type is an atom, as in message headers.
bool address_type_valid(View text) {
  return !text.empty() && std::ranges::all_of(text, [](char c) { return letter_or_digit(c) || c == '-'; });
}

}  // namespace

View trim(View text) {
  while (!text.empty() && blank(text.front())) text.remove_prefix(1);
  while (!text.empty() && blank(text.back())) text.remove_suffix(1);
  return text;
}

Parsed<Parameter> take_parameter(View& text) {
  while (!text.empty() && blank(text.front())) text.remove_prefix(1);
  const auto end = std::ranges::find_if(text, blank);
  const View word = text.substr(0, static_cast<std::size_t>(end - text.begin()));
  text.remove_prefix(word.size());
  const std::size_t equals = word.find('=');
  Parameter parameter{word.substr(0, equals), {}, equals != View::npos};
  if (parameter.has_value) parameter.value = word.substr(equals + 1);
  if (!keyword_valid(parameter.keyword) || (parameter.has_value && !value_valid(parameter.value)))
    return std::unexpected(Refusal{501, {5, 5, 4}, "Malformed parameter"});
  return parameter;
}

std::optional<std::uint64_t> parse_decimal(View text) {
  constexpr std::uint64_t kMost = std::numeric_limits<std::uint64_t>::max();
  if (text.empty() || text.size() > 20) return std::nullopt;
  std::uint64_t value = 0;
  for (const char c : text) {
    if (!is_digit(c)) return std::nullopt;
    const auto digit = static_cast<std::uint64_t>(c - '0');
    value = value > (kMost - digit) / 10 ? kMost : value * 10 + digit;
  }
  return value;
}

bool envid_valid(View value) {
  std::array<char, kEnvid> decoded;
  const auto length = xtext_decode(value, decoded);
  if (!length || *length == 0) return false;
  // RFC 3461 4.4: before its encoding it consists of printable US-ASCII only.
  return std::ranges::all_of(View{decoded.data(), *length}, [](char c) { return c >= ' ' && c <= '~'; });
}

bool orcpt_valid(View value, bool smtputf8) {
  const std::size_t semicolon = value.find(';');
  if (value.size() > kOrcpt || semicolon == View::npos || !address_type_valid(value.substr(0, semicolon))) return false;
  const View address = value.substr(semicolon + 1);
  if (address.empty()) return false;
  if (std::ranges::none_of(address, high)) return xtext_valid(address);
  // RFC 6533 3: utf-8-addr-unitext, raw UTF-8, only for its own type and under SMTPUTF8.
  return smtputf8 && equal_ignoring_case(value.substr(0, semicolon), "utf-8") && utf8_valid(address) &&
         std::ranges::all_of(address, [](char c) { return high(c) || (c != '+' && c != '='); });
}

bool auth_value_valid(View value) { return value == "<>" || (!value.empty() && xtext_valid(value)); }

std::optional<DsnReturn> parse_return(View value) {
  if (equal_ignoring_case(value, "FULL")) return DsnReturn::full;
  if (equal_ignoring_case(value, "HDRS")) return DsnReturn::headers;
  return std::nullopt;
}

std::optional<std::uint8_t> parse_notify(View value) {
  if (equal_ignoring_case(value, "NEVER")) return kNotifyNever;
  unsigned bits = 0;
  while (true) {
    const View word = value.substr(0, value.find(','));
    if (equal_ignoring_case(word, "SUCCESS"))
      bits |= kNotifySuccess;
    else if (equal_ignoring_case(word, "FAILURE"))
      bits |= kNotifyFailure;
    else if (equal_ignoring_case(word, "DELAY"))
      bits |= kNotifyDelay;
    else
      return std::nullopt;  // RFC 3461 4.1: NEVER stands alone
    if (word.size() == value.size()) return static_cast<std::uint8_t>(bits);
    value.remove_prefix(word.size() + 1);
  }
}

}  // namespace ringpost::smtp
