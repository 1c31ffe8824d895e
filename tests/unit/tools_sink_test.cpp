// The sink: its rules of misbehaviour, and its session without a network.
#include <doctest/doctest.h>

#include <nlohmann/json.hpp>
#include <string>

#include "tools/common/sha256.h"
#include "tools/sink/behaviour.h"
#include "tools/sink/session.h"

namespace ringpost::sink {
namespace {

std::string error_of(const Result<void>& result) { return result ? "" : result.error().text; }

struct Scene {
  Shared shared;
  Session session{shared};
  std::string held;

  explicit Scene(const std::vector<std::string>& extensions = {"PIPELINING", "CHUNKING", "SIZE 100000"}) {
    offer(shared, extensions);
  }
  // What the sink answers to these octets, given to it `step` at a time.
  std::string say(View octets, std::size_t step = SIZE_MAX) {
    while (!octets.empty()) {
      held += octets.substr(0, step);
      octets.remove_prefix(std::min(step, octets.size()));
      held.erase(0, session.feed(held));
    }
    return std::exchange(session.output(), {});
  }
  std::string greeting() {
    session.greet();
    return std::exchange(session.output(), {});
  }
};

// The codes of all replies, one letter behind each for "more lines follow".
std::string codes(View replies) {
  std::string all;
  while (!replies.empty()) {
    const std::size_t end = std::min(replies.find('\n'), replies.size() - 1);
    if (replies.size() > 3 && replies[3] == ' ')
      all += std::string(all.empty() ? "" : " ") + std::string(replies.substr(0, 3));
    replies.remove_prefix(end + 1);
  }
  return all;
}

}  // namespace

TEST_CASE("rules name a stage, a code and a probability, and say what is wrong with them") {
  Behaviour behaviour;
  CHECK(error_of(behaviour.add(Deed::reject, "rcpt")) == "");
  CHECK(error_of(behaviour.add(Deed::reject, "mail:553:0.5")) == "");
  CHECK(error_of(behaviour.add(Deed::defer, "dot:25%")) == "");
  CHECK(error_of(behaviour.add(Deed::drop, "body:0.1")) == "");
  CHECK(error_of(behaviour.add_delay("dot:250ms")) == "");
  CHECK(error_of(behaviour.add_recipient(Deed::reject, "bad*:551")) == "");
  CHECK(error_of(behaviour.add(Deed::reject, "rctp")).find("no such stage") != std::string::npos);
  CHECK(error_of(behaviour.add(Deed::reject, "")).find("no such stage") != std::string::npos);
  CHECK(error_of(behaviour.add(Deed::reject, "rcpt:450")).find("500 to 599") != std::string::npos);
  CHECK(error_of(behaviour.add(Deed::defer, "rcpt:550")).find("400 to 499") != std::string::npos);
  CHECK(error_of(behaviour.add(Deed::drop, "rcpt:550")).find("no probability") != std::string::npos);
  CHECK(error_of(behaviour.add(Deed::reject, "rcpt:550:0.5:x")).find("what does x mean") != std::string::npos);
  CHECK(error_of(behaviour.add(Deed::reject, "body")).find("no reply is due") != std::string::npos);
  CHECK(error_of(behaviour.add_delay("dot")).find("STAGE:DURATION") != std::string::npos);
  CHECK(error_of(behaviour.add_recipient(Deed::reject, "")).find("empty") != std::string::npos);
}

TEST_CASE("the first rule that applies decides, chance by its seed, patterns by the address") {
  Behaviour behaviour;
  REQUIRE(behaviour.add_recipient(Deed::reject, "bad*@*.example:551").has_value());
  REQUIRE(behaviour.add(Deed::defer, "rcpt:0.25").has_value());
  REQUIRE(behaviour.add_delay("rcpt:10ms").has_value());
  REQUIRE(behaviour.add_delay("rcpt:5ms").has_value());
  Random random(7);
  const Decision bad = behaviour.decide(Stage::rcpt, random, "BADuser@x.example");
  CHECK(bad.deed == Deed::reject);
  CHECK(bad.code == 551);
  CHECK(bad.delay == Duration{15ms});
  int deferred = 0;
  for (int i = 0; i < 10'000; ++i)
    deferred += behaviour.decide(Stage::rcpt, random, "good@x.example").deed == Deed::defer;
  CHECK(deferred > 2200);
  CHECK(deferred < 2800);
  CHECK(behaviour.decide(Stage::mail, random).deed == Deed::obey);
}

TEST_CASE("patterns match as in file names, any case") {
  CHECK(matches("*", ""));
  CHECK(matches("a*c", "AbbC"));
  CHECK(matches("*@d?.example", "user@D7.example"));
  CHECK(matches("a*b*c", "axxbyybzzc"));
  CHECK_FALSE(matches("a*b*c", "axxbyybzz"));
  CHECK_FALSE(matches("?", ""));
  CHECK_FALSE(matches("bad", "bad@x"));
}

TEST_CASE("a dialogue in one piece and octet by octet comes to the same") {
  const View input =
      "EHLO me.example\r\nMAIL FROM:<a@b.example>\r\nRCPT TO:<c@d.example>\r\nDATA\r\n..dot\r\nx\r\n.\r\n"
      "MAIL FROM:<>\r\nRCPT TO:<e@f.example>\r\nBDAT 3\r\nabcBDAT 4 LAST\r\nde\r\nNOOP\r\nQUIT\r\n";
  for (const std::size_t step : {std::size_t{1}, std::size_t{7}, SIZE_MAX}) {
    CAPTURE(step);
    Scene scene;
    CHECK(codes(scene.greeting()) == "220");
    CHECK(codes(scene.say(input, step)) == "250 250 250 354 250 250 250 250 250 250 221");
    CHECK(scene.session.over());
    CHECK(scene.shared.counts.messages == 2);
    CHECK(scene.shared.counts.bdat_messages == 1);
    CHECK(scene.shared.counts.octets == 9 + 7);
    CHECK(scene.shared.counts.errors == 0);
  }
}

TEST_CASE("commands out of order, malformed or too large are refused") {
  Scene scene;
  scene.greeting();
  CHECK(codes(scene.say("RCPT TO:<a@b.example>\r\nDATA\r\nBDAT 2 LAST\r\nxyMAIL FROM:<a b>\r\n")) == "503 503 503 501");
  CHECK(codes(scene.say("MAIL FROM:<a@b.example>\r\nMAIL FROM:<a@b.example>\r\nDATA\r\nRSET\r\n")) ==
        "250 503 554 250");
  CHECK(codes(scene.say("MAIL FROM:<a@b.example> SIZE=100001\r\nWHAT\r\n")) == "552 502");
  CHECK(codes(scene.say("MAIL FROM:<a@b.example>\nRCPT TO:<x@y.example>\r\n")) == "500");
  Scene plain(std::vector<std::string>{});
  plain.greeting();
  CHECK(plain.say("EHLO me.example\r\n") == "250 sink.example\r\n");
  CHECK(codes(plain.say("BDAT 1\r\n")) == "502");
  plain.say("NOOP\r\nNOOP\r\n");
  CHECK(plain.shared.counts.unoffered_pipelining == 1);
}

TEST_CASE("each deed does what it says") {
  const auto scene_with = [](Deed deed, const char* rule, auto&& then) {
    Scene scene;
    REQUIRE(scene.shared.behaviour.add(deed, rule).has_value());
    then(scene);
  };
  const View envelope = "MAIL FROM:<a@b.example>\r\nRCPT TO:<c@d.example>\r\n";
  scene_with(Deed::reject, "dot:571", [&](Scene& scene) {
    CHECK(codes(scene.say(std::string(envelope) + "DATA\r\n.\r\n" + std::string(envelope))) ==
          "250 250 354 571 250 250");
    CHECK(scene.shared.counts.messages == 0);
  });
  scene_with(Deed::defer, "connect", [](Scene& scene) {
    CHECK(codes(scene.greeting()) == "421");
    CHECK(scene.session.over());
  });
  scene_with(Deed::reject, "connect", [](Scene& scene) {
    CHECK(codes(scene.greeting()) == "554");
    CHECK(codes(scene.say("EHLO x\r\nQUIT\r\n")) == "503 221");
  });
  scene_with(Deed::drop, "body", [&](Scene& scene) {
    CHECK(codes(scene.say(std::string(envelope) + "DATA\r\n")) == "250 250 354");
    CHECK(scene.say("x").empty());
    CHECK(scene.session.over());
  });
  scene_with(Deed::hang, "rcpt", [&](Scene& scene) {
    CHECK(codes(scene.say(std::string(envelope) + "NOOP\r\n")) == "250");
    CHECK(scene.say("QUIT\r\n").empty());
    CHECK_FALSE(scene.session.over());
    CHECK_FALSE(scene.session.stops_reading());
  });
  scene_with(Deed::hang, "body", [&](Scene& scene) {
    scene.say(std::string(envelope) + "BDAT 9\r\nx");
    CHECK(scene.session.stops_reading());
  });
  scene_with(Deed::nonsense, "mail", [&](Scene& scene) {
    const std::string answer = scene.say(envelope);
    CHECK(answer.find("not smtp") != std::string::npos);
    CHECK(codes(answer).ends_with("503"));
  });
}

TEST_CASE("a slow stage takes nothing until it is told to go on, and keeps the order") {
  Scene scene;
  REQUIRE(scene.shared.behaviour.add_delay("mail:1s").has_value());
  CHECK(scene.say("MAIL FROM:<a@b.example>\r\nRCPT TO:<c@d.example>\r\n").empty());
  CHECK(scene.session.waits() == Duration{1s});
  scene.session.resume();
  CHECK(codes(scene.say("DATA\r\n.\r\n")) == "250 250 354 250");
}

TEST_CASE("the ledger has the octets' hashes, the id and what was wrong with the line ends") {
  std::array<char, 32> path{"/tmp/sink_test_XXXXXX"};
  ::close(::mkstemp(path.data()));
  Scene scene;
  REQUIRE(scene.shared.ledger.open(path.data()).has_value());
  ::unlink(path.data());
  scene.shared.wall = WallTime{1234};
  const std::string header = "Message-ID: <m@x>\r\nX-Ringpost-Source-Id: run-7\r\n\r\n";
  const std::string body = ".one\r\nbare\nend\r\n";
  scene.say("MAIL FROM:<a@b.example>\r\nRCPT TO:<c@d.example>\r\nRCPT TO:<\"q q\"@d.example>\r\nDATA\r\n" + header +
                "." + body + ".\r\n",
            5);
  const auto line = nlohmann::json::parse(scene.shared.ledger.unwritten());
  CHECK(line["time"] == 1234);
  CHECK(line["id"] == "run-7");
  CHECK(line["from"] == "a@b.example");
  CHECK(line["to"] == nlohmann::json{"c@d.example", "\"q q\"@d.example"});
  CHECK(line["sha256"] == tools::view_of(tools::Sha256::hex_of(header + body, false)));
  CHECK(line["body_sha256"] == tools::view_of(tools::Sha256::hex_of(body, false)));
  CHECK(line["bytes"] == header.size() + body.size());
  CHECK(line["bare_lf"] == true);
  CHECK(line["bare_cr"] == false);
  CHECK(line["bdat"] == false);
}

}  // namespace ringpost::sink
