// What senders are told: the whole relay, from a refusal to the DSN at the sender's site.
#include <doctest/doctest.h>

#include <algorithm>

#include "../sim/lines.h"
#include "core_scene.h"

namespace ringpost::core::test {
namespace {

// Mail goes to first.test; DSNs go to sender.test, whose site this keeps.
struct Bouncing : Scene {
  explicit Bouncing(std::uint64_t seed = 1) : Scene(1, seed), target(world, kFirst), sender(world, kSecond) {
    route("first.test", {kFirst});
    route("sender.test", {kSecond});
    config.retry.schedule = {1min};
    target.make = [this](Server& server, int) {
      server.capabilities = capabilities;
      for (const char* bad : {"bad@first.test", "bad2@first.test"})
        server.rcpt_replies[bad] = "550 5.1.1 No such user\r\n";
      server.rcpt_replies["late@first.test"] = "450 4.2.1 Not now\r\n";
    };
  }
  // All is over and told.
  bool rests(Duration limit = 10min) {
    return run_until([&] { return counts().queued == 0 && counts().kept_failed == 0; }, limit) &&
           (world.run_for(1s), kept().empty());
  }
  // One message with these MAIL and RCPT arguments; gives whether it was taken.
  bool hand_in(const std::string& mail, const std::vector<std::string>& rcpts,
               View content = "Message-ID: <m1@sender.test>\r\nSubject: x\r\n\r\nThe body.\r\n") {
    Talker talker(world, kRelay);
    std::string octets = "EHLO client.test\r\nMAIL FROM:" + mail + "\r\n";
    for (const std::string& one : rcpts) octets += "RCPT TO:" + one + "\r\n";
    talker.say(octets + "DATA\r\n" + sim::stuffed(content));
    return run_until([&] { return talker.heard("250 2.0.0") > 0; }, 1min);
  }
  [[nodiscard]] std::vector<Server::Message> dsns() const { return sender.messages(); }

