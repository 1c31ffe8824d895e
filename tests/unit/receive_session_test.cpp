// What a dialogue does not show of a server session: what it tells its host, its clocks, its counts, and what it gives
// back.
#include <doctest/doctest.h>

#include <string>

#include "../dialog/memory_host.h"
#include "ringpost/receive.h"

namespace ringpost::receive {
namespace {

struct Fixture {
  config::Config config;
  dialog::MemoryHost host;
  Pools pools{2};
  Peer peer;
  std::optional<Session> session;
  std::string said;

  Fixture() {
    config.hostname = "mx.server.example";
    peer.client = SocketAddress::v4(127, 0, 0, 1, 40000);
    session.emplace(config, peer, host, Ticket{1, 2, 0}, pools);
    collect();
  }
  void collect() {
    while (!session->output().empty()) {
      said += session->output();
      session->sent(session->output().size());
    }
  }
  std::string talk(View octets) {
    said.clear();
    CHECK(session->feed(octets) == octets.size());
    collect();
    return said;
  }
  void open() { talk("EHLO client.example\r\nMAIL FROM:<a@client.example>\r\nRCPT TO:<b@server.example>\r\n"); }
  void answer(const Result<void>& result) {
    const Ticket ticket = host.awaited.front();
    host.awaited.erase(host.awaited.begin());
    session->committed(ticket.sequence, result);
    said.clear();
    collect();
  }
};

}  // namespace

TEST_CASE("a commit names its session and a sequence that goes up by one") {
  Fixture f;
  for (std::uint32_t i = 1; i <= 3; ++i) {
    f.open();
    f.talk("BDAT 0 LAST\r\n");
    REQUIRE(f.host.awaited.size() == 1);
    CHECK(f.host.awaited[0].slot == 1);
    CHECK(f.host.awaited[0].generation == 2);
    CHECK(f.host.awaited[0].sequence == i);
    f.answer({});
  }
}

TEST_CASE("a draft is complete when it is handed over: envelope, facts, trace with the same id as the 250") {
  Fixture f;
  f.open();
  f.talk("DATA\r\nReceived: from x\r\nSubject: caf\xC3\xA9\r\n\r\n..dot\r\n.\r\n");
  REQUIRE(f.host.kept.size() == 1);
  const dialog::MemoryDraft& draft = *f.host.kept[0].draft;
  CHECK(draft.envelope.helo() == "client.example");
  CHECK(draft.envelope.client == f.peer.client);
  CHECK(draft.envelope.protocol == message::Protocol::esmtp);
  CHECK(draft.envelope.accepted == dialog::MemoryHost::kTime);
  CHECK(draft.facts.size == draft.sink.content.size());
  CHECK(draft.facts.dot_lines == 1);
  CHECK(draft.facts.received == 1);
  CHECK(draft.facts.eight_bit);
  CHECK(draft.facts.eight_bit_header);
  CHECK(draft.facts.ends_with_crlf);
  CHECK(draft.trace.starts_with("Received: from client.example"));
  CHECK(draft.trace.find("by mx.server.example") != std::string::npos);
  CHECK(draft.trace.find(draft.id.text()) != std::string::npos);
  f.answer({});
  CHECK(f.said == "250 2.0.0 Ok: queued as " + draft.id.text() + "\r\n");
}

TEST_CASE("HELO and SMTPUTF8 show in the protocol of the envelope") {
  Fixture f;
  f.talk("HELO client.example\r\nMAIL FROM:<a@client.example>\r\nRCPT TO:<b@server.example>\r\nDATA\r\n.\r\n");
  f.talk("EHLO client.example\r\nMAIL FROM:<a@client.example> SMTPUTF8\r\nRCPT TO:<b@server.example>\r\nDATA\r\n.\r\n");
  REQUIRE(f.host.kept.size() == 2);
  CHECK(f.host.kept[0].draft->envelope.protocol == message::Protocol::smtp);
  CHECK(f.host.kept[1].draft->envelope.protocol == message::Protocol::utf8smtp);
}

TEST_CASE("each refusal is told to the host with what is known of the envelope") {
  Fixture f;
  f.open();
  f.talk("RCPT TO:<c@>\r\n");
  REQUIRE(f.host.refusals.size() == 1);
  CHECK(f.host.refusals[0].code == 501);
  CHECK(f.host.refusals[0].reverse_path == "a@client.example");
  CHECK(f.host.refusals[0].forward_path == "TO:<c@>");
  CHECK(f.pools.statistics.refused[5] == 1);
}

TEST_CASE("a session that goes away in mid-content gives its draft up") {
  Fixture f;
  f.open();
  f.talk("DATA\r\nhalf");
  CHECK_FALSE(f.session->idle());
  f.session.reset();
  CHECK(f.host.abandoned == 1);
  CHECK(f.host.open.empty());
}

TEST_CASE("a session that goes away while a commit is awaited leaves it alone") {
  Fixture f;
  f.open();
  f.talk("BDAT 0 LAST\r\n");
  CHECK_FALSE(f.session->idle());
  f.session.reset();
  CHECK(f.host.abandoned == 0);
  CHECK(f.host.kept.size() == 1);
}

TEST_CASE("an unfinished line is left to the caller, octet for octet") {
  Fixture f;
  CHECK(f.session->feed("NOOP\r\nNOO") == 6);
  CHECK(f.session->feed("NOO") == 0);
  CHECK(f.session->feed("NOOP\r\n") == 6);
}

TEST_CASE("the clock of a client runs on over parts of a line and begins anew with whole ones") {
  Fixture f;
  const std::uint32_t before = f.session->progress();
  CHECK(f.session->feed("NO") == 0);
  CHECK(f.session->feed("NOO") == 0);
  CHECK(f.session->progress() == before);
  f.talk("NOOP\r\n");
  CHECK(f.session->progress() != before);
}

TEST_CASE("patience is for a command, then for content, and without end while the client waits for us") {
  Fixture f;
  f.config.receive.timeouts = {.command = 7s, .data = 5s, .message = 60s};
  CHECK(f.session->patience() == Duration{7s});
  f.open();
  CHECK(f.session->content() == 0);
  f.talk("DATA\r\n");
  CHECK(f.session->patience() == Duration{5s});
  CHECK(f.session->content() == 1);
  f.talk("x\r\n.\r\n");
  CHECK(f.session->content() == 0);
  CHECK(f.session->patience() == Duration::max());
  f.answer({});
  CHECK(f.session->patience() == Duration{7s});
}

TEST_CASE("a message that comes in chunks is one content from the first to the last") {
  Fixture f;
  f.open();
  f.talk("BDAT 3\r\nx\r\n");
  const std::uint32_t content = f.session->content();
  CHECK(content != 0);
  f.talk("BDAT 3\r\nx\r");
  CHECK(f.session->content() == content);
  f.talk("\nBDAT 0 LAST\r\n");
  CHECK(f.session->content() == 0);
}

TEST_CASE("with too many commits awaited a session takes no input, and goes on when one is answered") {
  Fixture f;
  f.talk("EHLO client.example\r\n");
  const std::string one = "MAIL FROM:<a@client.example>\r\nRCPT TO:<b@server.example>\r\nBDAT 0 LAST\r\n";
  for (std::size_t i = 0; i < kCommitsAwaited; ++i) {
    CHECK(f.session->wants_input());
    CHECK(f.session->feed(one) == one.size());
  }
  CHECK_FALSE(f.session->wants_input());
  CHECK(f.session->feed("NOOP\r\n") == 0);
  f.session->committed(f.host.awaited[0].sequence, {});
  CHECK(f.session->wants_input());
  CHECK(f.session->feed("NOOP\r\n") == 6);
}

TEST_CASE("a client that does not read its replies is not read either") {
  Fixture f;
  f.config.receive.errors = 1'000'000;
  const View line = "FROB\r\n";
  std::size_t fed = 0;
  while (f.session->wants_input() && fed < 100'000) fed += f.session->feed(line);
  CHECK(fed < 100'000);
  iovec pieces[64];
  std::size_t octets = 0;
  for (std::size_t i = 0, count = f.session->output(pieces); i < count; ++i) octets += pieces[i].iov_len;
  CHECK(octets <= kRepliesHeld + 512);
  f.collect();
  CHECK(f.session->wants_input());
}

TEST_CASE("a full sink stops the input, and the session tells who waits when it has drained") {
  Fixture f;
  int woken = 0;
  f.session->on_wake(&woken, [](void* count) { ++*static_cast<int*>(count); });
  f.host.full_at = 4;
  f.open();
  f.talk("DATA\r\nxxxx\r\n");
  CHECK_FALSE(f.session->wants_input());
  CHECK(f.session->feed(".\r\n") == 0);
  CHECK(f.session->patience() == Duration::max());
  f.host.open[0]->sink.drain();
  CHECK(woken == 1);
  CHECK(f.session->wants_input());
  f.talk(".\r\n");
  CHECK(f.host.kept.size() == 1);
}

TEST_CASE("a sink that drains after its session went away wakes nobody") {
  Fixture f;
  int woken = 0;
  f.session->on_wake(&woken, [](void* count) { ++*static_cast<int*>(count); });
  f.host.full_at = 4;
  f.open();
  f.talk("BDAT 4 LAST\r\nxx\r\n");
  REQUIRE(f.host.kept.size() == 1);
  f.session.reset();
  f.host.kept[0].draft->sink.drain();
  CHECK(woken == 0);
}

TEST_CASE("transactions, messages and octets are counted") {
  Fixture f;
  f.open();
  f.talk("BDAT 3 LAST\r\nx\r\n");
  f.answer({});
  f.open();
  f.talk("RSET\r\n");
  CHECK(f.pools.statistics.transactions == 2);
  CHECK(f.pools.statistics.messages == 1);
  CHECK(f.pools.statistics.octets == 3);
}

TEST_CASE("a thousand recipients are kept in order and a repeated one is found among them") {
  Fixture f;
  f.talk("EHLO client.example\r\nMAIL FROM:<a@client.example>\r\n");
  for (int i = 0; i < 999; ++i) f.talk("RCPT TO:<r" + std::to_string(i) + "@server.example>\r\n");
  f.talk("RCPT TO:<r500@server.example>\r\nBDAT 0 LAST\r\n");
  REQUIRE(f.host.kept.size() == 1);
  const message::Envelope& envelope = f.host.kept[0].draft->envelope;
  REQUIRE(envelope.recipient_count() == 999);
  CHECK(envelope.recipient(500).forward_path == "r500@server.example");
  CHECK(envelope.recipient(998).forward_path == "r998@server.example");
}

TEST_CASE("octets stay where they are while more is said behind them") {
  Fixture f;
  CHECK(f.session->feed("NOOP\r\n") == 6);
  const View first = f.session->output();
  CHECK(first == "250 2.0.0 Ok\r\n");
  for (int i = 0; i < 60; ++i) CHECK(f.session->feed("HELP\r\n") == 6);
  CHECK(first == "250 2.0.0 Ok\r\n");
  f.session->sent(first.size());
  f.collect();
  CHECK(f.session->answered());
}

TEST_CASE("commits answered in any order leave in order, in whatever parts they are sent") {
  Fixture f;
  f.talk("EHLO client.example\r\n");
  std::string ids;
  for (int i = 0; i < 20; ++i) {
    f.talk("MAIL FROM:<a@client.example>\r\nRCPT TO:<b@server.example>\r\nBDAT 0 LAST\r\n");
    ids += "queued as " + f.host.kept.back().draft->id.text() + "\r\n";
  }
  for (std::uint32_t i = 0; i < 20; ++i) f.session->committed(1 + i * 7 % 20, {});
  std::string got;
  for (std::size_t step = 1; !f.session->answered(); step = step * 7 % 31 + 1) {
    const View piece = f.session->output().substr(0, step);
    got += piece;
    f.session->sent(piece.size());
  }
  std::string queued;
  for (std::size_t at = 0; (at = got.find("queued as ", at)) != std::string::npos; at += 10)
    queued += got.substr(at, 25);
  CHECK(queued == ids);
}

TEST_CASE("a commit that nobody awaits is passed over") {
  Fixture f;
  f.session->committed(1, {});
  f.open();
  f.talk("BDAT 0 LAST\r\n");
  f.session->committed(7, {});
  CHECK_FALSE(f.session->answered());
  f.session->committed(1, {});
  f.collect();
  CHECK(f.session->answered());
}

}  // namespace ringpost::receive
