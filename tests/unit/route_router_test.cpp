// Routes: which of them a domain takes, and which of them are one destination.
#include <doctest/doctest.h>

#include "ringpost/route.h"

using ringpost::SocketAddress;
using ringpost::View;
using ringpost::route::Router;

namespace config = ringpost::config;

namespace {

config::Route route(const std::string& domain, std::uint16_t port) {
  config::Route route;
  route.domain = domain;
  route.hosts = {{SocketAddress::v4(127, 0, 0, 1, port), {}}};
  return route;
}

config::Config with(std::vector<config::Route> routes) {
  config::Config config;
  config.hostname = "mx1.example.net";
  config.routes = std::move(routes);
  return config;
}

// The destination's name.
std::string name_of(const Router& router, View domain) {
  std::string scratch;
  return std::string(router.place(domain, scratch).name);
}

}  // namespace

TEST_CASE("a domain takes its own route, whatever the case") {
  const Router router(with({route("example.net", 1), route("example.org", 2)}));
  CHECK(name_of(router, "example.net") == "127.0.0.1:1");
  CHECK(name_of(router, "EXAMPLE.Org") == "127.0.0.1:2");
  CHECK(name_of(router, "example.com") == "example.com");
}

TEST_CASE("a pattern with a dot takes the domains below and not the domain itself") {
  const Router router(with({route(".example.net", 1)}));
  CHECK(name_of(router, "a.example.net") == "127.0.0.1:1");
  CHECK(name_of(router, "A.b.Example.NET") == "127.0.0.1:1");
  CHECK(name_of(router, "example.net") == "example.net");
  CHECK(name_of(router, "badexample.net") == "badexample.net");
  CHECK(name_of(router, ".example.net") == ".example.net");
}

TEST_CASE("the first match in the file wins, whatever kind it is") {
  const Router router(with({route("a.example.net", 1), route(".b.example.net", 2), route(".example.net", 3),
                            route("x.example.net", 4), route("*", 5), route("example.org", 6)}));
  CHECK(name_of(router, "a.example.net") == "127.0.0.1:1");
  CHECK(name_of(router, "c.b.example.net") == "127.0.0.1:2");
  CHECK(name_of(router, "c.example.net") == "127.0.0.1:3");
  CHECK(name_of(router, "x.example.net") == "127.0.0.1:3");
  CHECK(name_of(router, "example.net") == "127.0.0.1:5");
  CHECK(name_of(router, "example.org") == "127.0.0.1:5");
}

TEST_CASE("the same pattern twice means its first place") {
  const Router router(with({route("example.net", 1), route("example.net", 2), route("*", 3), route("*", 4)}));
  CHECK(name_of(router, "example.net") == "127.0.0.1:1");
  CHECK(name_of(router, "example.org") == "127.0.0.1:3");
}

TEST_CASE("an address literal is a domain like another") {
  const Router router(with({route("[192.0.2.1]", 1)}));
  CHECK(name_of(router, "[192.0.2.1]") == "127.0.0.1:1");
  CHECK(name_of(router, "[192.0.2.2]") == "[192.0.2.2]");
}

TEST_CASE("a domain without a route is a destination by itself, in lower case and without its final dot") {
  const Router router(with({route("example.org", 1)}));
  CHECK(router.find("Example.NET").by_mx());
  CHECK(name_of(router, "Example.NET") == "example.net");
  CHECK(name_of(router, "example.net.") == "example.net");
  CHECK_FALSE(router.find("example.org").by_mx());
}

TEST_CASE("a route without hosts is by MX, with its own manners") {
  config::Route slow;
  slow.domain = ".example.net";
  slow.manners.connections = 2;
  const Router router(with({slow, route("*", 1)}));
  CHECK(router.find("a.example.net").by_mx());
  CHECK(router.find("a.example.net").manners.connections == 2);
  CHECK(name_of(router, "A.example.net") == "a.example.net");
  CHECK(name_of(router, "b.example.net") == "b.example.net");
  CHECK(name_of(router, "example.org") == "127.0.0.1:1");
}

