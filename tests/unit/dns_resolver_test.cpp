// The Resolver against simulated name servers: tries, servers, the cache, and what happens to those who wait.
#include <doctest/doctest.h>

#include <list>
#include <memory>
#include <vector>

#include "../sim/dns_server.h"
#include "../sim/world.h"
#include "ringpost/dns.h"

namespace ringpost::dns {
namespace {

const SocketAddress kFirst = SocketAddress::v4(192, 0, 2, 53, 53);
const SocketAddress kSecond = SocketAddress::v4(192, 0, 2, 54, 53);

// Somebody who asks and waits.
struct Asker {
  AnswerPointer answer;
  int times = 0;
  Query query{this, answered<&Asker::on_answer>};
  void on_answer(const AnswerPointer& given) {
    answer = given;
    ++times;
  }
};

struct Scene {
  sim::World world{{.seed = 11}};
  std::unique_ptr<Resolver> resolver;

  explicit Scene(std::vector<SocketAddress> servers = {kFirst}, std::uint64_t cache = 1 << 20)
      : resolver(std::make_unique<Resolver>(world.ring(), ResolverOptions{std::move(servers), cache})) {}
  ~Scene() {
    resolver->stop();
    world.run_until([&] { return resolver->idle(); });
    resolver.reset();
  }
  AnswerPointer ask(View name, Type type) {
    Asker asker;
    resolver->lookup(asker.query, name, type);
    CHECK(asker.times == 0);  // never from inside
    CHECK(world.run_until([&] { return asker.times > 0; }));
    REQUIRE(asker.answer != nullptr);
    return asker.answer;
  }
};

}  // namespace

TEST_CASE("a question is answered, and the same one again from the cache until its TTL is over") {
  Scene scene;
  sim::DnsServer server(scene.world, kFirst, "a.test 60 MX 10 mx.a.test");
  const AnswerPointer answer = scene.ask("A.test.", Type::mx);
  CHECK(answer->status == Status::found);
  REQUIRE(answer->mx.size() == 1);
  CHECK(!answer->secure);
  CHECK(scene.ask("a.TEST", Type::mx) == answer);
  CHECK(server.asked("a.test", dnsd::kMx) == 1);
  CHECK(scene.resolver->statistics().cached == 1);
  scene.world.run_for(59s);
  scene.ask("a.test", Type::mx);
  CHECK(server.asked("a.test", dnsd::kMx) == 1);
  scene.world.run_for(2s);
  scene.ask("a.test", Type::mx);
  CHECK(server.asked("a.test", dnsd::kMx) == 2);
}

TEST_CASE("negative answers are kept as the SOA says, failures for a few seconds") {
  Scene scene;
  sim::DnsServer server(scene.world, kFirst, "test 30 SOA 30\nbad.test !servfail\n");
  CHECK(scene.ask("gone.test", Type::a)->status == Status::no_name);
  scene.world.run_for(29s);
  CHECK(scene.ask("gone.test", Type::a)->status == Status::no_name);
  CHECK(server.asked("gone.test", dnsd::kA) == 1);
  scene.world.run_for(2s);
  scene.ask("gone.test", Type::a);
  CHECK(server.asked("gone.test", dnsd::kA) == 2);

  const AnswerPointer failed = scene.ask("bad.test", Type::a);
  CHECK(failed->status == Status::temporary);
  CHECK(failed->text == "the A record of bad.test is not known: 192.0.2.53:53: it says SERVFAIL");
  const auto asked = server.asked("bad.test", dnsd::kA);
  scene.ask("bad.test", Type::a);
  CHECK(server.asked("bad.test", dnsd::kA) == asked);
  scene.world.run_for(kFailureTtl + 1s);
  server.replace("bad.test A 192.0.2.1");
  CHECK(scene.ask("bad.test", Type::a)->status == Status::found);
}

TEST_CASE("equal questions on their way are asked once, and each who waits is told once") {
  Scene scene;
  sim::DnsServer server(scene.world, kFirst, "a.test A 192.0.2.1\na.test !delay delay=1s");
  std::vector<Asker> askers(50);
  for (Asker& each : askers) scene.resolver->lookup(each.query, "a.test", Type::a);
  askers[7].query.cancel();
  CHECK(scene.world.run_until([&] { return askers[49].times == 1; }));
  for (std::size_t i = 0; i < askers.size(); ++i) CHECK(askers[i].times == (i == 7 ? 0 : 1));
  CHECK(server.asked() == 1);
  CHECK(scene.resolver->statistics().joined == 49);
}

TEST_CASE("who is told may cancel and destroy others who wait") {
  struct Chain {
    Resolver& resolver;
    std::list<Asker> others;
    int times = 0;
    Query query{this, answered<&Chain::on_answer>};
    explicit Chain(Resolver& of) : resolver(of) {}
    void on_answer(const AnswerPointer&) {
      others.clear();
      if (++times < 3) resolver.lookup(query, "a.test", Type::a);
    }
  };
  Scene scene;
  sim::DnsServer server(scene.world, kFirst, "a.test A 192.0.2.1");
  Chain chain(*scene.resolver);
  scene.resolver->lookup(chain.query, "a.test", Type::a);
  for (int i = 0; i < 5; ++i) scene.resolver->lookup(chain.others.emplace_back().query, "a.test", Type::a);
  CHECK(scene.world.run_until([&] { return chain.times == 3; }));
}

TEST_CASE("a lost question is asked again, and silence ends in words that say who was asked") {
  Scene scene;
  sim::DnsServer server(scene.world, kFirst,
                        "lost.test A 192.0.2.1\nlost.test !silence first=2\nnever.test !silence\n");
  CHECK(scene.ask("lost.test", Type::a)->status == Status::found);
  CHECK(server.asked("lost.test", dnsd::kA) == 3);
  const AnswerPointer never = scene.ask("never.test", Type::a);
  CHECK(never->status == Status::temporary);
  CHECK(never->text == "the A record of never.test is not known: no answer from 192.0.2.53:53 within 5 s");
}

TEST_CASE("the next server is asked when one is silent, refuses or is not there, and the bad one rests") {
  Scene scene({kFirst, kSecond});
  sim::DnsServer second(scene.world, kSecond, "*.test A 192.0.2.1\n");
  {
    sim::DnsServer first(scene.world, kFirst, "*.test !servfail");
    CHECK(scene.ask("a.test", Type::a)->status == Status::found);
    CHECK(first.asked() == 1);
  }
  CHECK(scene.ask("b.test", Type::a)->status == Status::found);  // nobody listens: refused at once
  sim::DnsServer first(scene.world, kFirst, "*.test !silence");
  CHECK(scene.ask("c.test", Type::a)->status == Status::found);
  CHECK(first.asked() == 1);
  for (int i = 0; i < 10; ++i) CHECK(scene.ask("x" + std::to_string(i) + ".test", Type::a)->status == Status::found);
  CHECK(first.asked() <= 3);  // not one timeout a question
  // It is asked again when it has rested, and trusted when it answers.
  first.replace("*.test A 192.0.2.9");
  scene.world.run_for(2min);
  CHECK(scene.ask("back.test", Type::a)->addresses[0].address_text() == "192.0.2.9");
}

TEST_CASE("without any server a question fails at once and says what to do") {
  Scene scene(std::vector<SocketAddress>{});
  const AnswerPointer answer = scene.ask("a.test", Type::a);
  CHECK(answer->status == Status::temporary);
  CHECK(answer->text.find("dns.servers") != std::string::npos);
}

TEST_CASE("truncated replies are asked for over TCP") {
  std::string zone;
  for (int i = 1; i < 200; ++i) zone += "big.test A 192.0.2." + std::to_string(i) + "\n";
  Scene scene;
  sim::DnsServer server(scene.world, kFirst, zone);
  CHECK(scene.ask("big.test", Type::a)->addresses.size() == 199);
  CHECK(server.counts().at({"big.test", dnsd::kA}).tcp == 1);
  CHECK(scene.resolver->statistics().tcp == 1);
}

TEST_CASE("a server that knows no EDNS is asked without, and from then on") {
  Scene scene;
  sim::DnsServer server(scene.world, kFirst,
                        "a.test A 192.0.2.1\na.test !no-edns\nb.test A 192.0.2.1\nb.test !no-edns");
  CHECK(scene.ask("a.test", Type::a)->status == Status::found);
  CHECK(server.asked("a.test", dnsd::kA) == 2);
  CHECK(scene.ask("b.test", Type::a)->status == Status::found);
  CHECK(server.asked("b.test", dnsd::kA) == 1);
}

TEST_CASE("forged packets before the true one change nothing") {
  Scene scene;
  sim::DnsServer server(scene.world, kFirst,
                        "id.test A 192.0.2.1\nid.test !wrong-id\nq.test A 192.0.2.1\nq.test !wrong-question\n"
                        "s.test A 192.0.2.1\ns.test !wrong-source\ne.test A 192.0.2.1\ne.test !empty\n");
  for (const View name : {View{"id.test"}, View{"q.test"}, View{"s.test"}, View{"e.test"}}) {
    const AnswerPointer answer = scene.ask(name, Type::a);
    CHECK(answer->status == Status::found);
    CHECK(server.asked(std::string(name), dnsd::kA) == 1);
  }
  CHECK(scene.resolver->statistics().ignored >= 1);
}

TEST_CASE("forged packets alone are silence, garbage is a server's failure") {
  Scene scene;
  sim::DnsServer server(scene.world, kFirst,
                        "id.test !wrong-id only\nq.test !wrong-question only\ns.test !wrong-source only\n"
                        "c.test !compression-loop\nl.test !loop\n");
  for (const View name : {View{"id.test"}, View{"q.test"}, View{"s.test"}, View{"c.test"}, View{"l.test"}})
    CHECK(scene.ask(name, Type::a)->status == Status::temporary);
}

TEST_CASE("somebody who guesses ids makes us ask over TCP") {
  // Each datagram of a guesser counts; the server's own answer comes too late to win.
  struct Guesser : sim::DatagramEvents {
    sim::World& world;
    explicit Guesser(sim::World& in) : world(in) { world.network().bind(kFirst, *this); }
    void on_datagram(View octets, const SocketAddress& from) override {
      for (unsigned i = 1; i <= 100; ++i) {
        std::string forged(octets);
        forged[0] = static_cast<char>(forged[0] ^ static_cast<char>(i));
        forged[2] = static_cast<char>(forged[2] | 0x80);
        world.network().send_datagram(kFirst, from, forged);
      }
    }
  };
  Scene scene;
  auto server = std::make_unique<sim::DnsServer>(scene.world, kFirst, "a.test A 192.0.2.1");
  Guesser guesser(scene.world);
  CHECK(scene.ask("a.test", Type::a)->status == Status::found);
  CHECK(server->counts().at({"a.test", dnsd::kA}).tcp == 1);
}

TEST_CASE("a chain that the server does not follow is followed by us, with bounds") {
  Scene scene;
  std::string zone = "a.test 100 CNAME b.test\na.test !no-follow\nb.test 50 A 192.0.2.1\n";
  for (int i = 0; i < 30; ++i)
    zone += "n" + std::to_string(i) + ".test CNAME n" + std::to_string(i + 1) + ".test\nn" + std::to_string(i) +
            ".test !no-follow\n";
  sim::DnsServer server(scene.world, kFirst, zone);
  const AnswerPointer answer = scene.ask("a.test", Type::a);
  CHECK(answer->status == Status::found);
  CHECK(answer->name == "b.test");
  CHECK(answer->expires - scene.world.now() <= 50s);
  CHECK(scene.ask("n0.test", Type::a)->status == Status::temporary);
}

TEST_CASE("the cache is bounded in octets, and what was used last stays") {
  Scene scene({kFirst}, 64 * 1024);
  sim::DnsServer server(scene.world, kFirst, "*.test 86400 A 192.0.2.1\n");
  scene.ask("kept.test", Type::a);
  for (int i = 0; i < 500; ++i) {
    scene.ask("n" + std::to_string(i) + ".test", Type::a);
    scene.ask("kept.test", Type::a);
  }
  CHECK(scene.resolver->statistics().octets <= 64 * 1024);
  CHECK(scene.resolver->statistics().entries > 20);
  CHECK(server.asked("kept.test", dnsd::kA) == 1);
  scene.ask("n0.test", Type::a);
  CHECK(server.asked("n0.test", dnsd::kA) == 2);
}

TEST_CASE("only so many questions are asked at once, the others wait, and too many fail") {
  Scene scene;
  sim::DnsServer server(scene.world, kFirst, "*.test A 192.0.2.1\n*.test !delay delay=100ms");
  std::vector<Asker> askers(kMostQuestions + 1);
  for (std::size_t i = 0; i < askers.size(); ++i)
    scene.resolver->lookup(askers[i].query, "n" + std::to_string(i) + ".test", Type::a);
  CHECK(scene.world.run_until([&] { return askers.back().times == 1; }));
  CHECK(askers.back().answer->status == Status::temporary);
  scene.world.run_for(90ms);
  CHECK(server.asked() <= kMostAsked);
  for (std::size_t i = 2000; i < askers.size(); ++i) askers[i].query.cancel();
  CHECK(scene.world.run_until([&] {
    return std::all_of(askers.begin(), askers.begin() + 2000, [](const Asker& each) { return each.times == 1; });
  }));
}

TEST_CASE("what is no name is said to be none, without a question") {
  Scene scene;
  sim::DnsServer server(scene.world, kFirst, "");
  CHECK(scene.ask("a..b", Type::mx)->status == Status::no_name);
  CHECK(scene.ask(std::string(70, 'x') + ".test", Type::mx)->status == Status::no_name);
  CHECK(server.asked() == 0);
}

TEST_CASE("other servers after a reload: what waits is asked there, and the cache does not outlive them") {
  Scene scene;
  sim::DnsServer first(scene.world, kFirst, "a.test A 192.0.2.1\nslow.test !silence");
  sim::DnsServer second(scene.world, kSecond, "*.test A 192.0.2.2");
  CHECK(scene.ask("a.test", Type::a)->addresses[0].address_text() == "192.0.2.1");
  Asker waiting;
  scene.resolver->lookup(waiting.query, "slow.test", Type::a);
  scene.world.run_for(500ms);
  scene.resolver->reconfigure({{kSecond}, 1 << 20});
  CHECK(scene.world.run_until([&] { return waiting.times == 1; }));
  CHECK(waiting.answer->addresses[0].address_text() == "192.0.2.2");
  CHECK(scene.ask("a.test", Type::a)->addresses[0].address_text() == "192.0.2.2");
}

TEST_CASE("stopping calls back what the kernel holds, and tells nobody") {
  Scene scene;
  sim::DnsServer server(scene.world, kFirst, "*.test !silence");
  Asker waiting;
  scene.resolver->lookup(waiting.query, "a.test", Type::a);
  scene.world.run_for(100ms);
  CHECK(!scene.resolver->idle());
  scene.resolver->stop();
  CHECK(scene.world.run_until([&] { return scene.resolver->idle(); }));
  CHECK(waiting.times == 0);
}

TEST_CASE("only a server on loopback is believed when it says that it validated") {
  const SocketAddress local = SocketAddress::v4(127, 0, 0, 1, 53);
  Scene scene({local});
  // ringpost-dnsd does not validate: the bit is put into its replies here.
  struct Validating : sim::DatagramEvents {
    sim::World& world;
    SocketAddress address;
    dnsd::Answerer answerer;
    Validating(sim::World& in, const SocketAddress& at) : world(in), address(world.network().bind(at, *this)) {}
    void on_datagram(View octets, const SocketAddress& from) override {
      std::string reply = answerer.answer(octets, false).back().octets;
      reply[3] = static_cast<char>(reply[3] | 0x20);
      world.network().send_datagram(address, from, reply);
    }
  };
  Validating near(scene.world, local);
  Validating far(scene.world, kFirst);
  REQUIRE(near.answerer.zone.read("a.test A 192.0.2.1").has_value());
  REQUIRE(far.answerer.zone.read("a.test A 192.0.2.1").has_value());
  CHECK(scene.ask("a.test", Type::a)->secure);
  scene.resolver->reconfigure({{kFirst}, 1 << 20});
  CHECK(!scene.ask("a.test", Type::a)->secure);
}

}  // namespace ringpost::dns
