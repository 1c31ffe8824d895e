// When mail is attempted, over which connections, and what one destination may cost the others.
#include <doctest/doctest.h>

#include <set>

#include "core_scene.h"

namespace ringpost::core::test {

TEST_CASE("mail for a destination does not wait for a connection whose peer has stopped reading") {
  Scene scene;
  scene.world.network().conditions().window = 2048;
  scene.route("first.test", {kFirst});
  Site site(scene.world, kFirst);
  const Server* first = nullptr;
  site.make = [&](Server& server, int connection) { first = connection == 1 ? &server : first; };
  site.reads = [&](const Server& server) { return &server != first || server.messages.empty(); };
  scene.start();
  REQUIRE(scene.send({"one@first.test"}));
  REQUIRE(scene.run_until([&] { return site.messages().size() == 1; }));
  REQUIRE(scene.send({"two@first.test"}, "Subject: x\r\n\r\n" + std::string(20'000, 'x') + "\r\n"));
  scene.world.run_for(300ms);
  REQUIRE(site.messages().size() == 1);
  REQUIRE(scene.send({"three@first.test"}));
  REQUIRE(scene.send({"four@first.test"}));
  CHECK(scene.run_until([&] { return site.messages().size() == 3; }, 3s));
}

TEST_CASE("a recipient is not asked for before its time, whatever others of its message need") {
  Scene scene;
  scene.route("first.test", {kFirst});
  Site site(scene.world, kFirst);
  site.make = [](Server& server, int) {
    server.rcpt_replies["grey@first.test"] = "451 4.7.1 greylisted\r\n";
    server.rcpt_replies["busy@first.test"] = "452 4.5.3 no more now\r\n";
  };
  scene.start();
  REQUIRE(scene.send({"good@first.test", "grey@first.test", "busy@first.test"}));
  const auto asked = [&](View path) { return site.commands("RCPT TO:<" + std::string(path) + "@"); };
  scene.world.run_for(4min);
  CHECK(asked("good") == 1);
  CHECK(asked("busy") > 100);
  CHECK(asked("grey") == 1);
  CHECK(scene.run_until([&] { return asked("grey") == 2; }, 2min));
  scene.world.run_for(30s);
  REQUIRE(asked("grey") == 2);

  const std::string id = scene.kept().begin()->first.text();
  CHECK(scene.ask(R"({"command": "flush", "id": ")" + id + R"("})").starts_with(R"({"messages":1})"));
  CHECK(scene.run_until([&] { return asked("grey") == 3; }, 5s));
  site.hang_up(false);
}

TEST_CASE("recipients that failed one after the other in one attempt are due together") {
  Scene scene;
  scene.world.network().conditions().latency_least = scene.world.network().conditions().latency_most = 50ms;
  scene.route("first.test", {kFirst});
  Site site(scene.world, kFirst);
  std::vector<std::string> to;
  for (int i = 0; i < 20; ++i) to.push_back("grey" + std::to_string(i) + "@first.test");
  site.make = [&](Server& server, int) {
    server.capabilities = "SIZE";  // no PIPELINING: a round trip for each
    for (const std::string& path : to) server.rcpt_replies[path] = "451 4.7.1 greylisted\r\n";
  };
  scene.start();
  REQUIRE(scene.send(to));
  REQUIRE(scene.run_until([&] { return scene.counts().deferred == 20; }));
  scene.world.run_for(1s);
  std::set<WallTime> due;
  for (const message::RecipientState& state : scene.kept().begin()->second.states) due.insert(state.due);
  CHECK(due.size() <= 2);  // at the most one border of two steps lies between
}

TEST_CASE("the time of a message is over for all its recipients, also those that are not due") {
  Scene scene;
  scene.config.retry.expire = 4min;
  scene.route("first.test", {kFirst});
  Site site(scene.world, kFirst);
  site.make = [](Server& server, int) {
    server.rcpt_replies["grey@first.test"] = "451 4.7.1 greylisted\r\n";
    server.rcpt_replies["busy@first.test"] = "452 4.5.3 no more now\r\n";
  };
  scene.start();
  REQUIRE(scene.send({"good@first.test", "grey@first.test", "busy@first.test"}));
  scene.world.run_for(3min);
  CHECK(scene.counts().failed == 0);
  scene.world.run_for(2min);
  CHECK(scene.counts().failed == 2);
  CHECK(scene.counts().bounces == 1);
  CHECK(scene.counts().queued == 1);  // the DSN
}

TEST_CASE("mail that goes out slowly at one destination holds back the replies for no other") {
  Scene scene;
  scene.config.limits.memory = 512 * config::kMebi;
  scene.config.receive.flow_delay = 5s;
  scene.route("first.test", {kFirst});
  scene.route("second.test", {kSecond});
  Site slow(scene.world, kFirst);
  slow.make = [](Server& server, int) { server.fault = Fault::hang; };  // no banner
  Site site(scene.world, kSecond);
  scene.start();
  std::string octets = "EHLO client.test\r\n";
  for (int i = 0; i < 150; ++i) octets += Scene::transaction({"to@first.test"}, "Subject: x\r\n\r\n");
  Talker talker(scene.world, kRelay);
  talker.say(octets);
  REQUIRE(scene.run_until([&] { return talker.heard("250 2.0.0") > 50; }, 5s));
  scene.world.run_for(500ms);
  REQUIRE(talker.heard("250 2.0.0") < 150);  // these wait
  const Instant begin = scene.world.now();
  REQUIRE(scene.send({"to@second.test"}));
  CHECK(scene.world.now() - begin < 1s);
  CHECK(scene.run_until([&] { return talker.heard("250 2.0.0") == 150; }, 5min));
}

TEST_CASE("a shortage of this machine's own neither pauses a destination nor costs its mail an attempt") {
  Scene scene;
  scene.world.disk().prepare_directory("/log");
  scene.config.events.file = "/log/events.jsonl";
  scene.route("first.test", {kFirst});
  Site site(scene.world, kFirst);
  scene.world.network().conditions().no_socket = 1'000'000;
  scene.start();
  REQUIRE(scene.send({"to@first.test"}));
  scene.world.run_for(20s);
  CHECK(scene.counts().shortages >= 15);
  CHECK(scene.counts().deferred == 0);
  CHECK(scene.kept().begin()->second.states[0].attempts == 0);
  scene.world.network().conditions().no_socket = 0;
  CHECK(scene.run_until([&] { return site.messages().size() == 1; }, 3s));
  scene.end();
  const std::string events = scene.world.disk().contents("/log/events.jsonl");
  const std::string advice = "Too many open files; raise LimitNOFILE";
  const std::size_t first = events.find(advice);
  CHECK(first != std::string::npos);
  CHECK(events.find(advice, first + 1) == std::string::npos);  // once a minute
}

TEST_CASE("what an operator removes before its attempt is not attempted, though its message was loaded") {
  Scene scene;
  scene.config.deliver.manners.connections = 1;
  scene.route("first.test", {kFirst});
  Site site(scene.world, kFirst);
  site.make = [](Server& server, int connection) {
    server.capabilities = "SIZE";
    server.fault_stage = Stage::rcpt;
    if (connection == 1) server.fault = Fault::hang;  // the only connection is busy: what comes next waits, loaded
  };
  scene.start();
  Talker talker(scene.world, kRelay);  // both at once: the connection that asks for the first has the second loaded
  talker.say("EHLO client.test\r\n" + Scene::transaction({"first@first.test"}, "Subject: x\r\n\r\n") +
             Scene::transaction({"keep@first.test", "gone@first.test"}, "Subject: x\r\n\r\n"));
  REQUIRE(scene.run_until([&] { return site.commands("RCPT TO:<first@") == 1; }));
  REQUIRE(scene.counts().accepted == 2);
  CHECK(scene.ask(R"({"command": "remove", "to": "gone@first.test"})").starts_with(R"({"messages":1})"));
  CHECK(scene.run_until([&] { return site.commands("RCPT TO:<keep@") == 1; }, 2h));
  scene.world.run_for(1min);
  CHECK(site.commands("RCPT TO:<keep@") == 1);
  CHECK(site.commands("RCPT TO:<gone@") == 0);
}

}  // namespace ringpost::core::test
