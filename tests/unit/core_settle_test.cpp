// What becomes of outcomes: counted, kept in their turn.
#include <doctest/doctest.h>

#include "core_scene.h"

namespace ringpost::core::test {

TEST_CASE("a message whose last recipient is refused is over; what tells its sender is queued, until it is removed") {
  Scene scene;
  scene.route("first.test", {kFirst});
  Site site(scene.world, kFirst);
  site.make = [](Server& server, int) { server.rcpt_replies["bad@first.test"] = "550 5.1.1 unknown\r\n"; };
  scene.start();
  REQUIRE(scene.send({"good@first.test"}));
  REQUIRE(scene.send({"good@first.test", "bad@first.test"}));
  REQUIRE(scene.send({"bad@first.test"}));
  // Nobody takes the sender's mail: the DSNs wait for a route.
  CHECK(scene.run_until([&] { return scene.counts().bounces == 2 && scene.counts().queued == 2; }));
  CHECK(scene.counts().kept_failed == 0);
  CHECK(scene.counts().failed == 2);
  CHECK(scene.counts().delivered == 2);
  scene.world.run_for(1s);
  const std::map<SpoolId, Kept> kept = scene.kept();
  REQUIRE(kept.size() == 2);
  const std::string answer = scene.ask(R"({"command": "remove", "id": ")" + kept.begin()->first.text() + R"("})");
  CHECK(answer.starts_with(R"({"messages":1})"));
  CHECK(scene.run_until([&] { return scene.counts().queued == 1; }));
  scene.end();
  scene.start();
  CHECK(scene.counts().kept_failed == 0);
  CHECK(scene.counts().queued == 1);
}

// The next envelope goes with the content, so a peer can answer the content while our send is still under way.
TEST_CASE("a delivery is kept when its reply comes, though the peer has not read all that was sent with it") {
  Scene scene;
  scene.world.network().conditions().window = 2048;
  scene.config.deliver.manners.connections = 1;
  scene.route("first.test", {kFirst});
  Site site(scene.world, kFirst);
  site.make = [](Server& server, int) { server.capabilities = "PIPELINING"; };
  site.reads = [](const Server& server) { return server.messages.empty(); };
  scene.world.network().down(kFirst, sim::Down::refused);
  scene.start();
  std::vector<std::string> many;
  for (int i = 0; i < 200; ++i) many.push_back("somebody.with.a.long.name." + std::to_string(i) + "@first.test");
  // The first one finds the destination dead; the others wait for the end of the pause and go together.
  for (int i = 0; i < 3; ++i) REQUIRE(scene.send(many));
  scene.world.network().down(kFirst, sim::Down::no);
  REQUIRE(scene.run_until([&] { return site.messages().size() == 1; }));
  scene.world.run_for(1s);
  REQUIRE(site.commands("MAIL") == 2);
  CHECK(scene.counts().delivered == 200);
  scene.lose_power(sim::survive_none());
  CHECK(scene.kept().size() == 2);
}

}  // namespace ringpost::core::test
