// Network addresses: parsing, text, and the kernel's form. Owns nothing; called by every room that connects, listens,
// or decides by client address. Never asks a resolver: a name is not an address.
#include "ringpost/base/address.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <algorithm>
#include <charconv>
#include <cstring>
#include <optional>

namespace ringpost {
namespace {

constexpr std::array<std::uint8_t, 12> kMappedPrefix{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
constexpr View kLiteralTag = "IPv6:";

// inet_pton wants a terminated string; nothing that is longer than its own limit is an address.
bool parse_octets(int family, View text, void* octets) {
  std::array<char, INET6_ADDRSTRLEN> terminated{};
  if (text.empty() || text.size() >= terminated.size() || text.contains('\0')) return false;
  std::copy(text.begin(), text.end(), terminated.begin());
  return inet_pton(family, terminated.data(), octets) == 1;
}

SocketAddress from_v6_octets(const std::uint8_t* octets) {
  SocketAddress address;
  if (std::equal(kMappedPrefix.begin(), kMappedPrefix.end(), octets)) {
    address.family = Family::v4;
    std::copy_n(octets + kMappedPrefix.size(), 4, address.octets.begin());
  } else {
    address.family = Family::v6;
    std::copy_n(octets, 16, address.octets.begin());
  }
  return address;
}

std::optional<SocketAddress> parse_address(View text) {
  SocketAddress address;
  if (parse_octets(AF_INET, text, address.octets.data())) {
    address.family = Family::v4;
    return address;
  }
  std::array<std::uint8_t, 16> octets{};
  if (parse_octets(AF_INET6, text, octets.data())) return from_v6_octets(octets.data());
  return std::nullopt;
}

// Digits only, no sign, no surplus: the whole of `text` in 0 … limit.
std::optional<unsigned> parse_number(View text, unsigned limit) {
  unsigned value = 0;
  if (text.empty() || !std::all_of(text.begin(), text.end(), is_digit)) return std::nullopt;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || value > limit) return std::nullopt;
  return value;
}

std::string quoted(View text) { return "\"" + std::string(text) + "\""; }

std::unexpected<Error> no_address(View text) {
  return fail(quoted(text) + " is not an IPv4 address or an IPv6 address in brackets");
}

// "[IPv6:::1]", "[::1]" or "[192.0.2.1]", without the brackets.
std::optional<SocketAddress> parse_bracketed(View inner) {
  if (inner.size() >= kLiteralTag.size() && equal_ignoring_case(inner.substr(0, kLiteralTag.size()), kLiteralTag)) {
    inner.remove_prefix(kLiteralTag.size());
  }
  return parse_address(inner);
}

// The address without port or brackets; the end of what was written. IPv4 by hand: inet_ntop prints it with snprintf,
// which is felt where each message names two addresses.
char* put_octets(char* to, const SocketAddress& address) {
  if (address.family == Family::v6) {
    inet_ntop(AF_INET6, address.octets.data(), to, INET6_ADDRSTRLEN);
    return to + std::strlen(to);
  }
  for (std::size_t i = 0; i < 4; ++i) {
    if (i > 0) *to++ = '.';
    to = std::to_chars(to, to + 3, unsigned{address.octets[i]}).ptr;
  }
  return to;
}

std::string octets_text(const SocketAddress& address) {
  std::array<char, INET6_ADDRSTRLEN> text;
  return {text.data(), put_octets(text.data(), address)};
}

bool bit_is_set(const SocketAddress& address, std::size_t bit) {
  return (address.octets[bit / 8] >> (7 - bit % 8) & 1) != 0;
}

}  // namespace

SocketAddress SocketAddress::v4(std::uint8_t a, std::uint8_t b, std::uint8_t c, std::uint8_t d, std::uint16_t port) {
  SocketAddress address;
  address.octets = {a, b, c, d};
  address.port = port;
  address.family = Family::v4;
  return address;
}

Result<SocketAddress> SocketAddress::parse(View text, std::uint16_t default_port) {
  View host = text;
  View port;
  std::optional<SocketAddress> address;
  if (text.starts_with('[')) {
    const std::size_t close = text.find(']');
    if (close == View::npos) return fail(quoted(text) + " lacks the closing bracket");
    host = text.substr(1, close - 1);
    port = text.substr(close + 1);
    address = parse_bracketed(host);
  } else {
    const std::size_t colon = text.find(':');
    if (colon != text.rfind(':')) {
      return fail(quoted(text) + " is not an address and port: an IPv6 address stands in brackets, as in [::1]:25");
    }
    host = text.substr(0, colon);
    port = colon == View::npos ? View{} : text.substr(colon);
    address = parse_address(host);
  }
  if (!address) return no_address(host);
  address->port = default_port;
  if (port.empty()) return *address;
  const std::optional<unsigned> number = port.front() == ':' ? parse_number(port.substr(1), 65535) : std::nullopt;
  if (!number) return fail(quoted(text) + " has no port from 0 to 65535 after the address");
  address->port = static_cast<std::uint16_t>(*number);
  return *address;
}

SocketAddress SocketAddress::from_sockaddr(const sockaddr& from, std::size_t length) {
  SocketAddress address;
  if (from.sa_family == AF_INET && length >= sizeof(sockaddr_in)) {
    sockaddr_in in{};
    std::memcpy(&in, &from, sizeof in);
    std::memcpy(address.octets.data(), &in.sin_addr, 4);
    address.port = ntohs(in.sin_port);
    address.family = Family::v4;
  } else if (from.sa_family == AF_INET6 && length >= sizeof(sockaddr_in6)) {
    sockaddr_in6 in{};
    std::memcpy(&in, &from, sizeof in);
    address = from_v6_octets(in.sin6_addr.s6_addr);
    address.port = ntohs(in.sin6_port);
  }
  return address;
}

std::uint32_t SocketAddress::to_sockaddr(sockaddr_storage& to) const {
  std::memset(&to, 0, sizeof to);
  if (family == Family::v4) {
    sockaddr_in in{};
    in.sin_family = AF_INET;
    in.sin_port = htons(port);
    std::memcpy(&in.sin_addr, octets.data(), 4);
    std::memcpy(&to, &in, sizeof in);
    return sizeof in;
  }
  if (family == Family::v6) {
    sockaddr_in6 in{};
    in.sin6_family = AF_INET6;
    in.sin6_port = htons(port);
    std::memcpy(in.sin6_addr.s6_addr, octets.data(), 16);
    std::memcpy(&to, &in, sizeof in);
    return sizeof in;
  }
  return 0;
}

SocketAddress SocketAddress::with_port(std::uint16_t other) const {
  SocketAddress address = *this;
  address.port = other;
  return address;
}

std::string SocketAddress::address_text() const { return known() ? octets_text(*this) : "none"; }

View SocketAddress::write(std::span<char, kTextLength> room) const {
  if (!known()) return "none";
  char* to = room.data();
  if (family == Family::v6) *to++ = '[';
  to = put_octets(to, *this);
  if (family == Family::v6) *to++ = ']';
  *to++ = ':';
  to = std::to_chars(to, room.data() + room.size(), unsigned{port}).ptr;
  return {room.data(), to};
}

std::string SocketAddress::text() const {
  std::array<char, kTextLength> room;
  return std::string(write(room));
}

std::string SocketAddress::literal() const {
  return family == Family::v6 ? "[IPv6:" + octets_text(*this) + "]" : "[" + address_text() + "]";
}

bool SocketAddress::is_loopback() const {
  if (family == Family::v4) return octets[0] == 127;
  return family == Family::v6 && octets[15] == 1 &&
         std::all_of(octets.begin(), octets.end() - 1, [](std::uint8_t octet) { return octet == 0; });
}

bool SocketAddress::is_unspecified() const {
  if (family == Family::v4) return octets[0] == 0;
  return family == Family::v6 &&
         std::all_of(octets.begin(), octets.end(), [](std::uint8_t octet) { return octet == 0; });
}

bool SocketAddress::is_link_local() const {
  if (family == Family::v4) return octets[0] == 169 && octets[1] == 254;
  return family == Family::v6 && octets[0] == 0xfe && (octets[1] & 0xc0) == 0x80;
}

Result<Network> Network::parse(View text) {
  const std::size_t slash = text.find('/');
  View host = text.substr(0, slash);
  if (host.starts_with('[') && host.ends_with(']')) host = host.substr(1, host.size() - 2);
  const std::optional<SocketAddress> address = parse_address(host);
  if (!address) return fail(quoted(text) + " is not an address or a network such as 10.0.0.0/8 or 2001:db8::/32");

  const auto bits = static_cast<unsigned>(address->address_octets() * 8);
  Network network{.base = *address, .prefix = static_cast<std::uint8_t>(bits)};
  if (slash == View::npos) return network;
  const std::optional<unsigned> prefix = parse_number(text.substr(slash + 1), bits);
  if (!prefix) return fail(quoted(text) + " has no prefix length from 0 to " + std::to_string(bits));
  for (std::size_t bit = *prefix; bit < bits; ++bit) {
    if (bit_is_set(*address, bit)) {
      return fail(quoted(text) + " has address bits set below its prefix: one host is " + address->address_text() +
                  "/" + std::to_string(bits));
    }
  }
  network.prefix = static_cast<std::uint8_t>(*prefix);
  return network;
}

bool Network::contains(const SocketAddress& address) const {
  if (address.family != base.family || !base.known()) return false;
  const std::size_t whole = prefix / 8;
  if (!std::equal(base.octets.begin(), base.octets.begin() + static_cast<std::ptrdiff_t>(whole),
                  address.octets.begin())) {
    return false;
  }
  if (prefix % 8 == 0) return true;
  const unsigned mask = 0xffU << (8 - prefix % 8) & 0xffU;
  return (address.octets[whole] & mask) == (base.octets[whole] & mask);
}

std::string Network::text() const { return base.address_text() + "/" + std::to_string(prefix); }

}  // namespace ringpost

// FNV-1a with a final mix: per-client counters and destination tables are the users; the octets are at most 18.
std::size_t std::hash<ringpost::SocketAddress>::operator()(const ringpost::SocketAddress& address) const noexcept {
  std::uint64_t sum = 0xcbf29ce484222325ULL;
  const auto mix = [&sum](std::uint64_t octet) { sum = (sum ^ octet) * 0x100000001b3ULL; };
  for (const std::uint8_t octet : address.octets) mix(octet);
  mix(address.port & 0xffU);
  mix(std::uint64_t{address.port} >> 8);
  mix(static_cast<std::uint64_t>(address.family));
  return static_cast<std::size_t>(sum ^ (sum >> 29));
}
