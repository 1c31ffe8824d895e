// Addresses and networks: what is taken, what is refused, and that text and kernel form come back unchanged.
#include "ringpost/base/address.h"

#include <arpa/inet.h>
#include <doctest/doctest.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <array>
#include <unordered_set>

using ringpost::Family;
using ringpost::Network;
using ringpost::SocketAddress;

namespace {

std::string error_of(std::string_view text) {
  const auto parsed = SocketAddress::parse(text);
  return parsed ? "" : parsed.error().text;
}

SocketAddress at(std::string_view text) { return SocketAddress::parse(text, 25).value_or(SocketAddress{}); }

}  // namespace

TEST_CASE("an IPv4 address is read with and without port and brackets") {
  CHECK(at("192.0.2.1:2525") == SocketAddress::v4(192, 0, 2, 1, 2525));
  CHECK(at("192.0.2.1") == SocketAddress::v4(192, 0, 2, 1, 25));
  CHECK(at("[192.0.2.1]") == SocketAddress::v4(192, 0, 2, 1, 25));
  CHECK(at("192.0.2.1:0") == SocketAddress::v4(192, 0, 2, 1, 0));
  CHECK(at("[192.0.2.1]:26") == SocketAddress::v4(192, 0, 2, 1, 26));
}

TEST_CASE("an IPv6 address is read in brackets, with and without the SMTP tag") {
  CHECK(at("[2001:db8::1]:26").text() == "[2001:db8::1]:26");
  CHECK(at("[IPv6:2001:DB8:0::1]").text() == "[2001:db8::1]:25");
  CHECK(at("[2001:db8::1]").family == Family::v6);
}

TEST_CASE("an IPv4 address in IPv6 clothes is the IPv4 address") {
  CHECK(at("[::ffff:192.0.2.1]:26") == SocketAddress::v4(192, 0, 2, 1, 26));
}

TEST_CASE("what is no address is refused with a word about why") {
  CHECK(error_of("mail.example.net:25").find("not an IPv4 address") != std::string::npos);
  CHECK(error_of("::1:25").find("brackets") != std::string::npos);
  CHECK(error_of("[::1").find("closing bracket") != std::string::npos);
  for (const char* port :
       {"127.0.0.1:65536", "127.0.0.1:", "127.0.0.1:+25", "127.0.0.1:25x", "[::1]25", "127.0.0.1:99999999999"}) {
    CAPTURE(port);
    CHECK(error_of(port).find("port from 0 to 65535") != std::string::npos);
  }
  for (const char* bad : {"", ":25", "256.0.0.1:25", "1.2.3:25", "[]:25", "[::1%lo]:25", "*:25", "127.0.0.1 :25"}) {
    CAPTURE(bad);
    CHECK_FALSE(error_of(bad).empty());
  }
  CHECK_FALSE(error_of(std::string_view("127.0.0.1\0:25", 13)).empty());
}

TEST_CASE("text, address and literal forms") {
  CHECK(at("127.0.0.1:2526").text() == "127.0.0.1:2526");
  CHECK(at("127.0.0.1:2526").address_text() == "127.0.0.1");
  CHECK(at("127.0.0.1:2526").literal() == "[127.0.0.1]");
  CHECK(at("[::1]:25").address_text() == "::1");
  CHECK(at("[::1]:25").literal() == "[IPv6:::1]");
  CHECK(SocketAddress{}.text() == "none");
  CHECK_FALSE(SocketAddress{}.known());
}

TEST_CASE("the longest address has room for its text") {
  const auto longest = SocketAddress::parse("[1111:2222:3333:4444:5555:6666:7777:8888]:65535");
  REQUIRE(longest);
  std::array<char, SocketAddress::kTextLength> room;
  CHECK(longest->write(room) == "[1111:2222:3333:4444:5555:6666:7777:8888]:65535");
  CHECK(SocketAddress::v4(255, 255, 255, 255, 65535).write(room) == "255.255.255.255:65535");
  CHECK(SocketAddress::v4(0, 10, 200, 3, 0).write(room) == "0.10.200.3:0");
  CHECK(SocketAddress{}.write(room) == "none");
}

TEST_CASE("the kernel's form comes back unchanged") {
  for (const char* text : {"127.0.0.1:2526", "[2001:db8::1]:25", "[::]:1"}) {
    CAPTURE(text);
    sockaddr_storage storage{};
    const std::uint32_t length = at(text).to_sockaddr(storage);
    REQUIRE(length > 0);
    const auto& generic = reinterpret_cast<const sockaddr&>(storage);
    CHECK(SocketAddress::from_sockaddr(generic, length) == at(text));
    CHECK_FALSE(SocketAddress::from_sockaddr(generic, length - 1).known());
  }
}