TEST_CASE("international domains and their A-labels are one destination and match one route") {
  const Router router(
      with({route("b\xc3\xbc"
                  "cher.example",
                  1)}));
  CHECK(name_of(router, "xn--bcher-kva.example") == "127.0.0.1:1");
  CHECK(name_of(router,
                "B\xc3\x9c"
                "CHER.example") == "127.0.0.1:1");
  CHECK(name_of(router,
                "stra\xc3\x9f"
                "e.example") == "xn--strae-oqa.example");
  CHECK(name_of(router, "\xff.example") == "\xff.example");  // no UTF-8: it stays what it is, and is no domain
}

TEST_CASE("a host by name makes the name of its destination") {
  config::Route named = route("*", 1);
  named.hosts = {{SocketAddress{.octets = {}, .port = 2525, .family = ringpost::Family::none}, "mail.example.net"}};
  const Router router(with({named}));
  CHECK(name_of(router, "example.org") == "mail.example.net:2525");
}

TEST_CASE("the bare postmaster goes where this relay's own name goes") {
  const Router router(with({route("mx1.example.net", 1), route("*", 2)}));
  CHECK(name_of(router, "") == "127.0.0.1:1");
}

TEST_CASE("routes with the same hosts and manners are one destination, others are not") {
  config::Route slow = route("slow.example.net", 1);
  slow.manners.connections = 2;
  const Router router(with({route("example.net", 1), slow, route("example.org", 1), route("example.com", 2)}));
  CHECK(&router.find("example.net") == &router.find("example.org"));
  CHECK(&router.find("example.net") != &router.find("example.com"));
  const auto& other = router.find("slow.example.net");
  CHECK(&other != &router.find("example.net"));
  CHECK(other.name != router.find("example.net").name);
  CHECK(other.manners.connections == 2);
  CHECK(router.routes().size() == 4);
}

TEST_CASE("hosts stay in order and make the name") {
  config::Route two = route("*", 1);
  two.hosts.push_back({SocketAddress::parse("[::1]:2").value_or(SocketAddress{}), {}});
  const Router router(with({two}));
  CHECK(name_of(router, "example.net") == "127.0.0.1:1,[::1]:2");
  CHECK(router.find("example.net").hosts == two.hosts);
}

TEST_CASE("a destination is found by its name and its limits may change under it") {
  config::Route changed = route("*", 1);
  changed.manners.connections = 3;
  const Router before(with({route("*", 1)}));
  const Router after(with({changed}));
  const auto* found = after.by_name(before.find("example.net").name);
  REQUIRE(found != nullptr);
  CHECK(found->manners.connections == 3);
  CHECK(after.by_name("127.0.0.1:9") == nullptr);
  CHECK(after.by_name("example.net") == nullptr);  // "*" takes it: there is no such destination
  const Router open(with({route("example.org", 1)}));
  CHECK(open.by_name("example.net") == &open.routes().back());
  CHECK(open.by_name("[192.0.2.1]") == &open.routes().back());
  CHECK(open.by_name("[IPv6:2001:db8::1]") == &open.routes().back());
  CHECK(open.by_name("[2001:db8::1]:25") == nullptr);
}

TEST_CASE("ten thousand routes are told apart") {
  std::vector<config::Route> routes;
  for (int i = 0; i < 10'000; ++i) {
    routes.push_back(route("d" + std::to_string(i) + ".example", static_cast<std::uint16_t>(i + 1)));
  }
  const Router router(with(std::move(routes)));
  CHECK(name_of(router, "d0.example") == "127.0.0.1:1");
  CHECK(name_of(router, "D9999.example") == "127.0.0.1:10000");
  CHECK(name_of(router, "d10000.example") == "d10000.example");
}

TEST_CASE("a domain of nothing but dots finds nothing and ends") {
  const Router router(with({route(".example.net", 1)}));
  CHECK(name_of(router, std::string(255, '.')) == std::string(254, '.'));
  CHECK(name_of(router, ".").empty());
}
