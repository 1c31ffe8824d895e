// Cancelling: each operation ends exactly once, whatever it was doing and whenever it is asked, and never from
// within the call that cancels.
#include <doctest/doctest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <list>

#include "ring_loop.h"
#include "ringpost/base/random.h"

namespace ringpost::ring {

using test::piece;
using test::Recorded;
using test::Runner;

TEST_CASE("a waiting receive, accept and send end once with -ECANCELED, after cancel() has returned") {
  Fleet fleet(1, 0);
  const auto ring = test::ring_of(fleet);
  const auto [ours, theirs] = test::connected_pair();
  const auto listener = ring->listen(SocketAddress::v4(127, 0, 0, 1, 0), {});
  REQUIRE(listener.has_value());
  const std::string large(16 << 20, 'x');
  const iovec one = piece(large);
  Recorded receive;
  Recorded accept;
  Recorded send;
  ring->receive(receive.operation, Socket{ours});
  ring->accept(accept.operation, *listener);
  ring->send(send.operation, Socket{ours}, {&one, 1});
  Runner runner(*ring);
  int looks = 0;
  REQUIRE(runner.run_until([&] {
    if (++looks == 5) {
      for (Recorded* each : {&receive, &accept, &send}) {
        ring->cancel(each->operation);
        ring->cancel(each->operation);
        CHECK(each->finals == 0);
      }
    }
    return receive.finals + accept.finals + send.finals == 3;
  }));
  for (const Recorded* each : {&receive, &accept, &send}) CHECK(each->last == -ECANCELED);
  ring->close(Socket{ours});
  ring->close(*listener);
  ::close(theirs);
}

TEST_CASE("an operation cancelled before it was submitted ends too") {
  Fleet fleet(1, 0);
  const auto ring = test::ring_of(fleet);
  const auto [ours, theirs] = test::connected_pair();
  Recorded receive;
  ring->receive(receive.operation, Socket{ours});
  ring->cancel(receive.operation);
  CHECK(receive.finals == 0);
  Runner runner(*ring);
  REQUIRE(runner.run_until([&] { return receive.finals == 1; }));
  CHECK(receive.last == -ECANCELED);
  ring->close(Socket{ours});
  ::close(theirs);
}

TEST_CASE("a receive that is parked for want of buffers can be cancelled") {
  Fleet fleet(1, 0);
  RingOptions options = test::small_options();
  options.receive_buffers = 1;
  options.receive_buffer_size = 64;
  const auto ring = test::ring_of(fleet, 0, 1, options);
  struct Peer {
    int fd;
    Recorded receive;
  };
  std::list<Peer> peers;
  std::vector<std::pair<int, int>> pairs;
  int left = 8;
  for (int i = 0; i < left; ++i) {
    pairs.push_back(test::connected_pair());
    const std::string text(300, 'x');
    REQUIRE(::send(pairs.back().second, text.data(), text.size(), 0) == 300);
    Recorded& receive = peers.emplace_back(pairs.back().first).receive;
    // One that gets octets when others have found no buffer cancels all: those are parked then.
    receive.then = [&](const Completion&) {
      if (ring->statistics().buffers_exhausted == 0) return;
      const int before = static_cast<int>(std::ranges::count_if(peers, [](Peer& p) { return p.receive.finals > 0; }));
      for (Peer& peer : peers) ring->cancel(peer.receive.operation);
      CHECK(before == static_cast<int>(std::ranges::count_if(peers, [](Peer& p) { return p.receive.finals > 0; })));
    };
  }
  for (Peer& peer : peers) ring->receive(peer.receive.operation, Socket{peer.fd});
  Runner runner(*ring);
  REQUIRE(runner.run_until([&] { return std::ranges::all_of(peers, [](Peer& p) { return p.receive.finals == 1; }); }));
  CHECK(ring->statistics().buffers_exhausted > 0);
  for (const Peer& peer : peers) CHECK(peer.receive.last == -ECANCELED);
  for (const auto& [in, out] : pairs) {
    ::close(in);
    ::close(out);
  }
}

TEST_CASE("after cancel at most so much comes, and what came is all there") {
  for (const bool bundle : {true, false}) {
    Fleet fleet(1, 0);
    RingOptions options = test::small_options();
    options.receive_buffers = 1024;
    options.receive_buffer_size = 8192;
    options.bundle_receives = bundle;
    const auto ring = test::ring_of(fleet, 0, 1, options);
    const auto [ours, theirs] = test::connected_pair();
    const int room = 4 << 20;
    setsockopt(ours, SOL_SOCKET, SO_RCVBUF, &room, sizeof room);
    std::string text(6 << 20, ' ');
    for (std::size_t i = 0; i < text.size(); ++i) text[i] = static_cast<char>(i * 31 + i / 5003);
    Recorded send;
    Recorded receive;
    const iovec one = piece(text);
    ring->send(send.operation, Socket{theirs}, {&one, 1});
    std::size_t at_cancel = SIZE_MAX;  // none was asked for yet
    std::size_t worst = 0;
    // Each time the receive has got something it is cancelled, and begun again when it has ended.
    receive.then = [&, fd = ours](const Completion& done) {
      if (done.final) {
        CHECK(done.result == -ECANCELED);
        worst = std::max(worst, receive.octets.size() - at_cancel);
        at_cancel = SIZE_MAX;
        if (receive.octets.size() < text.size()) ring->receive(receive.operation, Socket{fd});
        return;
      }
      if (at_cancel == SIZE_MAX) at_cancel = receive.octets.size();
      ring->cancel(receive.operation);
    };
    ring->receive(receive.operation, Socket{ours});
    Runner runner(*ring);
    REQUIRE(runner.run_until([&] { return receive.octets.size() == text.size() && !receive.operation.in_kernel(); }));
    CHECK(receive.octets == text);
    CHECK(worst <= kReceiveAfterCancel);
    CHECK(receive.finals > 3);
    ring->close(Socket{ours});
    ::close(theirs);
  }
}

namespace {

// One side of a connection that talks, cancels, closes and starts again as chance wants.
struct Restless {
  Ring& ring;
  Random& random;
  int& alive;
  int in = -1;
  int out = -1;
  int rounds;
  std::string text = std::string(70'000, 'r');
  Operation receive{this, handler<&Restless::on_receive>};
  Operation send{this, handler<&Restless::on_send>};
  Operation work{this, handler<&Restless::on_work>};
  Timer timer{this, call<&Restless::on_timer>};

  Restless(Ring& at, Random& chance, int& count, int times) : ring(at), random(chance), alive(count), rounds(times) {
    begin();
  }
  void begin() {
    std::tie(in, out) = test::connected_pair();
    ring.receive(receive, Socket{in});
    start_send();
    ring.help(work, [] { return 7; });
    ring.arm(timer, Duration{random.below(6'000'000)});
  }
  void start_send() {
    const std::size_t size = 1 + random.below(text.size());
    const std::array pieces{piece(std::string_view(text).substr(0, size)), piece("tail")};
    ring.send(send, Socket{out}, std::span(pieces).first(1 + random.below(2)));
  }
  void on_receive(const Completion& done) {
    if (random.chance(1, 8)) ring.cancel(send);
    if (!done.final && random.chance(1, 8)) ring.cancel(receive);
    if (done.final) end_if_done();
  }
  void on_send(const Completion& done) {
    if (done.result > 0 && random.chance(3, 4)) return start_send();
    ring.cancel(receive);
    end_if_done();
  }
  void on_work(const Completion& done) {
    CHECK(done.result == 7);
    end_if_done();
  }
  void on_timer() {
    ring.cancel(receive);
    ring.cancel(send);
    ring.cancel(work);
  }
  void end_if_done() {
    if (receive.in_kernel() || send.in_kernel() || work.in_kernel()) return;
    ring.close(Socket{in});
    ring.close(Socket{out});
    timer.disarm();
    if (--rounds > 0) return begin();
    --alive;
    delete this;  // within its own final completion
  }
};

}  // namespace

TEST_CASE("owners that cancel, restart and free themselves at random moments are each called exactly as promised") {
  for (const std::uint64_t seed : {1ULL, 2ULL, 3ULL, 4ULL}) {
    CAPTURE(seed);
    Fleet fleet(1, 2);
    RingOptions options = test::small_options();
    options.entries = 16;
    options.receive_buffers = 8;
    options.receive_buffer_size = 2048;
    const auto ring = test::ring_of(fleet, 0, 1, options);
    Random random(seed);
    int alive = 24;
    for (int i = 0; i < 24; ++i) new Restless(*ring, random, alive, 10);
    Runner runner(*ring);
    REQUIRE(runner.run_until([&] { return alive == 0; }));
  }
}

TEST_CASE("run() returns with every operation back, also those on helper threads and those parked") {
  Fleet fleet(1, 1);
  RingOptions options = test::small_options();
  options.receive_buffers = 1;
  const auto ring = test::ring_of(fleet, 0, 1, options);
  std::list<Recorded> all;
  std::vector<std::pair<int, int>> pairs;
  for (int i = 0; i < 20; ++i) {
    pairs.push_back(test::connected_pair());
    if (i % 2 == 0) REQUIRE(::send(pairs.back().second, "octets", 6, 0) == 6);
    ring->receive(all.emplace_back().operation, Socket{pairs.back().first});
  }
  ring->help(all.emplace_back().operation, [] {
    ::usleep(20'000);
    return 1;
  });
  // What begins while the others end is ended, too.
  Recorded late;
  all.front().then = [&, fd = pairs.front().first](const Completion& done) {
    if (done.final) ring->receive(late.operation, Socket{fd});
  };
  Runner runner(*ring);
  REQUIRE(runner.run_until([] { return true; }));
  for (const Recorded& each : all) CHECK(each.finals == 1);
  CHECK(late.finals == 1);
  for (const auto& [in, out] : pairs) {
    ::close(in);
    ::close(out);
  }
}

}  // namespace ringpost::ring
