// Addresses of the network as values: one end of a connection, and a range of such ends.
// Both are plain, small, compare by value, allocate nothing, and may be used on any thread.
#pragma once

#include <array>
#include <compare>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <string>

#include "ringpost/base/bytes.h"
#include "ringpost/base/result.h"

struct sockaddr;
struct sockaddr_storage;

namespace ringpost {

enum class Family : std::uint8_t { none, v4, v6 };

// An IPv4 or IPv6 address and a TCP port. An IPv4 address stands in the first four octets, the rest is zero. An
// IPv4 client of an IPv6 socket (::ffff:a.b.c.d) is always kept as the IPv4 address it is, so that one rule covers
// both. Scope ids (fe80::1%eth0) are not carried: a relay has no business on a link-local address.
struct SocketAddress {
  std::array<std::uint8_t, 16> octets{};  // network order
  std::uint16_t port = 0;                 // host order; 0: none given
  Family family = Family::none;

  auto operator<=>(const SocketAddress&) const = default;

  static SocketAddress v4(std::uint8_t a, std::uint8_t b, std::uint8_t c, std::uint8_t d, std::uint16_t port);

  // Takes "192.0.2.1:25", "[192.0.2.1]:25", "[2001:db8::1]:25", "[IPv6:2001:db8::1]:25", and each without ":25",
  // which then means `default_port`. An IPv6 address must stand in brackets. The error says what is wrong.
  // Port 0 may be written: for a listener it is the kernel's choice.
  static Result<SocketAddress> parse(View text, std::uint16_t default_port = 0);

  // The kernel's form. from_sockaddr gives family none for anything but AF_INET and AF_INET6.
  static SocketAddress from_sockaddr(const sockaddr& from, std::size_t length);
  // Fills `to` and returns the length that bind and connect want; 0 for family none.
  std::uint32_t to_sockaddr(sockaddr_storage& to) const;

  [[nodiscard]] bool known() const { return family != Family::none; }
  [[nodiscard]] SocketAddress with_port(std::uint16_t other) const;
  [[nodiscard]] std::size_t address_octets() const { return family == Family::v4 ? 4 : known() ? 16 : 0; }

  [[nodiscard]] std::string text() const;  // "192.0.2.1:25", "[2001:db8::1]:25", "none"
  // The same without allocation; the view is of `room` or of a constant.
  static constexpr std::size_t kTextLength = 54;  // octets: 46 of an IPv6 address with its end, brackets, colon, port
  View write(std::span<char, kTextLength> room) const;
  [[nodiscard]] std::string address_text() const;  // "192.0.2.1", "2001:db8::1" (RFC 5952), "none"
  // RFC 5321 4.1.3: "[192.0.2.1]", "[IPv6:2001:db8::1]", as it stands in EHLO and Received.
  [[nodiscard]] std::string literal() const;

  [[nodiscard]] bool is_loopback() const;     // 127.0.0.0/8, ::1
  [[nodiscard]] bool is_unspecified() const;  // 0.0.0.0/8, ::
  [[nodiscard]] bool is_link_local() const;   // 169.254.0.0/16, fe80::/10
};

// An address with a prefix length; the bits below the prefix are zero.
struct Network {
  SocketAddress base;       // port 0
  std::uint8_t prefix = 0;  // leading bits that count: 0 … 32 or 0 … 128

  auto operator<=>(const Network&) const = default;

  // Takes "10.0.0.0/8", "2001:db8::/32", "[2001:db8::]/32" and a bare address, which is one host. Bits set below
  // the prefix ("10.1.2.3/8") are an error: the writer meant another prefix or another address.
  static Result<Network> parse(View text);

  // False for the other family and for family none. The port plays no part.
  [[nodiscard]] bool contains(const SocketAddress& address) const;
  [[nodiscard]] std::string text() const;  // "10.0.0.0/8"
};

}  // namespace ringpost

template <>
struct std::hash<ringpost::SocketAddress> {
  std::size_t operator()(const ringpost::SocketAddress& address) const noexcept;
};
