// Mail by MX through the whole relay: what comes of what the name servers say, who is asked how often, and what is
// remembered of destinations.
#include <doctest/doctest.h>

#include "../sim/dns_server.h"
#include "core_scene.h"

namespace ringpost::core::test {
namespace {

const SocketAddress kNames = SocketAddress::v4(192, 0, 2, 53, 53);

struct MxScene : Scene {
  explicit MxScene(View zone, unsigned cores = 1) : Scene(cores), names(world, kNames, zone) {
    config.dns.servers = {kNames};
    config.dns.cache = 1 << 20;
    config.retry.schedule = {10s, 1min};
  }
  sim::DnsServer names;
};

}  // namespace

TEST_CASE("mail goes to the best exchanger that answers, and from then on past the one that does not") {
  MxScene scene("d.test MX 10 mx1.test\nd.test MX 20 mx2.test\nmx1.test A 192.0.2.1\nmx2.test A 192.0.2.2\n");
  scene.config.deliver.timeouts.idle = 0s;
  Site second(scene.world, kSecond);
  scene.world.network().down(kFirst, sim::Down::silent);
  scene.start();
  const Instant begun = scene.world.now();
  REQUIRE(scene.send({"a@d.test"}));
  REQUIRE(scene.run_until([&] { return second.messages().size() == 1; }));
  CHECK(scene.world.now() - begun >= deliver::kNextHostAfter);
  CHECK(scene.world.now() - begun < deliver::kNextHostAfter + 2s);
  const Instant again = scene.world.now();
  REQUIRE(scene.send({"b@d.test"}));
  REQUIRE(scene.run_until([&] { return second.messages().size() == 2; }));
  CHECK(scene.world.now() - again < 1s);
}

TEST_CASE("a domain that the name servers do not tell about waits, one message blamed, and goes when they do") {
  MxScene scene("d.test !servfail");
  Site site(scene.world, kFirst);
  scene.start();
  for (int i = 0; i < 3; ++i) REQUIRE(scene.send({"a@d.test"}));
  REQUIRE(scene.run_until([&] { return scene.counts().deferred == 1; }));
  scene.world.run_for(2s);
  CHECK(scene.counts().deferred == 1);
  scene.names.replace("d.test A 192.0.2.1");
  CHECK(scene.run_until([&] { return site.messages().size() == 3; }, 2min));
  CHECK(scene.counts().failed == 0);
}

TEST_CASE("a domain that does not exist fails all its mail, also that which comes while the answer holds") {
  MxScene scene("test 60 SOA 60\nsender.test !servfail");  // what tells the sender waits
  scene.start();
  for (int i = 0; i < 150; ++i) REQUIRE(scene.send({"a@gone.test"}));
  CHECK(scene.run_until([&] { return scene.counts().failed == 150; }));
  REQUIRE(scene.send({"b@gone.test"}));
  CHECK(scene.run_until([&] { return scene.counts().failed == 151; }));
  CHECK(scene.names.asked("gone.test", dnsd::kMx) == 1);
}

TEST_CASE("a domain that comes to exist gets the mail that comes then") {
  MxScene scene("test 5 SOA 5");
  Site site(scene.world, kFirst);
  scene.start();
  REQUIRE(scene.send({"a@d.test"}));
  CHECK(scene.run_until([&] { return scene.counts().failed == 1; }));
  scene.names.replace("d.test A 192.0.2.1");
  scene.world.run_for(10s);
  REQUIRE(scene.send({"b@d.test"}));
  CHECK(scene.run_until([&] { return site.messages().size() == 1; }));
}

TEST_CASE("no core asks what another has asked") {
  MxScene scene("*.test 3600 MX 10 mx.ours.test\nmx.ours.test 3600 A 192.0.2.1\nmx.ours.test 3600 AAAA 2001:db8::9\n",
                3);
  scene.world.network().down(*SocketAddress::parse("[2001:db8::9]:25"), sim::Down::refused);
  Site site(scene.world, kFirst);
  scene.start();
  for (int round = 0; round < 6; ++round)
    for (int i = 0; i < 20; ++i) REQUIRE(scene.send({"a@d" + std::to_string(i) + ".test"}));
  CHECK(scene.run_until([&] { return scene.counts().delivered == 120; }));
  for (int i = 0; i < 20; ++i) CHECK(scene.names.asked("d" + std::to_string(i) + ".test", dnsd::kMx) == 1);
  CHECK(scene.names.asked("mx.ours.test", dnsd::kA) == 1);
  CHECK(scene.names.asked("mx.ours.test", dnsd::kAaaa) == 1);
}

TEST_CASE("destinations that nobody needs are forgotten, those with mail are not") {
  MxScene scene("*.test 3600 A 192.0.2.1\ndead.test A 192.0.2.2\n");
  scene.world.network().down(kSecond, sim::Down::refused);
  scene.config.deliver.timeouts.idle = 1s;
  scene.config.retry.schedule = {1h};
  Site site(scene.world, kFirst);
  scene.start();
  REQUIRE(scene.send({"a@dead.test"}));
  for (int i = 0; i < 200; ++i) REQUIRE(scene.send({"a@d" + std::to_string(i) + ".test"}));
  REQUIRE(scene.run_until([&] { return scene.counts().delivered == 200; }));
  CHECK(scene.counts().destinations > 100);
  CHECK(scene.run_until([&] { return scene.counts().destinations == 1; }, 5min));
  // Their ids serve others.
  for (int i = 0; i < 50; ++i) REQUIRE(scene.send({"a@e" + std::to_string(i) + ".test"}));
  CHECK(scene.run_until([&] { return scene.counts().delivered == 250; }));
  CHECK(scene.counts().deferred == 1);
}

TEST_CASE("a drain does not wait for name servers that are silent") {
  MxScene scene("d.test !silence", 2);
  scene.start();
  for (int i = 0; i < 4; ++i) REQUIRE(scene.send({"a@d.test"}));
  scene.world.run_for(500ms);
  const Instant begun = scene.world.now();
  scene.end();
  CHECK(scene.world.now() - begun < 2s);
}

}  // namespace ringpost::core::test
