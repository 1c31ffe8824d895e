// Connections on the simulated network: which host, which time, how many, and what a peer can do to them. A peer that
// breaks off, drips or hangs costs one connection for a bounded time.
#include <doctest/doctest.h>

#include "deliver_yard.h"

namespace ringpost::deliver::test {
namespace {

const SocketAddress kFirst = SocketAddress::v4(192, 0, 2, 1, 25);
const SocketAddress kSecond = SocketAddress::v4(192, 0, 2, 2, 25);
const SocketAddress kOther = SocketAddress::v4(192, 0, 2, 3, 25);

}  // namespace

TEST_CASE("many messages over several connections, each whole and once") {
  Yard yard(3);
  Site site(yard.world, kFirst);
  for (int i = 0; i < 200; ++i) yard.add(1, 1 + static_cast<std::size_t>(i % 3));
  yard.start();
  for (int i = 0; i < 3; ++i) yard.deliverer->open({1}, Yard::route({kFirst}));
  CHECK(yard.deliverer->connections({1}) == 3);
  CHECK(yard.deliverer->connecting({1}) == 3);
  CHECK(yard.world.run_until([&] { return yard.all_over(); }));
  CHECK(site.messages().size() == 200);
  CHECK(site.breaches().empty());
  CHECK(yard.deliverer->connecting({1}) == 0);
  const Statistics& statistics = yard.deliverer->statistics();
  CHECK(statistics.connections == 3);
  CHECK(statistics.transactions == 200);
  CHECK(statistics.delivered == yard.count(1, "delivered"));
  CHECK(statistics.octets == 200 * 20);
}

TEST_CASE("connections without work are closed with QUIT after the idle time, and their leases come back") {
  Yard yard;
  Site site(yard.world, kFirst);
  yard.start();
  yard.deliverer->open({1}, Yard::route({kFirst}));
  const Instant begin = yard.world.now();
  CHECK(yard.world.run_until([&] { return yard.reached_count[1] == 1; }));
  CHECK(yard.world.run_until([&] { return yard.closed_count[1] == 1; }));
  CHECK(yard.world.now() - begin >= yard.config->deliver.timeouts.idle);
  CHECK(yard.world.now() - begin < yard.config->deliver.timeouts.idle + 2s);
  CHECK(yard.deliverer->idle());
  CHECK(yard.unreachables.empty());
}

TEST_CASE("a woken idle connection is used again") {
  Yard yard;
  Site site(yard.world, kFirst);
  yard.start();
  CHECK_FALSE(yard.deliverer->wake({1}));
  yard.deliverer->open({1}, Yard::route({kFirst}));
  CHECK_FALSE(yard.deliverer->wake({1}));  // not greeted yet
  yard.world.run_until([&] { return yard.reached_count[1] == 1; });
  for (int i = 1; i <= 5; ++i) {
    yard.world.run_for(1s);
    yard.add(1);
    CHECK(yard.deliverer->wake({1}));
    CHECK(yard.world.run_until([&] { return yard.all_over(); }));
  }
  CHECK(site.connections == 1);
  CHECK(site.messages().size() == 5);
}

TEST_CASE("a server that offers CHUNKING and does not know BDAT gets its mail by DATA, on new connections") {
  Yard yard;
  Site site(yard.world, kFirst);
  site.make = [](Server& server, int) { server.knows_bdat = false; };
  for (int i = 0; i < 20; ++i) yard.add(1, 2);
  yard.start();
  yard.deliverer->open({1}, Yard::route({kFirst}));
  CHECK(yard.world.run_until([&] { return yard.closed_count[1] == 1; }));
  CHECK(yard.returned_count > 0);
  CHECK(yard.count(1, "never") + yard.count(1, "later") == 0);
  yard.deliverer->open({1}, Yard::route({kFirst}));
  CHECK(yard.world.run_until([&] { return yard.all_over(); }));
  CHECK(yard.count(1, "delivered") == 40);
  CHECK(site.messages().size() == 20);
  CHECK(site.connections == 2);
}

TEST_CASE("hosts are tried in order until one talks") {
  Yard yard;
  Site site(yard.world, kOther);
  Site refusing(yard.world, kSecond);
  refusing.make = [](Server& server, int) { server.fault = Fault::never; };  // banner
  SUBCASE("the first refuses connections") { yard.world.network().down(kFirst, sim::Down::refused); }
  SUBCASE("the first is silent") { yard.world.network().down(kFirst, sim::Down::silent); }
  SUBCASE("the first is not reached") { yard.world.network().down(kFirst, sim::Down::unreachable); }
  yard.add(1);
  yard.start();
  yard.deliverer->open({1}, Yard::route({kFirst, kSecond, kOther}));
  CHECK(yard.world.run_until([&] { return yard.all_over(); }, 35s));
  CHECK(site.messages().size() == 1);
  CHECK(refusing.connections == 1);
  CHECK(yard.unreachables.empty());
  CHECK(yard.reached_count[1] == 1);
}

TEST_CASE(
    "when no host talks, the destination is unreachable once, with the last host's words, and the lease is free") {
  Yard yard;
  Site refusing(yard.world, kSecond);
  refusing.make = [](Server& server, int) { server.fault = Fault::never; };
  yard.add(1);
  yard.start();
  SUBCASE("the last words are a reply") {
    yard.deliverer->open({1}, Yard::route({kFirst, kSecond}));
    CHECK(yard.unreachables.empty());  // never from inside a call
    CHECK(yard.world.run_until([&] { return yard.closed_count[1] == 1; }));
    REQUIRE(yard.unreachables.size() == 1);
    CHECK(yard.unreachables[0] == "1: 550 4.7.1 go away @192.0.2.2:25");
  }
  SUBCASE("the last words are the kernel's") {
    yard.deliverer->open({1}, Yard::route({kSecond, kFirst}));
    CHECK(yard.world.run_until([&] { return yard.closed_count[1] == 1; }));
    REQUIRE(yard.unreachables.size() == 1);
    CHECK(yard.unreachables[0] == "1: 0 4.4.1 connect to 192.0.2.1:25: Connection refused @192.0.2.1:25");
  }
  SUBCASE("there are no hosts") {
    yard.deliverer->open({1}, Yard::route({}));
    CHECK(yard.world.run_until([&] { return yard.closed_count[1] == 1; }));
    REQUIRE(yard.unreachables.size() == 1);
  }
  CHECK_FALSE(yard.letters[1][0]->taken);
  CHECK(yard.deliverer->connections({1}) == 0);
}

TEST_CASE("a peer that misbehaves at any stage costs one connection for a bounded time, and no other destination") {
  const Stage stages[] = {Stage::banner, Stage::ehlo, Stage::mail,    Stage::rcpt,
                          Stage::data,   Stage::end,  Stage::content, Stage::quit};
  const Fault faults[] = {Fault::drop, Fault::bye, Fault::hang, Fault::nonsense, Fault::drip, Fault::early};
  std::uint64_t seed = 100;
  for (const Stage stage : stages)
    for (const Fault fault : faults) {
      CAPTURE(static_cast<int>(stage));
      CAPTURE(static_cast<int>(fault));
      Yard yard(++seed);
      Site bad(yard.world, kFirst);
      bad.make = [&](Server& server, int) {
        server.fault_stage = stage;
        server.fault = fault;
        if (seed % 2 == 0) server.capabilities = "PIPELINING";
      };
      Site good(yard.world, kOther);
      yard.config->deliver.manners.messages_per_connection = 1;
      for (int i = 0; i < 3; ++i) yard.add(1, 2), yard.add(2);
      yard.start();
      yard.deliverer->open({1}, Yard::route({kFirst}));
      yard.deliverer->open({2}, Yard::route({kOther}));
      CHECK(yard.world.run_until([&] { return yard.count(2, "delivered 250") == 3; }, 5s));
      // Whatever it does: the longest of RFC 5321's times for a step, and what led there.
      CHECK(yard.world.run_until([&] { return yard.closed_count[1] == 1; }, 11min));
      for (const auto& letter : yard.letters[1]) CHECK_FALSE(letter->taken);
      std::size_t kept = 0;
      for (const auto& message : bad.messages()) kept += message.to.size();
      CHECK(yard.count(1, "delivered") <= kept);
    }
}

TEST_CASE("a reply that drips in has the time of its step, not of each octet") {
  Yard yard;
  Site site(yard.world, kFirst);
  site.make = [](Server& server, int) { server.fault_stage = Stage::mail, server.fault = Fault::hang; };
  yard.add(1);
  yard.start();
  yard.deliverer->open({1}, Yard::route({kFirst}));
  const Instant begin = yard.world.now();
  CHECK(yard.world.run_until([&] { return yard.closed_count[1] == 1; }, 6min));
  CHECK(yard.world.now() - begin >= yard.config->deliver.timeouts.mail);
  CHECK(yard.letters[1][0]->outcomes[0] == "later 0 4.4.2 timed out waiting for MAIL FROM");
}

TEST_CASE("a peer that takes octets too slowly is given up within two hours") {
  Yard yard;
  yard.world.network().conditions().window = 1024;
  yard.world.network().conditions().latency_least = yard.world.network().conditions().latency_most = 2s;
  Site site(yard.world, kFirst);
  yard.config->deliver.manners.chunking = false;
  Letter& letter = yard.add(1, 1, std::string(20 << 20, 'x'));
  yard.start();
  yard.deliverer->open({1}, Yard::route({kFirst}));
  CHECK(yard.world.run_until([&] { return yard.closed_count[1] == 1; }, 3h));
  CHECK(letter.with("later 0 4.4.2") == 1);
}

TEST_CASE("a peer that goes away in the middle of a large content, with and without a word") {
  for (const bool reset : {false, true}) {
    Yard yard(reset ? 5 : 6);
    Site site(yard.world, kFirst);
    Letter& letter = yard.add(1, 1, std::string(8 << 20, 'x'));
    letter.source.piece = 64 * 1024;
    letter.source.window = 256 * 1024;
    yard.start();
    yard.deliverer->open({1}, Yard::route({kFirst}));
    CHECK(yard.world.run_until([&] { return letter.source.released > (2 << 20); }));
    site.hang_up(reset);
    CHECK(yard.world.run_until([&] { return yard.closed_count[1] == 1; }, 5s));
    CHECK(letter.with("later 0 4.4.2") == 1);
  }
}

TEST_CASE("a cached connection closed by the peer is silent, and its job comes back when the news is late") {
  Yard yard(9);
  Site site(yard.world, kFirst);
  yard.add(1);
  yard.start();
  yard.deliverer->open({1}, Yard::route({kFirst}));
  CHECK(yard.world.run_until([&] { return yard.all_over(); }));
  SUBCASE("the news is there first") {
    site.hang_up(false);
    CHECK(yard.world.run_until([&] { return yard.closed_count[1] == 1; }, 1s));
    CHECK(yard.returned_count == 0);
  }
  SUBCASE("the job is first") {
    Letter& late = yard.add(1);
    CHECK(yard.deliverer->wake({1}));
    site.hang_up(true);
    CHECK(yard.world.run_until([&] { return yard.closed_count[1] == 1; }, 1s));
    CHECK(yard.returned_count + static_cast<int>(late.with("delivered")) <= 1);
    CHECK(late.with("later") == 0);
  }
  CHECK(yard.unreachables.empty());
}

TEST_CASE("yield gives back idle connections first, then those that are not greeted, and counts those on their way") {
  Yard yard;
  Site site(yard.world, kFirst);
  yard.start();
  yard.deliverer->open({1}, Yard::route({kFirst}));
  yard.deliverer->open({1}, Yard::route({kFirst}));
  yard.world.run_until([&] { return yard.reached_count[1] == 2; });
  yard.world.network().down(kSecond, sim::Down::silent);
  yard.deliverer->open({1}, Yard::route({kSecond}));
  yard.world.run_for(10ms);
  for (int i = 0; i < 3; ++i) yard.deliverer->yield({1}, 1);
  CHECK(yard.world.run_until([&] { return yard.closed_count[1] == 1; }, 1s));
  yard.world.run_for(1s);
  CHECK(yard.closed_count[1] == 1);
  CHECK(yard.deliverer->connections({1}) == 2);
  yard.deliverer->yield({1}, 2);
  CHECK(yard.world.run_until([&] { return yard.closed_count[1] == 3; }, 1s));
  CHECK(yard.unreachables.empty());  // giving up is no word about the destination
}

TEST_CASE("drain lets what is in flight end, and opens nothing") {
  Yard yard;
  Site site(yard.world, kFirst);
  site.make = [](Server& server, int) { server.capabilities = "PIPELINING"; };
  for (int i = 0; i < 50; ++i) yard.add(1);
  yard.start();
  yard.deliverer->open({1}, Yard::route({kFirst}));
  yard.world.run_until([&] { return yard.count(1, "delivered") >= 5; });
  yard.deliverer->drain();
  yard.deliverer->open({1}, Yard::route({kFirst}));
  CHECK(yard.world.run_until([&] { return yard.deliverer->idle(); }, 10s));
  CHECK(yard.closed_count[1] == 2);
  CHECK(yard.count(1, "delivered") < 50);
  CHECK(yard.count(1, "delivered") == site.messages().size());
  CHECK(yard.count(1, "later") == 0);
  CHECK(site.breaches().empty());
}

TEST_CASE("abort breaks all, also sends that the kernel holds") {
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    Yard yard(seed);
    Site site(yard.world, kFirst);
    for (int i = 0; i < 50; ++i) yard.add(1, 1, std::string(100'000, 'x'));
    yard.start();
    for (int i = 0; i < 4; ++i) yard.deliverer->open({1}, Yard::route({kFirst}));
    yard.world.run_steps(seed * 40);
    yard.hold = true;
    yard.deliverer->abort();
    CHECK(yard.world.run_until([&] { return yard.deliverer->idle(); }, 1s));
    CHECK(yard.closed_count[1] == 4);
    for (const auto& letter : yard.letters[1]) CHECK_FALSE(letter->taken);
  }
}

TEST_CASE("a full pool is told as our own shortage") {
  Yard yard;
  Site site(yard.world, kFirst);
  yard.config->limits.memory = 1;  // the least: 64 connections
  yard.start();
  for (int i = 0; i < 66; ++i) yard.deliverer->open({1}, Yard::route({kFirst}));
  CHECK(yard.deliverer->connections({1}) == 66);
  CHECK(yard.world.run_until([&] { return yard.closed_count[1] == 2; }, 1s));
  CHECK(yard.unreachables.empty());
  REQUIRE(yard.shortages.size() == 2);
  CHECK(yard.shortages[0].starts_with("1: 0 4.3.1 this relay has as many connections open"));
  CHECK(yard.deliverer->connections({1}) == 64);
  CHECK(yard.deliverer->statistics().shortages == 2);
}

TEST_CASE("no descriptor for one more connection is our own shortage, and says what to raise") {
  Yard yard;
  Site site(yard.world, kSecond);
  yard.world.network().conditions().no_socket = 1'000'000;
  yard.add(1);
  yard.start();
  yard.deliverer->open({1}, Yard::route({kFirst, kSecond}));
  CHECK(yard.world.run_until([&] { return yard.closed_count[1] == 1; }, 1s));
  CHECK(yard.unreachables.empty());
  REQUIRE(yard.shortages.size() == 1);
  CHECK(yard.shortages[0] ==
        "1: 0 4.3.0 this host cannot connect to 192.0.2.1:25: Too many open files; raise LimitNOFILE @192.0.2.1:25");
  CHECK(yard.letters[1][0]->returned == 0);
  yard.world.network().conditions().no_socket = 0;
  yard.deliverer->open({1}, Yard::route({kFirst, kSecond}));
  CHECK(yard.world.run_until([&] { return yard.all_over(); }, 1min));
}

TEST_CASE("a connection whose peer stops reading or answering has no room a second later, and says so") {
  for (const bool reads : {false, true}) {
    CAPTURE(reads);
    Yard yard;
    yard.world.network().conditions().window = 2048;
    Site site(yard.world, kFirst);
    if (reads)
      site.make = [](Server& server, int) { server.fault_stage = Stage::end, server.fault = Fault::hang; };
    else
      site.reads = [](const Server& server) { return server.commands.size() < 2; };
    yard.start();
    yard.deliverer->open({1}, Yard::route({kFirst}));
    CHECK(yard.world.run_until([&] { return yard.reached_count[1] == 1; }));
    yard.world.run_for(5s);  // idle is not stalled
    yard.add(1, 1, std::string(20'000, 'x'));
    CHECK(yard.deliverer->wake({1}));
    yard.world.run_for(500ms);
    yard.add(1);
    CHECK(yard.deliverer->wake({1}));
    yard.world.run_for(2s);
    CHECK_FALSE(yard.deliverer->wake({1}));
    CHECK(yard.stalled_count == (reads ? 0 : 1));
    CHECK(yard.letters[1][1]->taken == reads);  // one that reads was given it while it might have answered
    CHECK(yard.deliverer->connections({1}) == 1);
  }
}

TEST_CASE("in a full pool a connection without work makes room for another destination's") {
  Yard yard;
  Site site(yard.world, kFirst);
  Site other(yard.world, kOther);
  yard.config->limits.memory = 1;  // the least: 64 connections
  yard.config->deliver.timeouts.idle = 1h;
  yard.start();
  for (int i = 0; i < 64; ++i) yard.deliverer->open({1}, Yard::route({kFirst}));
  REQUIRE(yard.world.run_until([&] { return yard.reached_count[1] == 64; }));
  yard.world.run_for(1s);
  for (int i = 0; i < 10; ++i) yard.add(2);
  for (int i = 0; i < 10; ++i) yard.deliverer->open({2}, Yard::route({kOther}));
  CHECK(yard.deliverer->connecting({2}) == 10);
  CHECK(yard.world.run_until([&] { return yard.all_over(); }, 1min));
  CHECK(other.messages().size() == 10);
  CHECK(yard.closed_count[1] >= 10);
  CHECK(yard.unreachables.empty());
}

TEST_CASE("a host that failed is tried behind the others for a while, and one that is silent is left after 5 s") {
  Yard yard;
  Site site(yard.world, kSecond);
  yard.world.network().down(kFirst, sim::Down::silent);
  yard.add(1);
  yard.start();
  const Instant begun = yard.world.now();
  yard.deliverer->open({1}, Yard::route({kFirst, kSecond}));
  CHECK(yard.world.run_until([&] { return yard.reached_count[1] == 1; }));
  CHECK(yard.world.now() - begun >= kNextHostAfter);
  CHECK(yard.world.now() - begun < kNextHostAfter + 1s);
  const Instant again = yard.world.now();
  yard.deliverer->open({1}, Yard::route({kFirst, kSecond}));
  CHECK(yard.world.run_until([&] { return yard.reached_count[1] == 2; }));
  CHECK(yard.world.now() - again < 1s);
  // When it has rested it has its turn again.
  yard.world.network().down(kFirst, sim::Down::no);
  Site back(yard.world, kFirst);
  yard.world.run_for(kHostRests + 1s);
  yard.deliverer->open({1}, Yard::route({kFirst, kSecond}));
  CHECK(yard.world.run_until([&] { return yard.reached_count[1] == 3; }));
  CHECK(back.connections == 1);
}

TEST_CASE("networks of all kinds: each recipient has one outcome, and what is called delivered was kept") {
  for (std::uint64_t seed = 1; seed <= 40; ++seed) {
    CAPTURE(seed);
    Yard yard(seed);
    sim::NetworkConditions& network = yard.world.network().conditions();
    network.cut_small = 200'000;
    network.reset = seed % 3 == 0 ? 20'000 : 0;
    network.stall = seed % 4 == 0 ? 10'000 : 0;
    network.vanish = seed % 5 == 0 ? 100'000 : 0;
    network.refuse = 100'000;
    network.window = seed % 2 == 0 ? 4096 : 65536;
    Site site(yard.world, kFirst);
    site.make = [&](Server& server, int connection) {
      if (connection % 2 == 0) server.capabilities = "PIPELINING";
      server.recipients_most = 4;
    };
    yard.config->deliver.manners.messages_per_connection = 20;
    for (int i = 0; i < 60; ++i) {
      Letter& letter = yard.add(1, 1 + static_cast<std::size_t>(i % 6),
                                std::string(static_cast<std::size_t>(i) * 700, 'x') + "\r\n.\r\n");
      letter.source.piece = 1000;
      if (i % 3 == 0) letter.source.window = 3000;
    }
    yard.start();
    for (int i = 0; i < 4; ++i) yard.deliverer->open({1}, Yard::route({kFirst}));
    int opened = 4;
    const auto settled = [&] { return yard.all_over() || yard.closed_count[1] == opened; };
    while (yard.world.run_until(settled, 5h) && !yard.all_over() && opened < 100) {
      yard.deliverer->open({1}, Yard::route({kFirst}));
      ++opened;
    }
    CHECK(yard.all_over());
    std::size_t kept = 0;
    for (const auto& message : site.messages()) kept += message.to.size();
    CHECK(yard.count(1, "delivered") <= kept);
    CHECK(yard.count(1, "never") == 0);
    for (const std::string& breach : site.breaches()) CHECK(breach == "");
    CHECK(yard.world.run_until([&] { return yard.deliverer->idle(); }, 1h));
    CHECK(yard.closed_count[1] == opened);
  }
}

}  // namespace ringpost::deliver::test
