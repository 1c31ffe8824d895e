// The simulated loop keeps to the face of ring::Ring, and one seed is one run.
#include <doctest/doctest.h>

#include <cerrno>
#include <string>

#include "../sim/world.h"

namespace ringpost {
using ring::Completion;

namespace {

const SocketAddress kHere = SocketAddress::v4(127, 0, 0, 1, 2525);

// An operation that remembers what came of it.
struct Waiter {
  ring::Operation operation{this, ring::handler<&Waiter::on_done>};
  std::vector<int> results;
  std::string received;
  bool ended = false;
  void on_done(const Completion& done) {
    results.push_back(done.result);
    received += done.received;
    ended = done.final;
  }
  [[nodiscard]] int last() const { return results.empty() ? 1'000'000 : results.back(); }
};

struct Alarm {
  ring::Timer timer{this, ring::call<&Alarm::on_time>};
  ring::Ring& ring;
  Instant rang;
  int times = 0;
  explicit Alarm(ring::Ring& on) : ring(on) {}
  void on_time() {
    ++times;
    rang = ring.now();
  }
};

iovec piece(View octets) { return {const_cast<char*>(octets.data()), octets.size()}; }

// A listener and a client on one ring, connected.
struct Pair {
  sim::World& world;
  ring::Ring& ring;
  Waiter accept, connect, receive_at_server, receive_at_client, send;
  ring::Socket listener, server, client;

