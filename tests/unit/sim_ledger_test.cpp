// The judge finds each kind of broken promise, and nothing where none was broken: it judges every simulated run.
#include <doctest/doctest.h>

#include <string>

#include "../sim/ledger.h"
#include "../sim/lines.h"
#include "../sim/world.h"

namespace ringpost {
namespace {

constexpr const char* kTrace = "Received: from client.test by relay.test\r\n with ESMTP id 0000000000ABC; today\r\n";

struct Fixture {
  sim::World world;
  std::vector<std::string> found;
  sim::Ledger ledger{[this](std::string text) { found.push_back(std::move(text)); }};
  sim::MessageRecord& message = ledger.add(one());

  static sim::MessageRecord one() {
    sim::MessageRecord made;
    made.reverse_path = "k0@sender.test";
    made.content = "Subject: x\r\n\r\nbody\r\n";
    made.recipients.push_back({.path = "k0.r0@d1.test"});
    made.recipients.push_back({.path = "k0.r1@d2.test"});
    return made;
  }
  void hand_in() {
    ledger.offered(message, {0, 1});
    ledger.acknowledged(message, {0, 1}, "250 2.0.0 kept as 0000000000ABC");
    message.settled = true;
  }
  // A taking whose reply the relay has seen, or not.
  sim::Taking taking(bool seen = true) {
    struct Nobody : sim::ListenerEvents {
      void on_connection() override {}
    } nobody;
    const auto listener = *world.network().listen(SocketAddress::v4(192, 0, 2, 1, 0), nobody, 9, false);
    const sim::EndpointPointer relay = world.network().make({});
    world.network().connect(*relay, listener->address());
    world.run_idle();
    const sim::EndpointPointer peer = listener->take();
    peer->write("250 taken\r\n");
    world.run_idle();
    if (seen) relay->consume(relay->readable().size());
    return {peer, peer->written()};
  }
  void take(std::size_t recipient, const sim::Taking& taking) {
    ledger.took("k0@sender.test", {message.recipients[recipient].path}, kTrace + message.content, taking);
  }
  void keep(message::Status status) {
    message::Envelope envelope;
    envelope.set_reverse_path("k0@sender.test");
    message::State state;
    state.reset(2, {});
    for (std::size_t i = 0; i < 2; ++i) {
      envelope.add_recipient(message.recipients[i].path, 7, 0, "");
      message::RecipientState one = state.at(i);
      one.status = status;
      state.set(i, one);
    }
    ledger.kept(envelope, state);
  }
  // A DSN about both recipients reaches the sender.
  void tell(const std::string& action, const std::string& id) {
    std::string dsn =
        "From: <>\r\nMessage-ID: " + id + "\r\n\r\n--b\r\nContent-Type: message/delivery-status\r\n\r\nX: 1\r\n";
    for (const sim::RecipientRecord& recipient : message.recipients)
      dsn += "\r\nFinal-Recipient: rfc822;" + recipient.path + "\r\nAction: " + action + "\r\n";
    ledger.took("", {"k0@sender.test"}, dsn + "\r\n--b--\r\n", taking());
  }
  std::string verdict() {
    ledger.judge();
    return found.empty() ? "" : found.front();
  }
};

}  // namespace

TEST_CASE_FIXTURE(Fixture, "each recipient delivered once: nothing to say") {
  hand_in();
  take(0, taking());
  take(1, taking());
  CHECK(ledger.owed(9) == "");
  CHECK(verdict() == "");
}

TEST_CASE_FIXTURE(Fixture, "an acknowledged recipient that is nowhere is lost") {
  hand_in();
  take(0, taking());
  CHECK(ledger.owed(9) == " k0.r1@d2.test");
  CHECK(verdict().starts_with("I1: message k0@sender.test to k0.r1@d2.test"));
}

TEST_CASE_FIXTURE(Fixture, "one whose 250 was lost may be delivered, or not") {
  ledger.offered(message, {0, 1});
  message.settled = true;
  take(0, taking());
  CHECK(verdict() == "");
}

TEST_CASE_FIXTURE(Fixture, "what was refused, or never handed in, must not be delivered") {
  take(0, taking());
  CHECK(found.size() == 1);
  ledger.offered(message, {1});
  ledger.refused(message, {1});
  take(1, taking());
  CHECK(found.size() == 2);
  CHECK(found.back().starts_with("I2: "));
  ledger.took("nobody@sender.test", {"x@d1.test"}, "", {});
  CHECK(found.size() == 3);
}

TEST_CASE_FIXTURE(Fixture, "a second delivery is wrong when the relay saw the first reply") {
  hand_in();
  take(0, taking());
  take(1, taking());
  take(1, taking());
  CHECK(verdict().starts_with("I3: message k0@sender.test to k0.r1@d2.test"));
}

TEST_CASE_FIXTURE(Fixture, "a second delivery is right when a reply was lost, or came just before a crash") {
  hand_in();
  take(0, taking(false));
  take(0, {});
  take(0, taking());
  const Instant before = world.now();
  take(1, taking());
  ledger.crashed(before, world.now());
  world.run_for(1s);
  take(1, taking());
  CHECK(verdict() == "");
}

TEST_CASE_FIXTURE(Fixture, "a client that sends again is delivered again") {
  ledger.offered(message, {0, 1});
  hand_in();
  for (const std::size_t recipient : {0U, 1U, 0U, 1U}) take(recipient, taking());
  CHECK(verdict() == "");
  take(0, taking());
  CHECK(verdict().starts_with("I3: "));
}

TEST_CASE_FIXTURE(Fixture, "failing needs a peer that refused, and queued is too late at the end") {
  hand_in();
  SUBCASE("refused, and told") {
    ledger.peer_refused("k0@sender.test", {});
    tell("failed", "<1@relay.test>");
    CHECK(verdict() == "");
  }
  SUBCASE("refused, and told to nobody") {
    ledger.peer_refused("k0@sender.test", {});
    keep(message::Status::failed);
    CHECK(verdict().starts_with("I1: "));
  }
  SUBCASE("refused, told to nobody, and gone") {
    ledger.peer_refused("k0@sender.test", {});
    CHECK(verdict().starts_with("I1: "));
  }
  SUBCASE("told by a DSN that was refused") {
    ledger.peer_refused("k0@sender.test", {});
    ledger.peer_refused("", {"k0@sender.test"});
    CHECK(verdict() == "");
  }
  SUBCASE("told twice") {
    ledger.peer_refused("k0@sender.test", {});
    tell("failed", "<1@relay.test>");
    tell("failed", "<2@relay.test>");
    CHECK(verdict().contains("told as failed 2 times"));
  }
  SUBCASE("told once, in a DSN that came twice") {
    ledger.peer_refused("k0@sender.test", {});
    tell("failed", "<1@relay.test>");
    tell("failed", "<1@relay.test>");
    CHECK(verdict() == "");
  }
  SUBCASE("told, and delivered") {
    ledger.peer_refused("k0@sender.test", {});
    tell("failed", "<1@relay.test>");
    take(0, taking());
    CHECK(verdict().contains("and delivered 1 times"));
  }
  SUBCASE("told as late twice") {
    take(0, taking());
    take(1, taking());
    tell("delayed", "<1@relay.test>");
    CHECK(verdict() == "");
    tell("delayed", "<2@relay.test>");
    CHECK(verdict().contains("told as delayed 2 times"));
  }
  SUBCASE("not refused") {
    tell("failed", "<1@relay.test>");
    CHECK(verdict().contains("no peer refused it"));
  }
  SUBCASE("told to somebody else") {
    ledger.took("", {"k1@sender.test"}, "", {});
    CHECK(verdict().starts_with("I2: "));
  }
  SUBCASE("queued") {
    keep(message::Status::open);
    CHECK(verdict().starts_with("I9: "));
  }
}

TEST_CASE_FIXTURE(Fixture, "octets and envelope are those that were handed in") {
  hand_in();
  const std::vector<std::string> first{message.recipients[0].path};
  ledger.took("k0@sender.test", first, message.content, taking());
  CHECK(found.back().contains("without a trace line"));
  ledger.took("k0@sender.test", first, kTrace + message.content + "x", taking());
  CHECK(found.back().contains("instead of"));
  ledger.took("k0@sender.test", {"k0.r0@d9.test"}, kTrace + message.content, taking());
  CHECK(found.back().contains("went to k0.r0@d9.test"));
  ledger.took("k0@sender.test", first, "Received: by relay.test id 0000000000XYZ; now\r\n" + message.content, taking());
  CHECK(found.back().contains("an id that no 250 had named"));
  CHECK(found.size() == 4);
}

TEST_CASE("contents of all forms survive stuffing and its end-of-data mark") {
  for (const std::string content : {"", ".\r\n", "a\r\n", "..\r\n.a\r\n\r\n.\r\nb\r\n", "\r\n", "\r\n.\r\n"}) {
    sim::Lines lines;
    const std::string sent = sim::stuffed(content);
    for (std::size_t i = 0; i + 1 < sent.size(); ++i) {
      lines.add(View(sent).substr(i, 1));
      REQUIRE_FALSE(lines.content());
    }
    lines.add(View(sent).substr(sent.size() - 1));
    lines.add("QUIT\r\n");
    CHECK(lines.content() == content);
    CHECK(lines.next() == "QUIT");
  }
}

}  // namespace ringpost
