// Connections and listeners on the simulated network: what becomes of octets, clocks, limits and slots when clients
// come, go, drip, break and stay.
#include <doctest/doctest.h>

#include <deque>
#include <optional>
#include <string>

#include "../dialog/memory_host.h"
#include "../sim/world.h"
#include "ringpost/receive.h"

namespace ringpost::receive {
namespace {

// Answers commits a little later, as a spool does, unless it is told to hold them.
class SlowHost : public dialog::MemoryHost {
 public:
  explicit SlowHost(ring::Ring& ring) : ring_(ring) {}
  Receiver* receiver = nullptr;
  bool hold = false;
  Duration takes = 1ms;

  void commit(message::Draft& draft, Ticket ticket) override {
    MemoryHost::commit(draft, ticket);
    if (!hold && !timer_.armed()) ring_.arm(timer_, takes);
  }
  void answer_all() {
    std::vector<Ticket> now;
    std::swap(now, awaited);
    for (const Ticket& ticket : now) receiver->committed(ticket, {});
  }

 private:
  ring::Ring& ring_;
  ring::Timer timer_{this, ring::call<&SlowHost::answer_all>};
};

class Client : public sim::EndpointEvents {
 public:
  Client(sim::World& world, const SocketAddress& server, const SocketAddress& from) : end_(world.network().make(from)) {
    end_->attach(this);
    world.network().connect(*end_, server);
  }
  ~Client() override { end_->close(); }
  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;

  std::string said;   // by the server
  bool reads = true;  // false: it does not take what the server says
  bool over = false;  // the server has closed
  int error = 0;

  void send(View octets) {
    pending_ += octets;
    push();
  }
  void finish() {
    finished_ = true;
    push();
  }
  void reset() { end_->reset(); }
  void close() { end_->close(); }
  [[nodiscard]] bool sent_all() const { return pending_.empty(); }
  [[nodiscard]] bool heard(View text) const { return said.find(text) != std::string::npos; }
  [[nodiscard]] std::size_t count(View text) const {
    std::size_t found = 0;
    for (std::size_t at = 0; (at = said.find(text, at)) != std::string::npos; at += text.size()) ++found;
    return found;
  }

  void on_connected() override { push(); }
  void on_writable() override { push(); }
  void on_readable() override {
    if (reads) {
      said += end_->readable();
      end_->consume(end_->readable().size());
    }
    over = over || end_->at_end();
    error = end_->error();
  }

 private:
  void push() {
    if (!end_->can_write()) return;
    pending_.erase(0, end_->write(pending_));
    if (pending_.empty() && finished_) end_->shutdown_write();
  }

  sim::EndpointPointer end_;
  std::string pending_;
  bool finished_ = false;
};

const SocketAddress kServer = SocketAddress::v4(127, 0, 0, 1, 2525);
const View kEnvelope = "MAIL FROM:<a@client.example>\r\nRCPT TO:<b@server.example>\r\n";

struct Fixture {
  sim::World world;
  config::Config config;
  SlowHost host;
  std::optional<Receiver> receiver;
  std::deque<Client> clients;
  std::uint16_t port = 40000;