  explicit Pair(sim::World& in) : world(in), ring(in.ring()) {
    listener = *ring.listen(kHere, {});
    ring.accept(accept.operation, listener);
    client = *ring.socket_to(kHere, {});
    ring.connect(connect.operation, client, kHere);
    REQUIRE(world.run_until([&] { return connect.ended && !accept.results.empty(); }));
    REQUIRE(connect.last() == 0);
    server = {accept.results[0]};
    ring.receive(receive_at_server.operation, server);
    ring.receive(receive_at_client.operation, client);
  }
  ~Pair() {
    for (Waiter* each : {&accept, &receive_at_server, &receive_at_client}) ring.cancel(each->operation);
    world.run_until([&] {
      return !accept.operation.in_kernel() && !receive_at_server.operation.in_kernel() &&
             !receive_at_client.operation.in_kernel() && !send.operation.in_kernel();
    });
  }
};

}  // namespace

TEST_CASE("timers ring in order, never early, and an armed one does not keep the world busy") {
  sim::World world;
  Alarm late(world.ring());
  Alarm soon(world.ring());
  const Instant start = world.now();
  world.ring().arm(late.timer, 10min);
  world.ring().arm(soon.timer, 50ms);
  CHECK(world.run_idle());
  CHECK(late.times == 0);
  CHECK(world.run_until([&] { return late.times == 1; }));
  CHECK(soon.times == 1);
  CHECK(soon.rang - start >= 50ms);
  CHECK(soon.rang - start < 60ms);
  CHECK(late.rang - start >= 10min);
  CHECK(late.rang - start < 10min + 10ms);
}

TEST_CASE("deferred work runs once a turn, in the order of asking, also what was asked for outside of a turn") {
  struct Work {
    std::string& story;
    char name;
    ring::Deferred deferred{this, ring::call<&Work::run>};
    void run() { story += name; }
  };
  sim::World world;
  std::string story;
  Work a{story, 'a'};
  Work b{story, 'b'};
  world.ring().defer(b.deferred);
  world.ring().defer(a.deferred);
  world.ring().defer(b.deferred);
  world.run_idle();
  CHECK(story == "ba");
}

TEST_CASE("mail between cores arrives in order, to oneself too") {
  sim::World world({.seed = 5, .cores = 2});
  std::vector<std::uint32_t> got;
  const auto remember = [](void* owner, const ring::Mail& mail) {
    static_cast<std::vector<std::uint32_t>*>(owner)->push_back(mail.kind + mail.from.value * 1000u);
  };
  world.ring(0).on_mail(&got, remember);
  world.ring(1).on_mail(&got, remember);
  ring::Mail mail;
  for (mail.kind = 0; mail.kind < 50; ++mail.kind) world.ring(0).mail_to(CoreId{1}, mail);
  CHECK(world.run_idle());
  CHECK(got.size() == 50);
  CHECK(std::is_sorted(got.begin(), got.end()));
  got.clear();
  mail.kind = 7;
  world.ring(1).mail_to(CoreId{1}, mail);
  CHECK(world.run_idle());
  CHECK(got == std::vector<std::uint32_t>{1007});
}

TEST_CASE("helper work runs later and brings its value back") {
  sim::World world;
  Waiter help;
  bool ran = false;
  const Instant start = world.now();
  world.ring().help(help.operation, [&ran] {
    ran = true;
    return 42;
  });
  CHECK_FALSE(ran);
  CHECK(world.run_until([&] { return help.ended; }));
  CHECK(help.last() == 42);
  CHECK(world.now() - start >= 100us);
}

TEST_CASE("the wall clock may jump, the loop's clock does not") {
  sim::World world;
  const WallTime wall = world.ring().wall();
  const Instant now = world.now();
  world.run_for(5s);
  world.jump_wall(-1h);
  CHECK(world.now() - now == 5s);
  CHECK(world.ring().wall() - wall == 5s - 1h);
}

TEST_CASE("a file is opened, written, synced, read and removed without blocking the loop") {
  sim::World world;
  ring::Ring& ring = world.ring();
  Waiter open, write, sync, allocate, read, remove;
  ring.open(open.operation, "/a", ring::Files::Open::create);
  REQUIRE(world.run_until([&] { return open.ended; }));
  REQUIRE(open.last() >= 0);
  const ring::File file{open.last()};
  ring.write(write.operation, file, "octets", 0, true);
  REQUIRE(world.run_until([&] { return write.ended; }));
  CHECK(write.last() == 6);
  ring.allocate(allocate.operation, file, 4096);
  ring.sync(sync.operation, file);
  std::array<char, 10> room{};
  ring.read(read.operation, file, room, 2);
  REQUIRE(world.run_until([&] { return allocate.ended && sync.ended && read.ended; }));
  CHECK(allocate.last() == 0);
  CHECK(sync.last() == 0);
  CHECK(View(room.data(), 4) == "tets");
  CHECK(*ring.files().size(file) == 4096);
  ring.close(file);
  ring.remove(remove.operation, "/a");
  REQUIRE(world.run_until([&] { return remove.ended; }));
  ring.open(open.operation, "/a", ring::Files::Open::read);
  REQUIRE(world.run_until([&] { return open.results.size() == 2; }));
  CHECK(open.last() == -ENOENT);
}

TEST_CASE("octets that change while the kernel holds them are found out") {
  sim::World world;
  ring::Ring& ring = world.ring();
  Waiter write;
  std::string octets(4096, 'a');
  ring.write(write.operation, *ring.files().open("/a", ring::Files::Open::create), octets, 0, true);
  world.run_steps(1);  // the turn that hands it over
  octets[17] = 'b';
  world.run_until([&] { return write.ended; });
  CHECK(world.violations().size() == 1);
  CHECK_FALSE(write.ended);  // the world stands still
  world.kill();
}

TEST_CASE("two sockets talk: pieces in, octets out, the end at last") {
  sim::World world({.seed = 11});
  Pair pair(world);
  const std::string large(300'000, 'x');
  const std::array<iovec, 3> pieces{piece("head "), piece(large), piece(" tail")};
  pair.ring.send(pair.send.operation, pair.client, pieces);
  REQUIRE(world.run_until([&] { return pair.send.ended; }));
  CHECK(pair.send.last() == 300'010);
  pair.ring.shutdown_write(pair.client);
  REQUIRE(world.run_until([&] { return pair.receive_at_server.ended; }));
  CHECK(pair.receive_at_server.received == "head " + large + " tail");
  CHECK(pair.receive_at_server.last() == 0);
  CHECK(*pair.ring.peer_address(pair.server) == *pair.ring.local_address(pair.client));
  CHECK(*pair.ring.local_address(pair.server) == kHere);
}

TEST_CASE("a receive that is cancelled ends, and may bring octets before it does; none are lost") {
  unsigned brought = 0;
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    sim::World world({.seed = seed});
    Pair pair(world);
    const std::array<iovec, 1> pieces{piece("late octets")};
    pair.ring.send(pair.send.operation, pair.client, pieces);
    REQUIRE(world.run_until([&] { return pair.send.ended; }));
    pair.ring.cancel(pair.receive_at_server.operation);
    REQUIRE(world.run_until([&] { return pair.receive_at_server.ended; }));
    CHECK(pair.receive_at_server.last() == -ECANCELED);
    if (!pair.receive_at_server.received.empty()) ++brought;
    pair.ring.receive(pair.receive_at_server.operation, pair.server);
    REQUIRE(world.run_until([&] { return pair.receive_at_server.received == "late octets"; }));
  }
  CHECK(brought > 0);
  CHECK(brought < 20);
}

TEST_CASE("a send that the peer does not take can be cancelled") {
  sim::World world;
  Pair pair(world);
  pair.ring.cancel(pair.receive_at_server.operation);
  const std::string large(1'000'000, 'x');
  const std::array<iovec, 1> pieces{piece(large)};
  pair.ring.send(pair.send.operation, pair.client, pieces);
  world.run_for(1min);
  CHECK_FALSE(pair.send.ended);
  pair.ring.cancel(pair.send.operation);
  CHECK(world.run_until([&] { return pair.send.ended; }));
  CHECK(pair.send.last() == -ECANCELED);
}

TEST_CASE("a loop that was stopped brings back what was in flight before it returns") {
  sim::World world;
  ring::Ring& ring = world.ring();
  Waiter accept;
  Waiter write;
  const std::string octets(4096, 'a');
  struct Stopper {
    ring::Ring& ring;
    ring::Timer timer{this, ring::call<&Stopper::stop>};
    void stop() { ring.stop(); }
  } stopper{ring};
  ring.accept(accept.operation, *ring.listen(kHere, {}));
  ring.write(write.operation, *ring.files().open("/a", ring::Files::Open::create), octets, 0, true);
  ring.arm(stopper.timer, 1min);
  ring.run();
  CHECK(write.results == std::vector<int>{4096});
  CHECK(accept.results == std::vector<int>{-ECANCELED});
  CHECK(world.ring().in_flight() == 0);
}

TEST_CASE("a connect is refused, or cancelled while nobody answers") {
  sim::World world;
  ring::Ring& ring = world.ring();
  Waiter refused, silent;
  ring.connect(refused.operation, *ring.socket_to(kHere, {}), kHere);
  CHECK(world.run_until([&] { return refused.ended; }));
  CHECK(refused.last() == -ECONNREFUSED);
  world.network().down(kHere, sim::Down::silent);
  ring.connect(silent.operation, *ring.socket_to(kHere, {}), kHere);
  world.run_for(30s);
  CHECK_FALSE(silent.ended);
  ring.cancel(silent.operation);
  CHECK(world.run_until([&] { return silent.ended; }));
  CHECK(silent.last() == -ECANCELED);
}

TEST_CASE("listeners of all cores share an address; each connection goes to one of them") {
  sim::World world({.seed = 2, .cores = 3});
  std::array<Waiter, 3> accepts;
  for (unsigned core = 0; core < 3; ++core)
    world.ring(core).accept(accepts[core].operation, *world.ring(core).listen(kHere, {}));
  std::array<Waiter, 30> connects;
  for (Waiter& each : connects) world.ring().connect(each.operation, *world.ring().socket_to(kHere, {}), kHere);
  const auto accepted = [&] {
    return accepts[0].results.size() + accepts[1].results.size() + accepts[2].results.size();
  };
  CHECK(world.run_until([&] { return accepted() == 30; }));
  for (const Waiter& each : accepts) CHECK(each.results.size() > 2);
  CHECK(world.run_idle());
  world.kill();
}

TEST_CASE("the power goes at a write: the world stands still, operations are free, a new life sees what survived") {
  sim::World world;
  world.disk().prepare_directory("/spool");
  Waiter write;
  {
    ring::Ring& ring = world.ring();
    const ring::File file = *ring.files().open("/spool/a", ring::Files::Open::create);
    REQUIRE(ring.files().sync(*ring.files().open("/spool", ring::Files::Open::directory)));
    world.disk().cut_at(sim::DiskCall::write, 1);
    ring.write(write.operation, file, "octets", 0, true);
    CHECK_FALSE(world.run_until([&] { return write.ended; }));
    CHECK(world.disk().cut());
    CHECK(write.operation.in_kernel());
    world.lose_power(sim::survive_all());
    CHECK_FALSE(write.operation.in_kernel());
  }
  world.boot();
  CHECK(world.disk().contents("/spool/a") == "octets");
  CHECK_FALSE(write.ended);
  Waiter open;
  world.ring().open(open.operation, "/spool/a", ring::Files::Open::read);
  CHECK(world.run_until([&] { return open.ended; }));
}

TEST_CASE("a killed process closes its sockets; one that lost power says nothing") {
  for (const bool power : {false, true}) {
    sim::World world;
    Waiter accept;
    world.ring().accept(accept.operation, *world.ring().listen(kHere, {}));
    struct Peer : sim::EndpointEvents {
      sim::EndpointPointer end;
      bool connected = false;
      void on_connected() override { connected = true; }
      void on_readable() override {}
      void on_writable() override {}
    } peer;
    peer.end = world.network().make({});
    peer.end->attach(&peer);
    world.network().connect(*peer.end, kHere);
    REQUIRE(world.run_until([&] { return peer.connected && accept.results.size() == 1; }));
    if (power)
      world.lose_power(sim::survive_none());
    else
      world.kill();
    world.run_for(1h);
    CHECK(peer.end->at_end() == !power);
  }
}

TEST_CASE("one seed is one run, another seed is another") {
  const auto hash = [](std::uint64_t seed) {
    sim::World world({.seed = seed, .cores = 2});
    world.disk().faults().stall = 100'000;
    world.network().conditions().stall = 10'000;
    Pair pair(world);
    const std::string octets(100'000, 'x');
    const std::array<iovec, 1> pieces{piece(octets)};
    Waiter write;
    const ring::File file = *pair.ring.files().open("/a", ring::Files::Open::create);
    for (int i = 0; i < 20; ++i) {
      pair.ring.send(pair.send.operation, pair.client, pieces);
      pair.ring.write(write.operation, file, octets, 0, true);
      world.run_until([&] { return !pair.send.operation.in_kernel() && !write.operation.in_kernel(); });
    }
    return world.trace().hash() ^ static_cast<std::uint64_t>(world.now().nanoseconds);
  };
  CHECK(hash(1) == hash(1));
  CHECK(hash(1) != hash(2));
}

TEST_CASE("datagrams reach their peer whole, a stranger's are dropped, and nobody there is an error") {
  struct Peer : sim::DatagramEvents {
    sim::Network& network;
    SocketAddress here;
    SocketAddress from;
    std::string got;
    explicit Peer(sim::Network& in, const SocketAddress& at) : network(in), here(in.bind(at, *this)) {}
    void on_datagram(View octets, const SocketAddress& sender) override {
      got = octets;
      from = sender;
    }
  };
  sim::World world({.seed = 9});
  Peer peer(world.network(), SocketAddress::v4(192, 0, 2, 53, 53));
  const auto socket = world.ring().datagram_to(peer.here);
  REQUIRE(socket);
  Waiter send;
  Waiter receive;
  const iovec pieces[] = {piece("ques"), piece("tion")};
  world.ring().send(send.operation, *socket, pieces);
  world.ring().receive(receive.operation, *socket);
  CHECK(world.run_until([&] { return !peer.got.empty() && send.ended; }));
  CHECK(peer.got == "question");
  CHECK(peer.from == *world.ring().local_address(*socket));

  world.network().send_datagram(SocketAddress::v4(192, 0, 2, 66, 53), peer.from, "lie");
  world.network().send_datagram(peer.here, peer.from, "answer");
  CHECK(world.run_until([&] { return !receive.results.empty(); }));
  CHECK(receive.received == "answer");

  world.network().unbind(peer.here);
  const iovec again[] = {piece("again")};
  world.ring().send(send.operation, *socket, again);
  CHECK(world.run_until([&] { return receive.ended && !send.operation.in_kernel(); }));
  CHECK(receive.last() == -ECONNREFUSED);
  world.ring().close(*socket);
}

}  // namespace ringpost