TEST_CASE("an IPv4 client of a dual-stack socket is kept as IPv4") {
  sockaddr_in6 in{};
  in.sin6_family = AF_INET6;
  in.sin6_port = htons(4000);
  REQUIRE(inet_pton(AF_INET6, "::ffff:10.1.2.3", &in.sin6_addr) == 1);
  CHECK(SocketAddress::from_sockaddr(reinterpret_cast<const sockaddr&>(in), sizeof in) ==
        SocketAddress::v4(10, 1, 2, 3, 4000));
}

TEST_CASE("a unix socket is no network address and no address has no kernel form") {
  sockaddr unix_peer{};
  unix_peer.sa_family = AF_UNIX;
  CHECK_FALSE(SocketAddress::from_sockaddr(unix_peer, sizeof unix_peer).known());
  sockaddr_storage storage{};
  CHECK(SocketAddress{}.to_sockaddr(storage) == 0);
}

TEST_CASE("loopback, unspecified and link-local space are told apart") {
  CHECK(at("127.255.0.1").is_loopback());
  CHECK(at("[::1]").is_loopback());
  CHECK_FALSE(at("128.0.0.1").is_loopback());
  CHECK_FALSE(at("[::2]").is_loopback());
  CHECK(at("0.0.0.0").is_unspecified());
  CHECK(at("[::]").is_unspecified());
  CHECK_FALSE(at("[::1]").is_unspecified());
  CHECK(at("169.254.1.1").is_link_local());
  CHECK(at("[febf::1]").is_link_local());
  CHECK_FALSE(at("[fec0::1]").is_link_local());
}

TEST_CASE("a network holds its addresses and no others") {
  const auto ten = Network::parse("10.0.0.0/8");
  REQUIRE(ten);
  CHECK(ten->contains(at("10.255.255.255")));
  CHECK_FALSE(ten->contains(at("11.0.0.0")));
  CHECK_FALSE(ten->contains(at("[::1]")));
  CHECK_FALSE(ten->contains(SocketAddress{}));

  const auto odd = Network::parse("192.0.2.64/27");
  REQUIRE(odd);
  CHECK(odd->contains(at("192.0.2.95")));
  CHECK_FALSE(odd->contains(at("192.0.2.96")));
  CHECK_FALSE(odd->contains(at("192.0.2.63")));

  const auto six = Network::parse("2001:db8::/33");
  REQUIRE(six);
  CHECK(six->contains(at("[2001:db8:7fff::1]")));
  CHECK_FALSE(six->contains(at("[2001:db8:8000::1]")));
  CHECK(six->text() == "2001:db8::/33");
}

TEST_CASE("a bare address is a network of one host and /0 is everyone of the family") {
  const auto host = Network::parse("::1");
  REQUIRE(host);
  CHECK(host->prefix == 128);
  CHECK(host->contains(at("[::1]")));
  CHECK_FALSE(host->contains(at("[::2]")));
  const auto all = Network::parse("0.0.0.0/0");
  REQUIRE(all);
  CHECK(all->contains(at("203.0.113.9")));
  CHECK_FALSE(all->contains(at("[::1]")));
  CHECK_FALSE(Network{}.contains(at("[::1]")));
}

TEST_CASE("what is no network is refused") {
  for (const char* bad : {"", "10.0.0.0/33", "10.0.0.0/", "10.0.0.0/-1", "10.0.0.0/8/8", "example.net", "10/8",
                          "2001:db8::/129", "10.0.0.1/8", "0.0.0.1/0"}) {
    CAPTURE(bad);
    CHECK_FALSE(Network::parse(bad));
  }
  CHECK(Network::parse("10.1.2.3/8").error().text.find("below its prefix") != std::string::npos);
}

TEST_CASE("addresses that differ in one octet or the port hash apart") {
  std::unordered_set<std::size_t> hashes;
  for (unsigned last = 0; last < 256; ++last) {
    for (std::uint16_t port = 1; port <= 16; ++port) {
      hashes.insert(std::hash<SocketAddress>{}(SocketAddress::v4(10, 0, 0, static_cast<std::uint8_t>(last), port)));
    }
  }
  CHECK(hashes.size() == 256 * 16);
}
