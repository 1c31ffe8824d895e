// Mailboxes, domains and address literals by the grammar of RFC 5321 4.1.2 and 4.1.3, with RFC 6531's UTF-8.
// What is taken is taken as written; nothing is unquoted, folded or completed.
#include <arpa/inet.h>

#include <algorithm>
#include <array>
#include <cstring>

#include "path.h"

namespace ringpost::smtp {
namespace {

constexpr bool high(char c) { return (c & 0x80) != 0; }
constexpr bool letter(char c) { return ascii_lower(c) >= 'a' && ascii_lower(c) <= 'z'; }
constexpr bool letter_or_digit(char c) { return letter(c) || is_digit(c); }

// RFC 5322 3.2.3 atext, as a table: the local part of every address goes through it.
constexpr std::array<bool, 256> kAtext = [] {
  std::array<bool, 256> table{};
  for (unsigned c = 0; c < 256; ++c)
    table[c] = letter_or_digit(static_cast<char>(c)) || View{"!#$%&'*+-/=?^_`{|}~"}.contains(static_cast<char>(c)) ||
               c >= 128;  // RFC 6531 3.3 adds UTF8-non-ascii; well-formedness is checked over the whole address
  return table;
}();

constexpr bool atext(char c) { return kAtext[static_cast<unsigned char>(c)]; }

// Octets of the dot-string at the front of `text`; 0 when there is none.
std::size_t dot_string_length(View text) {
  std::size_t at = 0;
  while (true) {
    const std::size_t begin = at;
    while (at < text.size() && atext(text[at])) ++at;
    if (at == begin) return 0;  // an empty atom: a dot at an end, or two in a row
    if (at == text.size() || text[at] != '.') return at;
    ++at;
  }
}

constexpr bool printable(char c) { return c >= ' ' && c <= '~'; }

// Octets of the quoted string at the front of `text`, quotes included; 0 when it is malformed. RFC 5321 4.1.2:
// qtextSMTP and quoted-pairSMTP hold printable ASCII, no control octet even when quoted; RFC 6531 3.3 adds UTF-8 to the
// former.
std::size_t quoted_string_length(View text) {
  for (std::size_t at = 1; at < text.size(); ++at) {
    if (text[at] == '"') return at + 1;
    if (text[at] == '\\') {
      if (++at == text.size() || !printable(text[at])) return 0;
    } else if (!printable(text[at]) && !high(text[at])) {
      return 0;
    }
  }
  return 0;
}

// Letters, digits, "-", and "_", which names in the field have.
constexpr std::array<bool, 256> kLabelOctets = [] {
  std::array<bool, 256> table{};
  for (unsigned c = 0; c < 256; ++c)
    table[c] = letter_or_digit(static_cast<char>(c)) || View{"-_"}.contains(static_cast<char>(c));
  return table;
}();
constexpr bool label_octet(char c) { return kLabelOctets[static_cast<unsigned char>(c)]; }

bool labels_valid(View text, bool utf8) {
  if (text.empty() || text.size() > kDomain) return false;
  while (true) {
    const View label = text.substr(0, text.find('.'));
    if (label.empty() || label.size() > 63 || label.front() == '-' || label.back() == '-') return false;
    if (!std::ranges::all_of(label, [&](char c) { return label_octet(c) || (utf8 && high(c)); })) return false;
    if (label.size() == text.size()) return true;
    text.remove_prefix(label.size() + 1);
  }
}

// "1.2.3.4" or "2001:db8::1" through inet_pton, which wants a terminated string and takes no shorthand.
bool read_octets(int family, View text, void* octets) {
  std::array<char, INET6_ADDRSTRLEN> terminated{};
  if (text.size() >= terminated.size() || text.contains('\0')) return false;
  std::memcpy(terminated.data(), text.data(), text.size());
  return inet_pton(family, terminated.data(), octets) == 1;
}

// Bytes of the UTF-8 sequence at the front of `text`; 0 when it is malformed. RFC 3629 4.
std::size_t utf8_sequence(View text) {
  const auto at = [&](std::size_t i) { return static_cast<unsigned char>(i < text.size() ? text[i] : 0); };
  const auto tail = [&](std::size_t i) { return (at(i) & 0xC0) == 0x80; };
  const unsigned first = at(0);
  if (first < 0x80) return 1;
  if (first >= 0xC2 && first <= 0xDF) return tail(1) ? 2 : 0;
  if (first >= 0xE0 && first <= 0xEF) {
    const bool second = first == 0xE0 ? at(1) >= 0xA0 : first != 0xED || at(1) <= 0x9F;
    return tail(1) && second && tail(2) ? 3 : 0;
  }
  if (first >= 0xF0 && first <= 0xF4) {
    const bool second = first == 0xF0 ? at(1) >= 0x90 : first != 0xF4 || at(1) <= 0x8F;
    return tail(1) && second && tail(2) && tail(3) ? 4 : 0;
  }
  return 0;
}

bool mail_domain_valid(View domain) {
  return domain.starts_with('[') ? parse_literal(domain).has_value() : domain_valid_utf8(domain);
}

}  // namespace

bool domain_valid(View text) { return labels_valid(text, false); }

bool domain_valid_utf8(View text) { return labels_valid(text, true) && utf8_valid(text); }

bool utf8_valid(View text) {
  while (true) {
    const auto first_high = std::ranges::find_if(text, high);
    text.remove_prefix(static_cast<std::size_t>(first_high - text.begin()));
    if (text.empty()) return true;
    const std::size_t length = utf8_sequence(text);
    if (length == 0) return false;
    text.remove_prefix(length);
  }
}

std::optional<SocketAddress> parse_literal(View text) {
  if (text.size() < 2 || !text.starts_with('[') || !text.ends_with(']')) return std::nullopt;
  const View inside = text.substr(1, text.size() - 2);
  SocketAddress address;
  constexpr View kTag = "IPv6:";
  if (equal_ignoring_case(inside.substr(0, kTag.size()), kTag)) {
    std::array<std::uint8_t, 16> octets{};
    if (!read_octets(AF_INET6, inside.substr(kTag.size()), octets.data())) return std::nullopt;
    // A mapped IPv4 address is kept as the IPv4 address it is (base/address.h).
    constexpr std::array<std::uint8_t, 12> kMapped{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xFF, 0xFF};
    if (std::equal(kMapped.begin(), kMapped.end(), octets.begin()))
      return SocketAddress::v4(octets[12], octets[13], octets[14], octets[15], 0);
    address.octets = octets;
    address.family = Family::v6;
    return address;
  }
  if (!read_octets(AF_INET, inside, address.octets.data())) return std::nullopt;
  address.family = Family::v4;
  return address;
}

std::optional<Address> parse_mailbox(View text) {
  if (text.empty()) return std::nullopt;
  const std::size_t local = text.front() == '"' ? quoted_string_length(text) : dot_string_length(text);
  if (local == 0 || local > kLocalPart || local >= text.size() || text[local] != '@') return std::nullopt;
  Address address{text, text.substr(0, local), text.substr(local + 1), false};
  if (!mail_domain_valid(address.domain)) return std::nullopt;
  address.utf8 = std::ranges::any_of(text, high);
  if (address.utf8 && !utf8_valid(address.local_part)) return std::nullopt;
  return address;
}

// ---- path.h ------------------------------------------------------------------------------------------------

namespace {

// Octets of the path at the front of `text`, brackets included; 0 when it has no end. A ">" inside quotes is content.
std::size_t path_length(View text) {
  const std::size_t first_end = text.find('>');
  if (first_end == View::npos) return 0;
  if (!text.substr(0, first_end).contains('"')) return first_end + 1;
  bool quoted = false;
  for (std::size_t at = 1; at < text.size(); ++at) {
    if (quoted && text[at] == '\\')
      ++at;
    else if (text[at] == '"')
      quoted = !quoted;
    else if (text[at] == '>' && !quoted)
      return at + 1;
  }
  return 0;
}

// RFC 5321 4.1.2 A-d-l ":": "@one.example,@two.example:" in front of the mailbox. Must be accepted, should be ignored
// (RFC 5321 4.1.1.3, appendix C). Takes it off the front of `inside`; false when it is malformed.
bool take_route(View& inside) {
  while (inside.starts_with('@')) {
    const std::size_t end = inside.find_first_of(",:");
    if (end == View::npos || !mail_domain_valid(inside.substr(1, end - 1))) return false;
    const bool last = inside[end] == ':';
    inside.remove_prefix(end + 1);
    if (last) return true;
    if (!inside.starts_with('@')) return false;
  }
  return true;
}

}  // namespace

std::optional<Address> take_path(View& text) {
  if (!text.starts_with('<')) return std::nullopt;
  const std::size_t length = path_length(text);
  if (length == 0) return std::nullopt;
  View inside = text.substr(1, length - 2);
  text.remove_prefix(length);
  if (inside.empty()) return Address{};
  if (equal_ignoring_case(inside, "postmaster")) return Address{inside, inside, {}, false};
  if (!take_route(inside)) return std::nullopt;
  return parse_mailbox(inside);
}

}  // namespace ringpost::smtp
