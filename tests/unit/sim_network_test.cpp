// What the simulated network does to a stream, seen from two ends that are no ring.
#include <doctest/doctest.h>

#include <cerrno>
#include <string>

#include "../sim/world.h"

namespace ringpost {

namespace {

const SocketAddress kServer = SocketAddress::v4(192, 0, 2, 1, 25);

// An end that reads all it gets, unless told to wait.
struct Reader : sim::EndpointEvents {
  sim::EndpointPointer end;
  std::string got;
  unsigned pieces = 0;
  bool connected = false;
  bool ended = false;
  int error = 0;
  bool reads = true;
  std::string to_send;

  void on_connected() override {
    connected = true;
    on_writable();
  }
  void on_readable() override {
    error = end->error();
    if (!reads) return;
    if (!end->readable().empty()) ++pieces;
    got += end->readable();
    end->consume(end->readable().size());
    ended = end->at_end();
  }
  void on_writable() override { to_send.erase(0, end->write(to_send)); }
};

struct Fixture : sim::ListenerEvents {
  sim::World world{{.seed = 3}};
  sim::Network& network = world.network();
  Reader client;
  Reader server;
  sim::ListenerPointer listener;

  void on_connection() override {
    server.end = listener->take();
    server.end->attach(&server);
  }
  void open() {
    const auto opened = network.listen(kServer, *this, 10, true);
    REQUIRE(opened);
    listener = *opened;
    call();
    REQUIRE(world.run_until([&] { return client.connected && server.end; }));
  }
  void call() {
    client.end = network.make({});
    client.end->attach(&client);
    network.connect(*client.end, kServer);
  }
};

std::string numbers(std::size_t octets) {
  std::string text;
  for (int i = 0; text.size() < octets; ++i) text += std::to_string(i) + " ";
  return text;
}

}  // namespace

TEST_CASE_FIXTURE(Fixture, "octets arrive whole and in order, in pieces that differ from the writes") {
  open();
  world.network().conditions().cut_small = 500'000;
  client.to_send = numbers(300'000);
  const std::string sent = client.to_send;
  client.on_writable();
  CHECK(world.run_until([&] { return server.got.size() == sent.size(); }));
  CHECK(server.got == sent);
  CHECK(server.pieces > 20);
  CHECK(server.end->remote() == client.end->local());
}

TEST_CASE_FIXTURE(Fixture, "a peer that does not read stops its writer at the window") {
  open();
  server.reads = false;
  client.to_send = numbers(200'000);
  const std::size_t all = client.to_send.size();
  client.on_writable();
  world.run_for(10s);
  CHECK(all - client.to_send.size() == network.conditions().window);
  server.reads = true;
  server.on_readable();
  CHECK(world.run_until([&] { return server.got.size() == all; }));
}

TEST_CASE_FIXTURE(Fixture, "one direction may end while the other goes on") {
  open();
  client.end->shutdown_write();
  CHECK(world.run_until([&] { return server.ended; }));
  CHECK(server.end->write("still here") == 10);
  CHECK(world.run_until([&] { return client.got == "still here"; }));
  CHECK_FALSE(client.ended);
  CHECK_FALSE(client.end->can_write());
}

TEST_CASE_FIXTURE(Fixture, "closing lets what was written arrive, then the end") {
  open();
  client.end->write("QUIT");
  client.end->close();
  CHECK(world.run_until([&] { return server.ended; }));
  CHECK(server.got == "QUIT");
  CHECK(server.error == 0);
}

TEST_CASE_FIXTURE(Fixture, "closing with unread octets resets") {
  open();
  server.reads = false;
  client.end->write("hello");
  REQUIRE(world.run_until([&] { return server.end->readable() == "hello"; }));
  server.end->close();
  CHECK(world.run_until([&] { return client.error == ECONNRESET; }));
}

TEST_CASE_FIXTURE(Fixture, "writing to an end that has closed is answered by a reset") {
  open();
  server.end->close();
  REQUIRE(world.run_until([&] { return client.ended; }));
  client.end->write("anyone?");
  CHECK(world.run_until([&] { return client.error == ECONNRESET; }));
}

TEST_CASE_FIXTURE(Fixture, "nobody listens, nobody answers, nobody is reachable: three errors at three times") {
  const Instant start = world.now();
  call();
  CHECK(world.run_until([&] { return client.error == ECONNREFUSED; }, 1s));
  network.down(kServer, sim::Down::silent);
  call();
  CHECK(world.run_until([&] { return client.error == ETIMEDOUT; }));
  CHECK(world.now() - start > 100s);
  network.down(kServer, sim::Down::unreachable);
  call();
  CHECK(world.run_until([&] { return client.error == EHOSTUNREACH; }, 10s));
}

TEST_CASE_FIXTURE(Fixture, "faults of the path: a reset strikes both ends, a silent path none") {
  open();
  network.conditions().reset = 1'000'000;
  client.end->write("lost");
  network.conditions().reset = 0;
  client.end->write("what follows a lost octet never arrives");
  CHECK(world.run_until([&] { return client.error == ECONNRESET && server.error == ECONNRESET; }));
  CHECK(server.got.empty());

  network.conditions().vanish = 1'000'000;
  client = Reader{};
  server = Reader{};
  call();
  client.to_send.assign(10'000'000, 'x');
  world.run_for(1h);
  CHECK(client.connected);
  CHECK(client.error == 0);
  CHECK(client.to_send.size() > 9'000'000);
}

TEST_CASE_FIXTURE(Fixture, "a closed listener resets who waits in its queue and refuses who comes later") {
  struct Silent : sim::ListenerEvents {
    void on_connection() override {}
  } nobody;
  listener = *network.listen(kServer, nobody, 10, true);
  call();
  REQUIRE(world.run_until([&] { return client.connected; }));
  network.close(*listener);
  CHECK(world.run_until([&] { return client.error == ECONNRESET; }));
  call();
  CHECK(world.run_until([&] { return client.error == ECONNREFUSED; }));
}

}  // namespace ringpost
