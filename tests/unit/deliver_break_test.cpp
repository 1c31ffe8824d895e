// How a client's session ends early: broken connections, 421, refused contents, dialogues gone wrong; and which jobs
// come back then.
#include <doctest/doctest.h>

#include "deliver_scene.h"

namespace ringpost::deliver::test {
namespace {

constexpr View kAll =
    "250-s\r\n250-PIPELINING\r\n250-CHUNKING\r\n250-SIZE 1000000\r\n250-8BITMIME\r\n250-SMTPUTF8\r\n250 DSN\r\n";

void greet(Scene& scene, View ehlo_reply) {
  scene.start();
  CHECK(scene.said().empty());
  scene.hear("220 s\r\n");
  REQUIRE(scene.dialogue("EHLO client.example\r\n", ehlo_reply));
}

}  // namespace

TEST_CASE("a cached connection that the peer had closed gives its jobs back") {
  for (const bool bye : {false, true}) {
    Scene scene;
    scene.add();
    greet(scene, kAll);
    scene.said();
    scene.hear("250 a\r\n250 b\r\n250 kept\r\n");
    REQUIRE(scene.letters[0]->done);
    for (int i = 0; i < 3; ++i) scene.add();
    scene.said();
    if (bye) scene.hear("421 4.4.2 timeout\r\n");
    scene.session->broken("connection reset by peer");
    for (int i = 1; i < 4; ++i) CHECK(scene.letters[static_cast<std::size_t>(i)]->returned == 1);
  }
}

TEST_CASE("a new connection that breaks at its first message fails that one and gives back what was not sent whole") {
  Scene scene;
  scene.manners.chunking = false;
  scene.add();
  scene.add();
  greet(scene, kAll);
  scene.said();
  SUBCASE("before the content") {
    scene.session->broken("connection reset by peer");
    CHECK(scene.letters[0]->outcomes[0] == "later 0 4.4.2 connection reset by peer while waiting for MAIL FROM");
  }
  SUBCASE("after the content, with the next envelope") {
    scene.hear("250 a\r\n250 b\r\n354 go\r\n");
    scene.said();
    CHECK(scene.letters[1]->taken);
    scene.session->broken("connection closed");
    CHECK(scene.letters[0]->outcomes[0] == "later 0 4.4.2 connection closed while waiting for the end of the content");
    CHECK(scene.letters[1]->returned == 1);
  }
}

TEST_CASE("421 in a burst: those before it stand, its own fails, those behind go back") {
  Scene scene;
  for (int i = 0; i < 4; ++i) scene.add();
  greet(scene, kAll);
  scene.said();
  scene.hear("250 a\r\n250 b\r\n250 kept\r\n250 r\r\n250 a\r\n421 4.7.0 too much\r\n");
  CHECK(scene.session->ended());
  scene.session->broken("closed");
  CHECK(scene.letters[0]->with("delivered") == 1);
  CHECK(scene.letters[1]->outcomes[0] == "later 421 4.7.0 too much");
  CHECK(scene.letters[2]->returned == 1);
  CHECK(scene.letters[3]->returned == 1);
}

TEST_CASE("a burst that breaks off: those sent whole may have been taken, and wait") {
  Scene scene;
  for (int i = 0; i < 3; ++i) scene.add();
  greet(scene, kAll);
  scene.said();
  scene.hear("250 a\r\n250 b\r\n");
  scene.session->broken("closed");
  for (auto& letter : scene.letters) CHECK(letter->with("later 0 4.4.2") == 1);
}

TEST_CASE("a refusal in the middle of the content is its outcome, and the end") {
  Scene scene;
  scene.manners.chunking = false;
  Letter& letter = scene.add(1, std::string(50'000, 'x') + "\r\n");
  letter.source.wait_at = 10'000;
  greet(scene, kAll);
  scene.said();
  scene.hear("250 a\r\n250 b\r\n354 go\r\n");
  scene.said();
  scene.hear("552 5.3.4 too large\r\n");
  CHECK(scene.session->ended());
  scene.session->broken("closed");
  CHECK(letter.outcomes[0] == "never 552 5.3.4 too large");
}

TEST_CASE("a content is given back only when the kernel has sent it, though its outcome is known before") {
  Scene scene;
  Letter& letter = scene.add();
  greet(scene, kAll);
  const auto pieces = scene.session->output();
  std::size_t octets = 0;
  for (const iovec& piece : pieces) octets += piece.iov_len;
  scene.hear("250 a\r\n250 b\r\n250 kept\r\n");
  CHECK(letter.with("delivered") == 1);
  CHECK_FALSE(letter.done);
  scene.session->sent(octets);
  CHECK(letter.done);
}

TEST_CASE("a refused chunk stops the ones behind it") {
  Scene scene;
  Letter& letter = scene.add(1, std::string(3 * 1024 * 1024, 'x'));
  letter.source.wait_at = 1024 * 1024 + 4096;
  greet(scene, "250-s\r\n250-PIPELINING\r\n250 CHUNKING\r\n");
  scene.said();
  scene.hear("250 a\r\n250 b\r\n552 5.3.4 no\r\n");
  CHECK(letter.with("never 552") == 1);
  letter.source.resume();
  scene.said();
  CHECK_FALSE(letter.done);
  scene.hear("503 5.5.1 out of order\r\n");
  CHECK(letter.done);
  scene.add();
  CHECK(scene.said().starts_with("RSET\r\nMAIL FROM"));
}

TEST_CASE("a 503 to MAIL after other messages is about the dialogue, not about the message") {
  Scene scene;
  scene.add();
  greet(scene, "250-s\r\n250 PIPELINING\r\n");
  scene.said();
  scene.hear("250 a\r\n250 b\r\n354 go\r\n");
  scene.said();
  scene.hear("250 kept\r\n");
  Letter& letter = scene.add();
  scene.said();
  scene.hear("503 5.5.1 nested\r\n");
  CHECK(scene.session->ended());
  scene.session->broken("closed");
  CHECK(letter.with("later 503 4.5.0") == 1);
}

TEST_CASE("a reply while nothing was asked ends a waiting session without a word to anybody") {
  for (const View octets : {View{"250 hello\r\n"}, View{"421 4.4.2 timeout\r\n"}, View{"2"}}) {
    Scene scene;
    greet(scene, kAll);
    CHECK(scene.said().empty());
    scene.hear(octets);
    scene.add();
    CHECK(scene.said().empty());
    CHECK(scene.session->ended());
    CHECK_FALSE(scene.letters[0]->taken);
  }
}

TEST_CASE("a server that has enough after some messages gives the next one back, whether it says so or not") {
  for (const bool bye : {false, true}) {
    for (const View ehlo : {kAll, View{"250-s\r\n250 PIPELINING\r\n"}, View{"250 s\r\n"}}) {
      Scene scene;
      Server server;
      server.capabilities = ehlo == kAll ? "PIPELINING\r\nCHUNKING" : ehlo.size() > 10 ? "PIPELINING" : "HELP";
      server.fault = bye ? Fault::bye : Fault::drop;
      server.fault_stage = Stage::mail;
      server.fault_from = 4;
      for (int i = 0; i < 12; ++i) scene.add();
      run(scene, server);
      for (std::size_t i = 0; i < 3; ++i) CHECK(scene.letters[i]->with("delivered") == 1);
      for (std::size_t i = 3; i < 12; ++i) CHECK(scene.letters[i]->with("later") == 0);
      CHECK(scene.letters[3]->returned == 1);
    }
  }
}

TEST_CASE("a server that leaves right after EHLO, before it could be asked for anything, has refused") {
  for (const bool bye : {false, true}) {
    Scene scene;
    scene.add();
    scene.start();
    scene.hear("220 s\r\n");
    scene.said();
    scene.hear(std::string("250 s\r\n") + (bye ? "421 4.7.0 too many connections\r\n" : ""));
    scene.session->broken("connection closed");
    message::Outcome outcome;
    REQUIRE(scene.session->refused(outcome));
    CHECK(outcome.code == (bye ? 421 : 0));
    CHECK(scene.reached_count == 0);
    CHECK_FALSE(scene.letters[0]->taken);
  }
}

}  // namespace ringpost::deliver::test
