// The Finder: mail exchangers by the rules of RFC 5321 5.1, one by one, against a simulated name server.
#include <doctest/doctest.h>

#include <memory>
#include <set>

#include "../sim/dns_server.h"
#include "../sim/world.h"
#include "ringpost/route.h"

namespace ringpost::route {
namespace {

using Kind = message::Outcome::Kind;

const SocketAddress kServer = SocketAddress::v4(192, 0, 2, 53, 53);

struct Scene {
  sim::World world{{.seed = 5}};
  sim::DnsServer server;
  dns::Resolver resolver{world.ring(), {{kServer}, 1 << 20}};
  std::shared_ptr<config::Config> config = std::make_shared<config::Config>();
  std::unique_ptr<Finder> finder;
  Finding finding;
  int times = 0;
  Search search{this, [](void* self, const Finding& found) {
                  static_cast<Scene*>(self)->finding = found;
                  ++static_cast<Scene*>(self)->times;
                }};

  explicit Scene(View zone) : server(world, kServer, zone) {
    config->hostname = "relay.example.net";
    config->listeners = {{SocketAddress::v4(0, 0, 0, 0, 25), config::ListenerKind::relay}};
    config->own_addresses = {SocketAddress::v4(198, 51, 100, 1, 0)};
    finder = std::make_unique<Finder>(world.ring(), resolver, config);
  }
  ~Scene() {
    resolver.stop();
    world.run_until([&] { return resolver.idle(); });
  }
  const Finding& find(const Route& route, View name) {
    times = 0;
    finding = {};
    finder->find(route, name, search);
    CHECK(times == 0);  // never from inside
    CHECK(world.run_until([&] { return times > 0; }));
    CHECK(!search.searching());
    return finding;
  }
  const Finding& find(View domain) { return find(Route{}, domain); }
  // "mx1.test=192.0.2.1:25 …", in the order of trial.
  std::string hosts(View domain) {
    find(domain);
    REQUIRE(finding.hosts != nullptr);
    std::string text;
    for (const Host& host : finding.hosts->list)
      text += (text.empty() ? "" : " ") + host.name + "=" + host.address.text();
    return text;
  }
  // "5.1.2 words"; "" where hosts were found.
  std::string verdict(View domain) {
    find(domain);
    if (finding.hosts) return "";
    char room[smtp::EnhancedCode::kTextLength];
    CHECK(finding.kind == (finding.enhanced.kind == 4 ? Kind::later : Kind::never));
    return std::string(finding.enhanced.write(room)) + " " + finding.text;
  }
};

}  // namespace

TEST_CASE("mail exchangers are tried by preference, the lowest first") {
  Scene scene(
      "d.test MX 20 b.test\nd.test MX 10 a.test\nd.test MX 30 c.test\na.test A 192.0.2.1\nb.test A 192.0.2.2\n"
      "c.test A 192.0.2.3\n");
  CHECK(scene.hosts("d.test") == "a.test=192.0.2.1:25 b.test=192.0.2.2:25 c.test=192.0.2.3:25");
}

TEST_CASE("equals are in random order, and never before a better one") {
  Scene scene(
      "d.test 1 MX 10 a.test\nd.test 1 MX 10 b.test\nd.test 1 MX 5 best.test\na.test A 192.0.2.1\nb.test A 192.0.2.2\n"
      "best.test A 192.0.2.9\n");
  std::set<std::string> orders;
  for (int i = 0; i < 30; ++i) {
    orders.insert(scene.hosts("d.test"));
    scene.world.run_for(2s);
  }
  CHECK(orders.size() == 2);
  for (const std::string& order : orders) CHECK(order.starts_with("best.test=192.0.2.9:25 "));
}

TEST_CASE("a domain without MX is its own exchanger, also behind a CNAME") {
  Scene scene("d.test A 192.0.2.1\nd.test AAAA 2001:db8::7\nalias.test CNAME d.test\nmx.test MX 10 alias.test\n");
  CHECK(scene.hosts("d.test") == "d.test=[2001:db8::7]:25 d.test=192.0.2.1:25");
  CHECK(scene.hosts("alias.test") == "d.test=[2001:db8::7]:25 d.test=192.0.2.1:25");
  CHECK(scene.hosts("mx.test") == "alias.test=[2001:db8::7]:25 alias.test=192.0.2.1:25");  // not allowed, and common
}

TEST_CASE("a domain that does not exist fails, one without any address too, each with its code") {
  Scene scene("txt.test TXT hello\nhollow.test MX 10 gone.test\n");
  CHECK(scene.verdict("gone.test") == "5.1.2 gone.test does not exist (NXDOMAIN)");
  CHECK(scene.finding.code == 0);
  CHECK(scene.verdict("txt.test") == "5.4.4 no mail exchanger of txt.test has an address");
  CHECK(scene.verdict("hollow.test") == "5.4.4 no mail exchanger of hollow.test has an address");
  CHECK(scene.verdict("a..b") == "5.1.2 \"a..b\" is no domain name");
}

TEST_CASE("a null MX is a refusal by the domain itself: 556 5.1.10") {
  Scene scene(
      "null.test MX 0 .\nnull.test A 192.0.2.1\nmixed.test MX 0 .\nmixed.test MX 10 a.test\na.test A 192.0.2.1\n");
  CHECK(scene.verdict("null.test") == "5.1.10 null.test takes no mail: it says so by a null MX record");
  CHECK(scene.finding.code == 556);
  // RFC 7505 3: beside others it is no null MX, and no host either.
  CHECK(scene.hosts("mixed.test") == "a.test=192.0.2.1:25");
}

TEST_CASE("no answer is no verdict: later, 4.4.3, in the resolver's words") {
  Scene scene("bad.test !servfail\nhalf.test MX 10 lost.test\nlost.test !servfail\n");
  CHECK(scene.verdict("bad.test") == "4.4.3 the MX record of bad.test is not known: 192.0.2.53:53: it says SERVFAIL");
  CHECK(scene.verdict("half.test").starts_with("4.4.3 the A"));
}

TEST_CASE("the trouble of one exchanger spoils no other, and is looked at again before long") {
  Scene scene(
      "d.test MX 10 lost.test\nd.test MX 20 good.test\nd.test MX 30 gone.test\nlost.test !servfail\n"
      "good.test A 192.0.2.2\n"
      "v.test MX 10 v4.test\nv4.test A 192.0.2.4\nv4.test !servfail type=AAAA\n");
  CHECK(scene.hosts("d.test") == "good.test=192.0.2.2:25");
  CHECK(scene.finding.good_until - scene.world.now() <= kHoldWithGaps);
  CHECK(scene.hosts("v.test") == "v4.test=192.0.2.4:25");
}

TEST_CASE("this relay in the list ends it: what is no better is dropped, and the best MX here is a loop") {
  Scene scene(
      "d.test MX 10 a.test\nd.test MX 20 Relay.Example.NET\nd.test MX 20 same.test\nd.test MX 30 c.test\n"
      "a.test A 192.0.2.1\nsame.test A 192.0.2.5\nc.test A 192.0.2.3\nrelay.example.net A 198.51.100.1\n"
      "best.test MX 10 relay.example.net\nbest.test MX 20 a.test\n"
      "byaddress.test MX 10 a.test\nbyaddress.test MX 20 disguise.test\nbyaddress.test MX 30 c.test\n"
      "disguise.test A 198.51.100.1\nonly.test MX 10 disguise.test\n");
  CHECK(scene.hosts("d.test") == "a.test=192.0.2.1:25");
  CHECK(scene.verdict("best.test") ==
        "5.4.6 the mail exchanger of best.test is this relay, which has no other way for it");
  CHECK(scene.hosts("byaddress.test") == "a.test=192.0.2.1:25");
  CHECK(scene.verdict("only.test").starts_with("5.4.6 "));
  // On another port it is another server.
  scene.config->listeners[0].address.port = 2525;
  CHECK(scene.hosts("only.test") == "disguise.test=198.51.100.1:25");
}

TEST_CASE("loopback, unspecified and link-local addresses are refused unless allowed, mapped ones too") {
  Scene scene(
      "lo.test A 127.0.0.2\nnull.test A 0.0.0.0\nll.test A 169.254.1.1\nlo6.test AAAA ::1\nmapped.test AAAA "
      "::ffff:127.0.0.2\nll6.test AAAA fe80::1\nboth.test A 127.0.0.2\nboth.test A 192.0.2.1\n");
  scene.config->listeners.clear();
  for (const View domain :
       {View{"lo.test"}, View{"null.test"}, View{"ll.test"}, View{"lo6.test"}, View{"mapped.test"}, View{"ll6.test"}}) {
    CAPTURE(domain);
    const std::string verdict = scene.verdict(domain);
    CHECK(verdict.starts_with("5.4.4 "));
    CHECK(verdict.ends_with("which is not of the Internet"));
  }
  CHECK(scene.hosts("both.test") == "both.test=192.0.2.1:25");
  scene.config->deliver.private_addresses = config::PrivateAddresses::allow;
  CHECK(scene.hosts("lo.test") == "lo.test=127.0.0.2:25");
  CHECK(scene.hosts("mapped.test") == "mapped.test=127.0.0.2:25");
}

TEST_CASE("address literals go to that address, by the same rules") {
  Scene scene("");
  CHECK(scene.hosts("[192.0.2.7]") == "=192.0.2.7:25");
  CHECK(scene.hosts("[ipv6:2001:db8::7]") == "=[2001:db8::7]:25");
  CHECK(scene.verdict("[127.0.0.1]").starts_with("5.4.6 "));  // a listener of ours
  CHECK(scene.verdict("[169.254.0.1]").starts_with("5.4.4 "));
  CHECK(scene.verdict("[x-tag:abc]").starts_with("5.1.2 "));
  CHECK(scene.server.asked() == 0);
}

TEST_CASE("hosts and addresses are bounded, and none is there twice") {
  std::string zone;
  for (int i = 0; i < 60; ++i) {
    const std::string host = "mx" + std::to_string(i) + ".test";
    zone += "many.test MX " + std::to_string(i) + " " + host + "\n" + host + " A 192.0.2." + std::to_string(i) + "\n";
  }
  for (int i = 0; i < 40; ++i) zone += "wide.test A 203.0.113." + std::to_string(i) + "\n";
  zone += "twice.test MX 10 mx1.test\ntwice.test MX 20 mx1.test\ntwice.test MX 30 same.test\nsame.test A 192.0.2.1\n";
  Scene scene(zone);
  scene.find("many.test");
  CHECK(scene.finding.hosts->list.size() == kMostExchangers);
  CHECK(scene.finding.hosts->list.front().name == "mx0.test");
  scene.find("wide.test");
  CHECK(scene.finding.hosts->list.size() == kMostAddresses);
  CHECK(scene.hosts("twice.test") == "mx1.test=192.0.2.1:25");
}

TEST_CASE("what was found holds as long as the shortest answer, and is then asked for again") {
  Scene scene("d.test 300 MX 10 a.test\na.test 40 A 192.0.2.1\na.test !no-soa\nshort.test 20 SOA 20\n");
  scene.find("gone.short.test");
  CHECK(scene.finding.good_until - scene.world.now() <= 20s);
  Scene other("d.test 300 MX 10 a.test\na.test 40 A 192.0.2.1\na.test 40 AAAA 2001:db8::1\n");
  other.find("d.test");
  CHECK(other.finding.good_until - other.world.now() <= 40s);
  CHECK(other.finding.good_until - other.world.now() > 30s);
}

TEST_CASE("a route's hosts are used as they are written; names have the hosts file's addresses, else DNS") {
  Scene scene("mail.test A 127.0.0.9\nmail.test AAAA 2001:db8::9\n");
  scene.config->hosts = {{"filed.test", SocketAddress::v4(127, 0, 0, 7, 0)},
                         {"mail", SocketAddress::v4(1, 2, 3, 4, 0)}};
  SocketAddress port;
  port.port = 2525;
  Route route{"static", {{SocketAddress::v4(127, 0, 0, 1, 26), {}}, {port, "filed.test"}, {port, "mail.test"}}, {}};
  scene.find(route, "static");
  REQUIRE(scene.finding.hosts != nullptr);
  const auto& list = scene.finding.hosts->list;
  REQUIRE(list.size() == 4);
  CHECK(list[0] == Host{SocketAddress::v4(127, 0, 0, 1, 26), ""});
  CHECK(list[1] == Host{SocketAddress::v4(127, 0, 0, 7, 2525), "filed.test"});
  CHECK(list[2].name == "mail.test");
  CHECK(scene.server.asked("filed.test", dnsd::kA) == 0);

  route.hosts = {{port, "gone.test"}};
  scene.find(route, "static");
  CHECK(scene.finding.hosts == nullptr);
  CHECK(scene.finding.kind == Kind::later);  // an operator's mistake fails nobody's mail
  CHECK(scene.finding.enhanced == smtp::EnhancedCode{4, 4, 4});
}

TEST_CASE("a search that is cancelled or destroyed tells nobody") {
  Scene scene("d.test A 192.0.2.1\nd.test !delay delay=1s");
  scene.finder->find(Route{}, "d.test", scene.search);
  scene.search.cancel();
  {
    Search gone(&scene, [](void* self, const Finding&) { ++static_cast<Scene*>(self)->times; });
    scene.finder->find(Route{}, "d.test", gone);
    scene.world.run_for(10ms);
  }
  scene.world.run_for(5s);
  CHECK(scene.times == 0);
}

}  // namespace ringpost::route
