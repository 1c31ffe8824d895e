// The order of addresses by RFC 6724 6, each rule by itself.
#include <doctest/doctest.h>

#include "ringpost/route.h"

namespace ringpost::route {
namespace {

SocketAddress at(View text) { return SocketAddress::parse(text, 25).value_or(SocketAddress{}); }

Candidate to(View address, View source) {
  Candidate made{at(address), std::nullopt};
  if (!source.empty()) made.source = at(source);
  return made;
}

// The first of two, whichever way round they are given; "" when their order stays.
std::string better(const Candidate& a, const Candidate& b) {
  std::vector<Candidate> one{a, b};
  std::vector<Candidate> other{b, a};
  order_by_rules(one);
  order_by_rules(other);
  return one.front().address == other.front().address ? one.front().address.address_text() : "";
}

}  // namespace

TEST_CASE("rule 1: an address that this machine has no way to comes last") {
  CHECK(better(to("[2001:db8::1]", ""), to("192.0.2.1", "192.0.2.9")) == "192.0.2.1");
  CHECK(better(to("[2001:db8::1]", ""), to("[2001:db8::2]", "")).empty());
}

TEST_CASE("rule 2: the scope of the source is that of the address") {
  CHECK(better(to("[2001:db8::1]", "[fe80::1]"), to("192.0.2.1", "192.0.2.9")) == "192.0.2.1");
}

TEST_CASE("rule 5 and 6: native IPv6 before IPv4, IPv4 before 6to4, Teredo and unique local sources") {
  CHECK(better(to("[2001:db8::1]", "[2001:db8::9]"), to("192.0.2.1", "192.0.2.9")) == "2001:db8::1");
  CHECK(better(to("[2001:db8::1]", "[2002:c000:209::9]"), to("192.0.2.1", "192.0.2.9")) == "192.0.2.1");
  CHECK(better(to("[2001:db8::1]", "[fd00::9]"), to("192.0.2.1", "192.0.2.9")) == "192.0.2.1");
  CHECK(better(to("[2002:c000:201::1]", "[2002:c000:209::9]"), to("192.0.2.1", "192.0.2.9")) == "192.0.2.1");
  CHECK(better(to("[2001::1]", "[2001::9]"), to("192.0.2.1", "192.0.2.9")) == "192.0.2.1");
}

TEST_CASE("rule 9: of two IPv6 addresses the one that shares more of its source's network") {
  CHECK(better(to("[2001:db8:1::1]", "[2001:db8:1::9]"), to("[2001:db8:8000::1]", "[2001:db8:1::9]")) ==
        "2001:db8:1::1");
  // Past the network it says nothing.
  CHECK(better(to("[2001:db8:1::1]", "[2001:db8:1::9]"), to("[2001:db8:1:0:8000::1]", "[2001:db8:1::9]")).empty());
}

TEST_CASE("rule 10: equals stay in their order") {
  CHECK(better(to("192.0.2.1", "192.0.2.9"), to("198.51.100.1", "192.0.2.9")).empty());
}

}  // namespace ringpost::route