  explicit Fixture(std::uint64_t seed = 1) : world({.seed = seed}), host(world.ring()) {
    config.hostname = "mx.server.example";
    config.limits.sessions = 100;
    config.listeners.push_back({.address = kServer});
  }
  ~Fixture() {
    if (!receiver) return;
    receiver->abort();
    CHECK(world.run_until([&] { return receiver->idle(); }));
    CHECK(receiver->statistics().sessions == 0);
    CHECK(host.open.empty());
    CHECK(world.violations().empty());
  }
  void start() {
    receiver.emplace(world.ring(), std::make_shared<config::Config>(config), host);
    host.receiver = &*receiver;
    const auto listening = receiver->listen();
    REQUIRE(listening);
  }
  Client& connect(SocketAddress from = SocketAddress::v4(127, 0, 0, 1, 0)) {
    if (!receiver) start();
    return clients.emplace_back(world, kServer, from.with_port(++port));
  }
  bool until(const std::function<bool()>& condition, Duration limit = 1h) { return world.run_until(condition, limit); }
  bool heard(Client& client, View text) {
    return until([&] { return client.heard(text); });
  }
};

std::string message(View content) { return std::string{kEnvelope} + "DATA\r\n" + std::string{content} + ".\r\n"; }

std::string lines(std::size_t count) {
  std::string text;
  for (std::size_t i = 0; i < count; ++i)
    text += "line " + std::to_string(i) + " of a long content, with words in it\r\n";
  return text;
}

}  // namespace

TEST_CASE("a message comes in, is answered, and QUIT ends the connection") {
  Fixture f;
  Client& client = f.connect();
  client.send("EHLO c\r\n" + message("Subject: x\r\n\r\nbody\r\n") + "QUIT\r\n");
  REQUIRE(f.until([&] { return client.over; }));
  CHECK(client.said.starts_with("220 mx.server.example"));
  CHECK(client.heard("250 2.0.0 Ok: queued as "));
  CHECK(client.said.ends_with("221 2.0.0 Bye\r\n"));
  CHECK(client.error == 0);
  REQUIRE(f.host.kept.size() == 1);
  CHECK(f.host.kept[0].draft->sink.content == "Subject: x\r\n\r\nbody\r\n");
  client.close();
  CHECK(f.until([&] { return f.receiver->statistics().sessions == 0; }, 1s));
}

TEST_CASE("a client that does not close after QUIT is waited for, not long") {
  Fixture f;
  Client& client = f.connect();
  client.send("QUIT\r\n");
  REQUIRE(f.until([&] { return client.over; }));
  CHECK(f.receiver->statistics().sessions == 1);
  CHECK(f.until([&] { return f.receiver->statistics().sessions == 0; }, 10s));
}

TEST_CASE("a large content cut into the smallest segments comes in whole") {
  Fixture f;
  f.world.network().conditions().cut_small = 1'000'000;
  Client& client = f.connect();
  const std::string content = lines(2000);
  client.send("EHLO c\r\n" + message(content) + message("second\r\n"));
  REQUIRE(f.until([&] { return client.count("queued as") == 2; }));
  CHECK(f.host.kept[0].draft->sink.content == content);
  CHECK(f.host.kept[1].draft->sink.content == "second\r\n");
}

TEST_CASE("a client that closes its side after its commands gets all its replies") {
  Fixture f;
  f.host.takes = 3s;
  Client& client = f.connect();
  client.send("EHLO c\r\n" + message("one\r\n") + message("two\r\n"));
  client.finish();
  REQUIRE(f.until([&] { return client.over; }));
  CHECK(client.count("queued as") == 2);
  CHECK(client.error == 0);
}

TEST_CASE("a client that closes its side in the middle of a line or a content is let go, and nothing is kept") {
  for (const View half : {"NOO", "MAIL FROM:<a@client.example>\r\nRCPT TO:<b@server.example>\r\nDATA\r\nhalf"}) {
    Fixture f;
    Client& client = f.connect();
    client.send("EHLO c\r\n");
    client.send(half);
    client.finish();
    REQUIRE(f.until([&] { return client.over; }));
    CHECK(f.until([&] { return f.receiver->statistics().sessions == 0; }));
    CHECK(f.host.kept.empty());
    CHECK(f.host.open.empty());
  }
}

TEST_CASE("a client that breaks off in its content leaves nothing behind") {
  Fixture f;
  Client& client = f.connect();
  client.send("EHLO c\r\n" + std::string{kEnvelope} + "DATA\r\nhalf of it");
  REQUIRE(f.heard(client, "354"));
  client.reset();
  CHECK(f.until([&] { return f.receiver->statistics().sessions == 0; }));
  CHECK(f.host.abandoned == 1);
}

TEST_CASE("a client that breaks off while its commit is awaited does no harm, and the late answer finds nobody") {
  Fixture f;
  f.host.hold = true;
  Client& client = f.connect();
  client.send("EHLO c\r\n" + message("x\r\n"));
  REQUIRE(f.until([&] { return f.host.awaited.size() == 1; }));
  client.reset();
  REQUIRE(f.until([&] { return f.receiver->statistics().sessions == 0; }));
  // The slot has a new tenant when the answer comes.
  Client& next = f.connect();
  REQUIRE(f.heard(next, "220"));
  f.host.answer_all();
  f.world.run_for(1s);
  CHECK_FALSE(next.heard("queued"));
  CHECK(f.receiver->statistics().messages == 0);
}

TEST_CASE("a silent client gets 421 after its time, and the connection is closed") {
  Fixture f;
  f.config.receive.timeouts.command = 30s;
  Client& client = f.connect();
  const Instant start = f.world.now();
  REQUIRE(f.heard(client, "421 4.4.2"));
  CHECK(f.world.now() - start >= 30s);
  CHECK(f.world.now() - start < 31s);
  CHECK(f.until([&] { return f.receiver->statistics().sessions == 0; }, 1min));
}

TEST_CASE("a line that comes in drips does not stretch the time for it") {
  Fixture f;
  f.config.receive.timeouts.command = 30s;
  Client& client = f.connect();
  REQUIRE(f.heard(client, "220"));
  const Instant start = f.world.now();
  while (!client.heard("421 4.4.2") && f.world.now() - start < 2min) {
    client.send("N");
    f.world.run_for(1s);
  }
  CHECK(f.world.now() - start < 32s);
}

TEST_CASE("a client that keeps talking is not timed out") {
  Fixture f;
  f.config.receive.timeouts.command = 30s;
  Client& client = f.connect();
  for (int i = 0; i < 20; ++i) {
    client.send("NOOP\r\n");
    f.world.run_for(20s);
  }
  CHECK(client.count("250 2.0.0 Ok") == 20);
  CHECK_FALSE(client.heard("421"));
}

TEST_CASE("content that comes in drips is bounded by the time for a message") {
  Fixture f;
  f.config.receive.timeouts = {.command = 5min, .data = 30s, .message = 2min};
  Client& client = f.connect();
  client.send("EHLO c\r\n" + std::string{kEnvelope} + "DATA\r\n");
  REQUIRE(f.heard(client, "354"));
  const Instant start = f.world.now();
  while (!client.heard("421 4.4.2") && f.world.now() - start < 10min) {
    client.send("x");
    f.world.run_for(5s);
  }
  CHECK(f.world.now() - start >= 110s);
  CHECK(f.world.now() - start < 130s);
  CHECK(f.host.kept.empty());
}

TEST_CASE("chunks that come in drips are bounded by the time for a message too") {
  Fixture f;
  f.config.receive.timeouts = {.command = 5min, .data = 30s, .message = 2min};
  Client& client = f.connect();
  client.send("EHLO c\r\n" + std::string{kEnvelope});
  const Instant start = f.world.now();
  while (!client.heard("421 4.4.2") && f.world.now() - start < 10min) {
    client.send("BDAT 1\r\nx");
    f.world.run_for(5s);
  }
  CHECK(f.world.now() - start < 130s);
}

TEST_CASE("a silent client is not timed out while it waits for us") {
  Fixture f;
  f.config.receive.timeouts.command = 10s;
  f.host.takes = 10min;
  Client& client = f.connect();
  client.send("EHLO c\r\n" + message("x\r\n"));
  REQUIRE(f.until([&] { return client.heard("queued as") || client.heard("421"); }));
  CHECK_FALSE(client.heard("421"));
}

TEST_CASE("one session too many gets 421 instead of a banner, and a place that is free again is given away") {
  Fixture f;
  f.config.limits.sessions = 2;
  Client& first = f.connect();
  Client& second = f.connect();
  REQUIRE(f.heard(first, "220"));
  REQUIRE(f.heard(second, "220"));
  Client& third = f.connect();
  REQUIRE(f.until([&] { return third.over; }));
  CHECK(third.said.starts_with("421 4.3.2 "));
  CHECK(third.count("\r\n") == 1);
  first.send("QUIT\r\n");
  REQUIRE(f.until([&] { return first.over; }));
  first.close();
  REQUIRE(f.until([&] { return f.receiver->statistics().sessions == 1; }));
  Client& fourth = f.connect();
  CHECK(f.heard(fourth, "220"));
}

TEST_CASE("one session too many of a client gets 421, another client is let in") {
  Fixture f;
  f.config.limits.sessions_per_client = 1;
  Client& first = f.connect();
  REQUIRE(f.heard(first, "220"));
  Client& second = f.connect();
  REQUIRE(f.until([&] { return second.over; }));
  CHECK(second.said.starts_with("421 4.7.0 "));
  Client& other = f.connect(SocketAddress::v4(127, 0, 0, 2, 0));
  CHECK(f.heard(other, "220"));
  first.reset();
  REQUIRE(f.until([&] { return f.receiver->statistics().sessions == 1; }));
  Client& again = f.connect();
  CHECK(f.heard(again, "220"));
}

TEST_CASE("the last reply reaches a client that goes on sending") {
  Fixture f;
  Client& client = f.connect();
  client.send("EHLO c\r\n" + std::string{kEnvelope} + "DATA\r\nbare\nlf\r\n.\r\n" + lines(5000));
  REQUIRE(f.heard(client, "550 5.6.0"));
  CHECK(client.error == 0);
  CHECK(f.until([&] { return f.receiver->statistics().sessions == 0; }, 1min));
}

TEST_CASE("a client that never stops sending after the end is cut off") {
  Fixture f;
  Client& client = f.connect();
  client.send("QUIT\r\n" + std::string(3UL * 1024 * 1024, 'x'));
  CHECK(f.until([&] { return f.receiver->statistics().sessions == 0; }, 1min));
  CHECK_FALSE(client.sent_all());
}

TEST_CASE("a client that does not read its replies holds a slot for a bounded time and bounded memory") {
  Fixture f;
  f.config.receive.timeouts.command = 1min;
  f.config.receive.errors = 1'000'000;
  Client& client = f.connect();
  client.reads = false;
  std::string flood;
  for (int i = 0; i < 30'000; ++i) flood += "FROB\r\n";
  client.send(flood);
  f.world.run_for(10s);
  CHECK_FALSE(client.sent_all());
  CHECK(f.until([&] { return f.receiver->statistics().sessions == 0; }, 10min));
}

TEST_CASE("when the service goes down, idle sessions get 421 and the others finish") {
  Fixture f;
  Client& idle = f.connect();
  Client& busy = f.connect();
  busy.send("EHLO c\r\n" + std::string{kEnvelope} + "DATA\r\nhalf\r\n");
  REQUIRE(f.heard(busy, "354"));
  REQUIRE(f.heard(idle, "220"));
  f.receiver->drain();
  REQUIRE(f.until([&] { return idle.over; }));
  CHECK(idle.heard("421 4.3.2"));
  CHECK_FALSE(busy.over);
  Client& late = f.connect();
  f.world.run_for(1s);
  CHECK(late.said.empty());
  busy.send("other half\r\n.\r\n");
  REQUIRE(f.until([&] { return busy.over; }));
  CHECK(busy.heard("queued as"));
  CHECK(busy.said.find("421 4.3.2") > busy.said.find("queued as"));
  idle.close();
  busy.close();
  CHECK(f.until([&] { return f.receiver->idle(); }));
}

TEST_CASE("abort ends every session and gives every draft back") {
  Fixture f;
  for (int i = 0; i < 5; ++i) f.connect().send("EHLO c\r\n" + std::string{kEnvelope} + "DATA\r\nhalf\r\n");
  REQUIRE(f.until([&] { return f.host.open.size() == 5; }));
  f.receiver->abort();
  CHECK(f.until([&] { return f.receiver->idle(); }));
  CHECK(f.host.abandoned == 5);
}

TEST_CASE("more messages than may be awaited at once are all answered, in order, however they are cut") {
  Fixture f;
  unsigned cut_small = 0;
  SUBCASE("in large segments") { cut_small = 0; }
  SUBCASE("in small segments") { cut_small = 1'000'000; }
  f.world.network().conditions().cut_small = cut_small;
  f.host.hold = true;
  Client& client = f.connect();
  std::string burst = "EHLO c\r\n";
  for (int i = 0; i < 200; ++i) burst += std::string{kEnvelope} + "BDAT 6 LAST\r\n" + std::to_string(1000 + i) + "\r\n";
  client.send(burst);
  std::size_t most = 0;
  const bool all = f.until([&] {
    most = std::max(most, f.host.awaited.size());
    if (f.host.awaited.size() == kCommitsAwaited || f.host.kept.size() == 200) f.host.answer_all();
    return client.count("queued as") == 200;
  });
  CHECK(all);
  CHECK(most == kCommitsAwaited);
  for (std::size_t i = 0; i < f.host.kept.size(); ++i)
    CHECK(f.host.kept[i].draft->sink.content == std::to_string(1000 + i) + "\r\n");
}

TEST_CASE("a sink that is full stops its client, and only it, until it has drained") {
  Fixture f;
  f.host.full_at = 100;
  Client& client = f.connect();
  const std::string content = lines(20'000);
  client.send("EHLO c\r\n" + message(content));
  REQUIRE(f.heard(client, "354"));
  f.world.run_for(1min);
  CHECK_FALSE(client.sent_all());
  REQUIRE(f.host.open.size() == 1);
  CHECK(f.host.open[0]->sink.content.size() < 100'000);
  f.host.full_at = dialog::MemorySink::kNever;
  Client& other = f.connect();
  other.send("EHLO c\r\n" + message("x\r\n"));
  CHECK(f.heard(other, "queued as"));
  f.host.open[0]->sink.drain();
  REQUIRE(f.heard(client, "queued as"));
  CHECK(f.host.kept.back().draft->sink.content == content);
}

TEST_CASE("a listener for submission is not opened while there is no AUTH and no TLS") {
  Fixture f;
  f.config.listeners.push_back({kServer.with_port(587), config::ListenerKind::submission});
  f.config.listeners.push_back({kServer.with_port(465), config::ListenerKind::submissions});
  f.start();
  CHECK(f.receiver->addresses() == std::vector{kServer});
}

TEST_CASE("sessions that begin after a reload go by the new configuration") {
  Fixture f;
  Client& before = f.connect();
  REQUIRE(f.heard(before, "220"));
  auto changed = std::make_shared<config::Config>(f.config);
  changed->limits.message_size = 12345;
  f.receiver->reconfigure(changed);
  Client& after = f.connect();
  before.send("EHLO c\r\n");
  after.send("EHLO c\r\n");
  REQUIRE(f.heard(before, "HELP"));
  REQUIRE(f.heard(after, "HELP"));
  CHECK_FALSE(before.heard("SIZE 12345\r\n"));
  CHECK(after.heard("SIZE 12345\r\n"));
}

TEST_CASE(
    "a crowd of clients that come and go as they please leaves nothing behind, and each 250 stands for a message") {
  for (std::uint64_t seed = 1; seed <= 8; ++seed) {
    Fixture f{seed};
    f.config.limits.sessions = 20;
    f.config.receive.timeouts = {.command = 1min, .data = 1min, .message = 5min};
    f.world.network().conditions().cut_small = 300'000;
    f.world.network().conditions().reset = 2'000;
    f.world.network().conditions().vanish = 50'000;
    Random random{seed};
    std::size_t wanted = 0;
    for (int i = 0; i < 150; ++i) {
      Client& client = f.connect();
      std::string talk = "EHLO c\r\n";
      for (std::uint64_t messages = random.below(4); messages > 0; --messages, ++wanted)
        talk += message(lines(random.below(200)));
      if (random.chance(1, 2)) talk += "QUIT\r\n";
      client.send(talk.substr(0, random.chance(1, 4) ? random.below(talk.size()) : talk.size()));
      if (random.chance(1, 4)) client.finish();
      f.world.run_for(Duration{1ms} * static_cast<std::int64_t>(random.below(20)));
      if (random.chance(1, 10)) f.clients[random.below(f.clients.size())].reset();
    }
    f.world.run_for(20min);
    CHECK(f.receiver->statistics().sessions == 0);
    std::size_t answered = 0;
    for (const Client& client : f.clients) answered += client.count("queued as");
    CHECK(answered <= f.host.kept.size());
    CHECK(f.host.kept.size() <= wanted);
    CHECK(answered > 0);
  }
}

TEST_CASE("a census counts over all who share it") {
  Census census;
  const SocketAddress client = SocketAddress::v4(192, 0, 2, 1, 1);
  CHECK(census.enter(client, true).of_client == 0);
  CHECK(census.enter(client.with_port(2), true).of_client == 1);
  CHECK(census.enter(client.with_port(3), false).sessions == 2);
  census.leave(client, true);
  CHECK(census.enter(client, true).of_client == 1);
}

}  // namespace ringpost::receive
