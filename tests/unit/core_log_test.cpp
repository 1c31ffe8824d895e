// A spool outlives the number of cores that made it: logs of cores that are no more are adopted, and go back.
#include <doctest/doctest.h>

#include <algorithm>
#include <set>

#include "core_scene.h"

namespace ringpost::core::test {
namespace {

// Takes mail that nobody receives, over so many connections that each core has some.
std::size_t take_mail(Scene& scene, std::size_t messages, std::size_t size) {
  std::size_t taken = 0;
  const std::string content = "Subject: x\r\n\r\n" + std::string(size, 'x') + "\r\n";
  for (std::size_t i = 0; i < messages; ++i) taken += scene.send({"to" + std::to_string(i) + "@first.test"}, content);
  return taken;
}

std::map<std::uint16_t, std::size_t> by_log(Scene& scene) {
  std::map<std::uint16_t, std::size_t> counts;
  for (const auto& [id, kept] : scene.kept()) ++counts[id.log()];
  return counts;
}

std::size_t segments(Scene& scene, const std::string& log) {
  const auto names = scene.world.disk().files().list(scene.config.spool.directory + "/" + log);
  return static_cast<std::size_t>(
      std::ranges::count_if(*names, [](const std::string& name) { return name.starts_with("segment-"); }));
}

}  // namespace

TEST_CASE("what two cores took is delivered by one, and what one core took by two, each message once") {
  for (const auto& [before, after] : {std::pair{2U, 1U}, std::pair{1U, 2U}, std::pair{3U, 2U}}) {
    CAPTURE(before);
    Scene scene(before, 11 + before);
    scene.route("first.test", {kFirst});
    scene.world.network().down(kFirst, sim::Down::refused);
    scene.start();
    REQUIRE(take_mail(scene, 40, 400) == 40);
    REQUIRE(take_mail(scene, 6, 400'000) == 6);  // in files of their own
    const bool orderly = after == 1;
    if (orderly)
      scene.end();
    else
      scene.lose_power(sim::survive_none());
    REQUIRE(by_log(scene).size() == before);
    Site site(scene.world, kFirst);
    scene.world.network().down(kFirst, sim::Down::no);
    scene.config.cores = after;
    scene.start();
    CHECK(scene.counts().queued == 46);
    CHECK(scene.run_until([&] { return scene.counts().queued == 0; }, 1h));
    CHECK(site.messages().size() == 46);
    CHECK(site.commands("RCPT TO:<to3@") == 2);  // one of each size
    scene.end();
    CHECK(scene.kept().empty());
    CHECK(scene.world.disk().files().list("/spool/large").value().empty());
  }
}

// The first life gives each log 40 messages; the second has one core, which owns the first log and takes more mail.
TEST_CASE("outcomes of an adopted log are kept in it, through a power loss and back at its own core") {
  Scene scene(2, 5);
  scene.route("first.test", {kFirst});
  scene.world.network().down(kFirst, sim::Down::refused);
  scene.start();
  REQUIRE(take_mail(scene, 80, 400) == 80);
  scene.lose_power(sim::survive_none());
  const std::size_t of_second = by_log(scene)[1];
  REQUIRE(of_second > 0);

  // Half of the recipients are refused: their DSNs, beside end records, go to the adopted log. Nobody takes these.
  std::optional<Site> site(std::in_place, scene.world, kFirst);
  site->make = [](Server& server, int) {
    for (int i = 0; i < 80; i += 2)
      server.rcpt_replies["to" + std::to_string(i) + "@first.test"] = "550 5.1.1 unknown\r\n";
  };
  scene.world.network().down(kFirst, sim::Down::no);
  scene.config.cores = 1;
  scene.start();
  CHECK(scene.run_until([&] { return scene.counts().bounces == 40 && scene.counts().queued == 40; }, 1h));
  CHECK(scene.counts().kept_failed == 0);
  scene.world.run_for(1s);
  scene.lose_power(sim::survive_none());
  const std::map<std::uint16_t, std::size_t> left = by_log(scene);
  CHECK(left.at(0) + left.at(1) == 40);
  CHECK(left.at(1) > 0);
  site.reset();

  scene.config.cores = 2;
  scene.start();
  CHECK(scene.counts().queued == 40);
  CHECK(scene.counts().kept_failed == 0);
  const std::set<SpoolId> old = [&] {
    std::set<SpoolId> ids;
    for (const auto& [id, kept] : scene.kept()) ids.insert(id);
    return ids;
  }();
  // The second core takes mail into its log again, under ids that were never given before.
  REQUIRE(take_mail(scene, 40, 400) == 40);
  std::size_t fresh = 0;
  for (const auto& [id, kept] : scene.kept())
    if (!old.contains(id) && id.log() == 1) {
      ++fresh;
      CHECK(id > *old.rbegin());
    }
  CHECK(fresh > 0);
  CHECK(scene.ask(R"({"command": "remove", "all": true})").starts_with(R"({"messages":80})"));
  scene.end();
  CHECK(scene.kept().empty());
}

TEST_CASE("an adopted log shrinks to what it still keeps") {
  Scene scene(2, 6);
  scene.config.spool.segment_size = config::kMebi;
  scene.route("first.test", {kFirst});
  scene.world.network().down(kFirst, sim::Down::refused);
  scene.start();
  REQUIRE(take_mail(scene, 240, 40'000) == 240);
  scene.end();
  REQUIRE(segments(scene, "log-01") > 4);
  Site site(scene.world, kFirst);
  scene.world.network().down(kFirst, sim::Down::no);
  scene.config.cores = 1;
  scene.start();
  CHECK(scene.run_until([&] { return scene.counts().queued == 0; }, 1h));
  scene.end();
  CHECK(segments(scene, "log-01") <= 2);
}

}  // namespace ringpost::core::test