  Site target;
  Site sender;
  std::string capabilities = "PIPELINING\r\nCHUNKING\r\n8BITMIME\r\nSMTPUTF8\r\nDSN\r\nENHANCEDSTATUSCODES";
};

std::size_t count(View text, View part) {
  std::size_t found = 0;
  for (std::size_t at = text.find(part); at != View::npos; at = text.find(part, at + part.size())) ++found;
  return found;
}

}  // namespace

TEST_CASE("a refused recipient is told to its sender, and the message is over") {
  Bouncing scene;
  scene.start();
  REQUIRE(scene.hand_in("<from@sender.test> ENVID=e1",
                        {"<bad@first.test> ORCPT=rfc822;old@first.test", "<good@first.test>"}));
  REQUIRE(scene.rests());
  REQUIRE(scene.dsns().size() == 1);
  const Server::Message dsn = scene.dsns()[0];
  CHECK(dsn.from.empty());
  CHECK(dsn.to == std::vector<std::string>{"from@sender.test"});
  CHECK(count(dsn.content, "Final-Recipient: rfc822;bad@first.test\r\nAction: failed\r\nStatus: 5.1.1\r\n") == 1);
  CHECK(count(dsn.content, "Remote-MTA: dns;[192.0.2.1]\r\nDiagnostic-Code: smtp; 550 5.1.1 No such user\r\n") == 1);
  CHECK(count(dsn.content, "Original-Envelope-Id: e1\r\n") == 1);
  CHECK(count(dsn.content, "Original-Recipient: rfc822;old@first.test\r\n") == 1);
  CHECK(count(dsn.content, "In-Reply-To: <m1@sender.test>\r\n") == 1);
  CHECK(count(dsn.content, "good@first.test") == 0);
  CHECK(count(dsn.content, "The body.") == 0);
  CHECK(scene.counts().bounces == 1);
  CHECK(scene.sender.breaches().empty());
}

TEST_CASE("failures that come together share a DSN") {
  Bouncing scene;
  scene.start();
  REQUIRE(scene.hand_in("<from@sender.test>", {"<bad@first.test>", "<bad2@first.test>"}));
  REQUIRE(scene.rests());
  REQUIRE(scene.dsns().size() == 1);
  CHECK(count(scene.dsns()[0].content, "Action: failed") == 2);
}

TEST_CASE("RET=FULL returns the message, up to its bound") {
  Bouncing scene;
  scene.config.bounce.full_content = 100 * 1024;
  scene.start();
  REQUIRE(scene.hand_in("<from@sender.test> RET=FULL", {"<bad@first.test>"}));
  REQUIRE(scene.run_until([&] { return scene.dsns().size() == 1; }));
  CHECK(count(scene.dsns()[0].content, "Content-Type: message/rfc822") == 1);
  CHECK(count(scene.dsns()[0].content, "\r\n\r\nThe body.\r\n") == 1);
  const std::string large = "Subject: x\r\n\r\n" + std::string(110 * 1024, 'b') + "\r\n";
  REQUIRE(scene.hand_in("<from@sender.test> RET=FULL", {"<bad@first.test>"}, large));
  REQUIRE(scene.run_until([&] { return scene.dsns().size() == 2; }));
  CHECK(count(scene.dsns()[1].content, "Content-Type: text/rfc822-headers") == 1);
  CHECK(scene.rests());
}

TEST_CASE("a content that lies in a file of its own is returned from there, in a DSN that does too") {
  Bouncing scene;
  scene.config.bounce.full_content = 2 * config::kMebi;
  scene.start();
  std::string large = "Subject: large\r\n\r\n";
  for (int i = 0; i < 10'000; ++i) large += std::to_string(i) + ": a line of some length, all of them different\r\n";
  REQUIRE(scene.hand_in("<from@sender.test> RET=FULL", {"<bad@first.test>"}, large));
  REQUIRE(scene.run_until([&] { return scene.dsns().size() == 1; }));
  CHECK(count(scene.dsns()[0].content, large) == 1);
  REQUIRE(scene.hand_in("<from@sender.test>", {"<bad@first.test>"}, large));
  REQUIRE(scene.run_until([&] { return scene.dsns().size() == 2; }));
  CHECK(count(scene.dsns()[1].content, "Subject: large\r\n\r\n--") == 1);
  CHECK(scene.rests());
}

TEST_CASE("nobody is told of what has no sender, and a DSN that fails makes no other") {
  Bouncing scene;
  scene.sender.make = [](Server& server, int) { server.rcpt_replies["from@sender.test"] = "550 5.1.1 gone\r\n"; };
  scene.start();
  REQUIRE(scene.hand_in("<>", {"<bad@first.test>"}));
  REQUIRE(scene.hand_in("<from@sender.test>", {"<bad@first.test>"}));
  REQUIRE(scene.rests());
  CHECK(scene.dsns().empty());
  CHECK(scene.counts().bounces == 1);
  CHECK(scene.counts().failed == 3);
}

TEST_CASE("the postmaster is told of what has no sender, and a notice that fails ends there") {
  for (const bool known : {true, false}) {
    Bouncing scene;
    scene.config.bounce.postmaster = "pm@sender.test";
    if (!known)
      scene.sender.make = [](Server& server, int) { server.rcpt_replies["pm@sender.test"] = "550 5.1.1 gone\r\n"; };
    scene.start();
    REQUIRE(scene.hand_in("<>", {"<bad@first.test> NOTIFY=NEVER"}));
    REQUIRE(scene.rests());
    CHECK(scene.dsns().size() == (known ? 1 : 0));
    if (known) CHECK(scene.dsns()[0].to == std::vector<std::string>{"pm@sender.test"});
    CHECK(scene.counts().bounces == 1);
  }
}

TEST_CASE("NOTIFY=NEVER: nobody is told") {
  Bouncing scene;
  scene.start();
  REQUIRE(scene.hand_in("<from@sender.test>", {"<bad@first.test> NOTIFY=NEVER"}));
  REQUIRE(scene.rests());
  CHECK(scene.dsns().empty());
  CHECK(scene.counts().bounces == 0);
}

TEST_CASE("a delivery that was to be confirmed is told as relayed where the peer knows no DSN, else left to the peer") {
  for (const bool knows_dsn : {false, true}) {
    Bouncing scene;
    if (!knows_dsn) scene.capabilities = "PIPELINING\r\n8BITMIME";
    scene.start();
    REQUIRE(scene.hand_in("<from@sender.test>", {"<good@first.test> NOTIFY=SUCCESS,FAILURE", "<other@first.test>"}));
    REQUIRE(scene.rests());
    CHECK(scene.target.messages().size() == 1);
    REQUIRE(scene.dsns().size() == (knows_dsn ? 0 : 1));
    if (knows_dsn) continue;
    CHECK(count(scene.dsns()[0].content, "Final-Recipient: rfc822;good@first.test\r\nAction: relayed\r\n") == 1);
    CHECK(count(scene.dsns()[0].content, "other@first.test") == 0);
  }
}

TEST_CASE("a delay is told once, by the attempt that finds it late; the expiry is told as a failure") {
  Bouncing scene;
  scene.config.bounce.delay_after = 10min;
  scene.config.retry.schedule = {3min};
  scene.config.retry.expire = 1h;
  scene.start();
  REQUIRE(scene.hand_in("<from@sender.test>", {"<late@first.test>"}));
  REQUIRE(scene.run_until([&] { return scene.dsns().size() == 1; }, 20min));
  CHECK(count(scene.dsns()[0].content, "Action: delayed\r\nStatus: 4.2.1\r\n") == 1);
  CHECK(count(scene.dsns()[0].content, "Will-Retry-Until: ") == 1);
  REQUIRE(scene.rests(2h));
  REQUIRE(scene.dsns().size() == 2);
  CHECK(count(scene.dsns()[1].content, "Action: failed\r\nStatus: 5.4.7\r\n") == 1);
  CHECK(count(scene.dsns()[1].content, "Diagnostic-Code: smtp; 450 Not now") == 1);
}

TEST_CASE("mail that waits untouched for a dead destination is told as late, and as failed when its time is over") {
  Bouncing scene;
  scene.config.bounce.delay_after = 10min;
  scene.config.retry.schedule = {5min};
  scene.config.retry.expire = 1h;
  scene.world.network().down(kFirst, sim::Down::refused);
  scene.start();
  constexpr std::size_t kMessages = 20;
  for (std::size_t i = 0; i < kMessages; ++i) REQUIRE(scene.hand_in("<from@sender.test>", {"<good@first.test>"}));
  REQUIRE(scene.run_until([&] { return scene.dsns().size() == kMessages; }, 25min));
  for (const Server::Message& dsn : scene.dsns()) CHECK(count(dsn.content, "Action: delayed\r\nStatus: 4.") == 1);
  REQUIRE(scene.rests(3h));
  REQUIRE(scene.dsns().size() == 2 * kMessages);
  std::size_t failed = 0;
  for (const Server::Message& dsn : scene.dsns()) failed += count(dsn.content, "Action: failed\r\nStatus: 5.4.7\r\n");
  CHECK(failed == kMessages);
}

TEST_CASE("mail that waits for a dead destination is attempted when that comes back, also after its delay was told") {
  Bouncing scene;
  scene.config.bounce.delay_after = 10min;
  scene.world.network().down(kFirst, sim::Down::refused);
  scene.start();
  for (int i = 0; i < 5; ++i) REQUIRE(scene.hand_in("<from@sender.test>", {"<good@first.test>"}));
  REQUIRE(scene.run_until([&] { return scene.dsns().size() == 5; }, 25min));
  scene.world.network().down(kFirst, sim::Down::no);
  REQUIRE(scene.rests(20min));
  CHECK(scene.target.messages().size() == 5);
  CHECK(scene.dsns().size() == 5);
}

TEST_CASE("more failures at once than DSNs are made at once: each is told, none twice") {
  Bouncing scene;
  scene.config.deliver.manners.connections = 20;
  scene.config.routes.clear();
  scene.route("first.test", {kFirst});
  scene.route("sender.test", {kSecond});
  scene.world.network().down(kFirst, sim::Down::refused);
  scene.start();
  constexpr std::size_t kMessages = 300;
  for (std::size_t i = 0; i < kMessages; ++i) REQUIRE(scene.hand_in("<from@sender.test>", {"<bad@first.test>"}));
  // The disk takes its time, so that many wait for it.
  scene.world.disk().timing().least = 50ms;
  scene.world.disk().timing().most = 60ms;
  scene.world.network().down(kFirst, sim::Down::no);
  REQUIRE(scene.rests(30min));
  CHECK(scene.dsns().size() == kMessages);
  CHECK(scene.counts().bounces == kMessages);
}

TEST_CASE("what an operator removes is told to nobody") {
  Bouncing scene;
  scene.config.bounce.delay_after = 0s;
  scene.start();
  REQUIRE(scene.hand_in("<from@sender.test>", {"<late@first.test>"}));
  REQUIRE(scene.run_until([&] { return scene.counts().deferred == 1; }));
  scene.ask(R"({"command": "remove", "all": true})");
  REQUIRE(scene.rests());
  CHECK(scene.dsns().empty());
}

TEST_CASE("recovery tells what was failed and told to nobody, as a spool of the version before has it") {
  Bouncing scene;
  scene.world.network().down(kFirst, sim::Down::refused);
  scene.start();
  REQUIRE(scene.hand_in("<from@sender.test>", {"<good@first.test>"}));
  scene.end();
  scene.world.boot(1);
  {
    spool::Options options;
    options.directory = "/spool";
    options.segment_size = 4 * config::kMebi;
    options.reserve = 0;
    options.body_chunks = 64;
    options.messages = 100;
    options.in_memory = 64;
    spool::Recovery recovery;
    SpoolId id;
    auto opened = spool::Spool::open(
        scene.world.ring(), options, [&](SpoolId found, const auto&, const auto&, auto&) { id = found; }, recovery);
    REQUIRE(opened);
    spool::Message* message = nullptr;
    spool::Load load(&message, [](void* found, Result<spool::Message*> result) {
      if (result) *static_cast<spool::Message**>(found) = *result;
    });
    (*opened)->load(id, spool::Spool::Want::envelope, load);
    scene.world.run_for(1s);
    REQUIRE(message != nullptr);
    message::RecipientState state;
    state.status = message::Status::failed;
    state.code = 554;
    state.text = "Not this one";
    message->state.set(0, state);
    (*opened)->save(*message, nullptr);
    message->release();
    scene.world.run_for(1s);
    REQUIRE((*opened)->idle());
    scene.world.kill();
  }
  scene.start();
  CHECK(scene.run_until([&] { return scene.dsns().size() == 1; }));
  CHECK(count(scene.dsns()[0].content, "Status: 5.0.0\r\n") == 1);
  CHECK(count(scene.dsns()[0].content, "Diagnostic-Code: smtp; 554 Not this one\r\n") == 1);
  CHECK(scene.rests());
}

}  // namespace ringpost::core::test
