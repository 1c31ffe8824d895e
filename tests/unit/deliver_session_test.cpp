// The client's session as dialogues: who may say what when, for each way of talking.
#include <doctest/doctest.h>

#include "deliver_scene.h"

namespace ringpost::deliver::test {
namespace {

constexpr View kBody = "Subject: x\r\n\r\nbody\r\n";
constexpr View kAll =
    "250-s\r\n250-PIPELINING\r\n250-CHUNKING\r\n250-SIZE 1000000\r\n250-8BITMIME\r\n250-SMTPUTF8\r\n250 DSN\r\n";

void greet(Scene& scene, View ehlo_reply) {
  scene.start();
  CHECK(scene.said().empty());
  scene.hear("220 s\r\n");
  REQUIRE(scene.dialogue("EHLO client.example\r\n", ehlo_reply));
}

}  // namespace

TEST_CASE("lockstep: one command, one reply, where the server offers nothing") {
  Scene scene;
  Letter& letter = scene.add(2);
  greet(scene, "250 s\r\n");
  scene.dialogue("MAIL FROM:<from@example.org>\r\n", "250 ok\r\n");
  scene.dialogue("RCPT TO:<to0@example.net>\r\n", "250 ok\r\n");
  scene.dialogue("RCPT TO:<to1@example.net>\r\n", "550 5.1.1 unknown\r\n");
  scene.dialogue("DATA\r\n", "354 go\r\n");
  scene.dialogue("Subject: x\r\n\r\nbody\r\n.\r\n", "250 2.6.0 kept as 7\r\n");
  CHECK(letter.done);
  CHECK(letter.outcomes[0] == "delivered 250 2.6.0 kept as 7");
  CHECK(letter.outcomes[1] == "never 550 5.1.1 unknown");
  CHECK(scene.session->idle());
  CHECK(scene.said().empty());
}

TEST_CASE("pipelining: the envelope in one send, the content after 354, the next envelope with it") {
  Scene scene;
  Letter& one = scene.add(2);
  Letter& two = scene.add();
  greet(scene, "250-s\r\n250 PIPELINING\r\n");
  scene.dialogue("MAIL FROM:<from@example.org>\r\nRCPT TO:<to0@example.net>\r\nRCPT TO:<to1@example.net>\r\nDATA\r\n",
                 "250 a\r\n250 b\r\n250 c\r\n");
  CHECK(scene.said().empty());
  scene.hear("354 go\r\n");
  scene.dialogue(std::string(kBody) + ".\r\nMAIL FROM:<from@example.org>\r\nRCPT TO:<to0@example.net>\r\nDATA\r\n",
                 "250 kept\r\n250 a\r\n250 b\r\n354 go\r\n");
  CHECK(one.with("delivered 250") == 2);
  CHECK(one.done);
  CHECK_FALSE(two.done);
  scene.dialogue(std::string(kBody) + ".\r\n", "250 kept\r\n");
  CHECK(two.done);
}

TEST_CASE("without overlap the next envelope waits for the reply to the content") {
  Scene scene;
  scene.manners.overlap = false;
  scene.add();
  scene.add();
  greet(scene, "250-s\r\n250 PIPELINING\r\n");
  scene.dialogue("MAIL FROM:<from@example.org>\r\nRCPT TO:<to0@example.net>\r\nDATA\r\n",
                 "250 a\r\n250 b\r\n354 go\r\n");
  scene.dialogue(std::string(kBody) + ".\r\n", "");
  CHECK(scene.said().empty());
  scene.hear("250 kept\r\n");
  scene.dialogue("MAIL FROM:<from@example.org>\r\nRCPT TO:<to0@example.net>\r\nDATA\r\n", "");
}

TEST_CASE("manners can forbid pipelining and chunking") {
  Scene scene;
  scene.manners.pipelining = scene.manners.chunking = false;
  scene.add();
  greet(scene, kAll);
  scene.dialogue("MAIL FROM:<from@example.org> SIZE=20\r\n", "250 ok\r\n");
  scene.dialogue("RCPT TO:<to0@example.net>\r\n", "250 ok\r\n");
  scene.dialogue("DATA\r\n", "");
}

TEST_CASE("chunking with pipelining: a burst of whole transactions, each behind an RSET") {
  Scene scene;
  for (int i = 0; i < 10; ++i) scene.add();
  greet(scene, "250-s\r\n250-PIPELINING\r\n250 CHUNKING\r\n");
  const std::string one =
      "MAIL FROM:<from@example.org>\r\nRCPT TO:<to0@example.net>\r\nBDAT 20 LAST\r\n" + std::string(kBody);
  std::string burst = one;
  for (std::size_t i = 1; i < kTransactionsInFlight; ++i) burst += "RSET\r\n" + one;
  scene.dialogue(burst, "250 a\r\n250 b\r\n250 kept\r\n");
  CHECK(scene.letters[0]->done);
  scene.dialogue("RSET\r\n" + one, "");
  std::string replies;
  for (int i = 0; i < 8; ++i) replies += "250 r\r\n250 a\r\n250 b\r\n250 kept\r\n";
  scene.hear(replies);
  CHECK(scene.letters[8]->done);
  scene.dialogue(one, "250 a\r\n250 b\r\n250 kept\r\n");
  CHECK(scene.letters[9]->done);
}

TEST_CASE("chunking without pipelining goes in lockstep") {
  Scene scene;
  scene.add();
  greet(scene, "250-s\r\n250 CHUNKING\r\n");
  scene.dialogue("MAIL FROM:<from@example.org>\r\n", "250 ok\r\n");
  scene.dialogue("RCPT TO:<to0@example.net>\r\n", "250 ok\r\n");
  scene.dialogue("BDAT 20 LAST\r\n" + std::string(kBody), "250 kept\r\n");
  CHECK(scene.letters[0]->with("delivered") == 1);
}

TEST_CASE("a large content goes in chunks, whatever its pieces") {
  Scene scene;
  Server server;
  std::string content;
  while (content.size() < 2'500'000) content += "line " + std::to_string(content.size()) + "\r\n";
  Letter& letter = scene.add(1, content);
  letter.source.piece = 100'001;
  run(scene, server);
  REQUIRE(server.messages.size() == 1);
  CHECK(server.messages[0].content == content);
  CHECK(server.breaches.empty());
  CHECK(std::count_if(server.commands.begin(), server.commands.end(),
                      [](const std::string& c) { return c.starts_with("BDAT"); }) == 3);
}

TEST_CASE("dots are stuffed, and a content without line end gets one, as DATA needs") {
  Scene scene;
  scene.manners.chunking = false;
  Server server;
  Letter& letter = scene.add(1, ".\r\n..\r\nx\r\n.y\r\nno end");
  letter.source.piece = 3;
  run(scene, server);
  REQUIRE(server.messages.size() == 1);
  CHECK(server.messages[0].content == ".\r\n..\r\nx\r\n.y\r\nno end\r\n");
}

TEST_CASE("a content that is all dots does not cut the sends small") {
  Scene scene;
  scene.manners.chunking = false;
  std::string content;
  for (int i = 0; i < 20'000; ++i) content += ".\r\n";
  scene.add(1, content);
  greet(scene, "250-s\r\n250 PIPELINING\r\n");
  scene.said();
  scene.hear("250 a\r\n250 b\r\n354 go\r\n");
  int sends = 0;
  for (;; ++sends) {
    const auto pieces = scene.session->output();
    std::size_t octets = 0;
    for (const iovec& piece : pieces) octets += piece.iov_len;
    if (octets == 0) break;
    scene.session->sent(octets);
  }
  CHECK(sends < 20);
}

TEST_CASE("extensions' parameters are given where offered") {
  Scene scene;
  Letter& letter = scene.add(0);
  letter.envelope.set_reverse_path("a@example.org");
  letter.envelope.set_envid("QQ+2B1");
  letter.envelope.ret = smtp::DsnReturn::headers;
  letter.envelope.add_recipient("b@example.net", 11, smtp::kNotifySuccess | smtp::kNotifyDelay, "rfc822;b@example.net");
  letter.envelope.add_recipient("c@example.net", 11, smtp::kNotifyNever, {});
  letter.facts.eight_bit = true;
  letter.recipients = {0, 1};
  letter.outcomes.resize(2);
  letter.job.recipients = letter.recipients;
  SUBCASE("all of them") {
    greet(scene, kAll);
    CHECK(scene.said() ==
          "MAIL FROM:<a@example.org> SIZE=20 BODY=8BITMIME RET=HDRS ENVID=QQ+2B1\r\n"
          "RCPT TO:<b@example.net> NOTIFY=SUCCESS,DELAY ORCPT=rfc822;b@example.net\r\n"
          "RCPT TO:<c@example.net> NOTIFY=NEVER\r\n"
          "BDAT 20 LAST\r\n" +
              std::string(kBody));
  }
  SUBCASE("none: eight-bit octets go as they are") {
    greet(scene, "250 s\r\n");
    CHECK(scene.said() == "MAIL FROM:<a@example.org>\r\n");
  }
}

TEST_CASE("what needs SMTPUTF8 does not go where it is not offered") {
  Scene scene;
  Letter& letter = scene.add(2);
  letter.envelope.smtputf8 = true;
  letter.envelope.add_recipient("j\xC3\xBCrgen@example.net", 11, 0, {});
  letter.recipients = {0, 1, 2};
  letter.outcomes.resize(3);
  letter.job.recipients = letter.recipients;
  SUBCASE("offered") {
    greet(scene, kAll);
    CHECK(scene.said().starts_with("MAIL FROM:<from@example.org> SIZE=20 SMTPUTF8\r\n"));
  }
  SUBCASE("only the recipient that needs it fails") {
    greet(scene, "250-s\r\n250 PIPELINING\r\n");
    scene.dialogue("MAIL FROM:<from@example.org>\r\nRCPT TO:<to0@example.net>\r\nRCPT TO:<to1@example.net>\r\nDATA\r\n",
                   "250 a\r\n250 b\r\n250 c\r\n354 go\r\n");
    scene.said();
    scene.hear("250 kept\r\n");
    CHECK(letter.with("delivered") == 2);
    CHECK(letter.outcomes[2].starts_with("never 553 5.6.7"));
  }
  SUBCASE("a header section that needs it fails all") {
    letter.facts.eight_bit = letter.facts.eight_bit_header = true;
    greet(scene, "250 s\r\n");
    CHECK(scene.said().empty());
    CHECK(letter.with("never 550 5.6.9") == 3);
    CHECK(letter.done);
  }
  SUBCASE("a sender that needs it fails all") {
    letter.envelope.set_reverse_path("\xC3\xA4@example.org");
    greet(scene, "250 s\r\n");
    CHECK(scene.said().empty());
    CHECK(letter.with("never 553 5.6.7") == 3);
  }
}

TEST_CASE("a message above the announced SIZE is not tried, and the next one goes on") {
  Scene scene;
  Letter& large = scene.add(2, std::string(2000, 'x'));
  scene.add();
  greet(scene, "250-s\r\n250 SIZE 1000\r\n");
  CHECK(scene.said() == "MAIL FROM:<from@example.org> SIZE=20\r\n");
  CHECK(large.with("never 552 5.3.4") == 2);
  CHECK(large.done);
}

TEST_CASE("a flood of messages that are all too large does not keep the turn") {
  Scene scene;
  scene.manners.messages_per_connection = 0;
  for (int i = 0; i < 200; ++i) scene.add(1, std::string(2000, 'x'));
  greet(scene, "250-s\r\n250 SIZE 1000\r\n");
  scene.said();
  CHECK(scene.ready_count == 1);
  CHECK(scene.next_letter == 64);
}

TEST_CASE("EHLO refused for good falls back to HELO") {
  Scene scene;
  Server server;
  server.capabilities = "HELO";
  scene.add();
  run(scene, server);
  CHECK(server.commands[0] == "EHLO client.example");
  CHECK(server.commands[1] == "HELO client.example");
  CHECK(server.messages.size() == 1);
  CHECK(server.breaches.empty());
}

TEST_CASE("EHLO refused for now, or with 421, does not") {
  for (const View reply : {View{"451 4.3.0 later\r\n"}, View{"421 4.3.2 closing\r\n"}}) {
    Scene scene;
    scene.add();
    scene.start();
    scene.hear("220 s\r\n");
    scene.dialogue("EHLO client.example\r\n", reply);
    CHECK(scene.session->ended());
    message::Outcome outcome;
    REQUIRE(scene.session->refused(outcome));
    CHECK(outcome.kind == message::Outcome::Kind::later);
    CHECK(std::to_string(outcome.code) == reply.substr(0, 3));
    CHECK(scene.reached_count == 0);
  }
}

TEST_CASE("a 554 banner refuses the host, not the mail") {
  Scene scene;
  scene.start();
  scene.hear("554 5.7.1 blocked\r\n");
  message::Outcome outcome;
  REQUIRE(scene.session->refused(outcome));
  CHECK(outcome.kind == message::Outcome::Kind::later);
  CHECK(outcome.code == 554);
  CHECK(outcome.text == "blocked");
}

TEST_CASE("all recipients refused: RSET before the next envelope, no content") {
  Scene scene;
  scene.manners.chunking = false;
  Letter& letter = scene.add(2);
  scene.add();
  SUBCASE("pipelined") {
    greet(scene, "250-s\r\n250 PIPELINING\r\n");
    scene.said();
    scene.hear("250 a\r\n550 b\r\n450 c\r\n554 no valid recipients\r\n");
    CHECK(scene.said() == "RSET\r\nMAIL FROM:<from@example.org>\r\nRCPT TO:<to0@example.net>\r\nDATA\r\n");
  }
  SUBCASE("lockstep") {
    greet(scene, "250 s\r\n");
    scene.dialogue("MAIL FROM:<from@example.org>\r\n", "250 ok\r\n");
    scene.dialogue("RCPT TO:<to0@example.net>\r\n", "550 b\r\n");
    scene.dialogue("RCPT TO:<to1@example.net>\r\n", "450 c\r\n");
    scene.dialogue("RSET\r\n", "250 ok\r\n");
    scene.dialogue("MAIL FROM:<from@example.org>\r\n", "");
  }
  CHECK(letter.outcomes[0] == "never 550 5.0.0 b");
  CHECK(letter.outcomes[1] == "later 450 4.0.0 c");
  CHECK(letter.done);
}

TEST_CASE("DATA let through although no recipient is left gets a lone dot") {
  Scene scene;
  Letter& letter = scene.add();
  greet(scene, "250-s\r\n250 PIPELINING\r\n");
  scene.said();
  scene.hear("250 a\r\n550 b\r\n354 go\r\n");
  scene.dialogue(".\r\n", "250 well\r\n");
  CHECK(letter.with("never") == 1);
  CHECK(letter.done);
  CHECK(scene.session->idle());
}

TEST_CASE("MAIL refused is the outcome of all recipients") {
  Scene scene;
  Letter& letter = scene.add(3);
  greet(scene, "250-s\r\n250 PIPELINING\r\n");
  scene.said();
  scene.hear("550 5.7.1 no\r\n503 x\r\n503 x\r\n503 x\r\n503 x\r\n");
  CHECK(letter.with("never 550 5.7.1 no") == 3);
  CHECK(letter.done);
  CHECK(scene.said().empty());
}

TEST_CASE("DATA refused is the outcome of the accepted recipients") {
  Scene scene;
  Letter& letter = scene.add(2);
  greet(scene, "250-s\r\n250 PIPELINING\r\n");
  scene.said();
  scene.hear("250 a\r\n550 5.1.1 b\r\n250 c\r\n451 4.3.0 d\r\n");
  CHECK(letter.outcomes[0] == "never 550 5.1.1 b");
  CHECK(letter.outcomes[1] == "later 451 4.3.0 d");
  CHECK(letter.done);
}

TEST_CASE("recipients that had no room in one transaction go in the next") {
  for (const bool chunking : {false, true}) {
    Scene scene;
    scene.manners.chunking = chunking;
    Server server;
    server.recipients_most = 3;
    Letter& letter = scene.add(10);
    Letter& other = scene.add(5);
    run(scene, server);
    CHECK(letter.with("delivered") == 10);
    CHECK(other.with("delivered") == 5);
    CHECK(server.breaches.empty());
    CHECK(server.messages.size() == 6);
    std::vector<std::string> seen;
    for (const auto& message : server.messages) {
      CHECK(message.content == kBody);
      for (const auto& to : message.to) seen.push_back(to);
    }
    CHECK(seen.size() == 15);
  }
}

TEST_CASE("too many recipients as RFC 821 wrote it is for now, not for good") {
  Scene scene;
  Letter& letter = scene.add(2);
  greet(scene, "250-s\r\n250 PIPELINING\r\n");
  scene.said();
  scene.hear("250 a\r\n552 5.2.2 mailbox full\r\n552 something\r\n554 x\r\n");
  CHECK(letter.outcomes[0] == "never 552 5.2.2 mailbox full");
  CHECK(letter.outcomes[1] == "later 552 4.5.3 something");
}

TEST_CASE("more recipients than one transaction takes") {
  Scene scene;
  Server server;
  Letter& letter = scene.add(2500);
  run(scene, server);
  CHECK(letter.with("delivered") == 2500);
  REQUIRE(server.messages.size() == 3);
  CHECK(server.messages[0].to.size() == 1000);
  CHECK(server.messages[2].to.size() == 500);
  CHECK(server.breaches.empty());
}

TEST_CASE("a content that waits goes on when it can") {
  for (const bool chunking : {false, true}) {
    Scene scene;
    scene.manners.chunking = chunking;
    Letter& letter = scene.add(1, "0123456789\r\n");
    letter.source.piece = 5;
    letter.source.wait_at = 5;
    greet(scene, kAll);
    scene.said();
    if (!chunking) scene.hear("250 a\r\n250 b\r\n354 go\r\n");
    scene.said();
    CHECK(scene.said().empty());
    CHECK(scene.session->patience() == (chunking ? scene.timeouts.mail : scene.timeouts.data_block));
    letter.source.resume();
    CHECK(scene.ready_count == 1);
    CHECK(scene.said() == (chunking ? "56789\r\n" : "56789\r\n.\r\n"));
  }
}

TEST_CASE("a content with a small window goes through it") {
  Scene scene;
  Server server;
  std::string content;
  while (content.size() < 1'000'000) content += "line\r\n";
  Letter& letter = scene.add(1, content);
  letter.source.piece = 1000;
  letter.source.window = 4000;
  run(scene, server);
  REQUIRE(server.messages.size() == 1);
  CHECK(server.messages[0].content == content);
  CHECK(letter.source.released == content.size());
}

TEST_CASE("a content that cannot be read breaks the connection and is never completed") {
  for (const bool chunking : {false, true}) {
    Scene scene;
    scene.manners.chunking = chunking;
    Server server;
    Letter& before = scene.add();
    Letter& bad = scene.add(2, std::string(50'000, 'x'));
    bad.source.fail_at = 20'000;
    Letter& after = scene.add();
    run(scene, server);
    CHECK(before.with("delivered") == 1);
    CHECK(bad.with("later 0 4.3.0 the content could not be read") == 2);
    CHECK_FALSE(after.taken);
    CHECK(server.messages.size() == 1);
  }
}

TEST_CASE("enough messages: QUIT behind the last one") {
  Scene scene;
  Server server;
  scene.manners.messages_per_connection = 5;
  for (int i = 0; i < 7; ++i) scene.add();
  run(scene, server);
  CHECK(server.messages.size() == 5);
  CHECK(server.commands.back() == "QUIT");
  CHECK(server.breaches.empty());
  CHECK_FALSE(scene.letters[5]->taken);
}

TEST_CASE("quit() lets what is in flight end, and takes nothing new") {
  Scene scene;
  scene.add();
  greet(scene, "250-s\r\n250 PIPELINING\r\n");
  scene.said();
  scene.session->quit();
  scene.add();
  CHECK_FALSE(scene.session->can_take_work());
  scene.hear("250 a\r\n250 b\r\n354 go\r\n");
  scene.dialogue(std::string(kBody) + ".\r\n", "250 kept\r\n");
  scene.dialogue("QUIT\r\n", "221 bye\r\n");
  CHECK(scene.session->ended());
  CHECK_FALSE(scene.letters[1]->taken);
}

TEST_CASE("a session that waited too long for work quits") {
  Scene scene;
  greet(scene, kAll);
  CHECK(scene.reached_count == 0);
  CHECK(scene.said().empty());
  CHECK(scene.reached_count == 1);
  CHECK(scene.session->idle());
  CHECK(scene.session->patience() == scene.timeouts.idle);
  scene.session->timed_out();
  scene.dialogue("QUIT\r\n", "");
  CHECK(scene.session->patience() == scene.timeouts.quit);
  scene.session->timed_out();
  CHECK(scene.session->ended());
}

}  // namespace ringpost::deliver::test
