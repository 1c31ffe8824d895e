// Letters between cores and work on helper threads.
#include <doctest/doctest.h>
#include <fcntl.h>
#include <sys/socket.h>

#include <array>
#include <atomic>
#include <cstdint>
#include <thread>
#include <utility>
#include <vector>

#include "ring_loop.h"
#include "ringpost/base/fd.h"

namespace ringpost::ring {

using test::Recorded;
using test::Runner;

namespace {

// A core that sends numbered letters to another in bursts, from its deferred work, and checks what it gets.
struct Post {
  Ring& ring;
  CoreId other;
  std::uint64_t to_send;
  std::uint64_t expected;
  unsigned burst;
  std::uint64_t sent = 0;
  std::uint64_t got = 0;
  bool in_order = true;
  Deferred more{this, call<&Post::send_some>};

  Post(Ring& at, CoreId with, std::uint64_t count, unsigned each)
      : ring(at), other(with), to_send(count), expected(count), burst(each) {
    ring.on_mail(this, [](void* owner, const Mail& mail) { static_cast<Post*>(owner)->take(mail); });
    ring.defer(more);
  }
  void send_some() {
    for (unsigned i = 0; i < burst && sent < to_send; ++i)
      ring.mail_to(other, {.kind = 1, .from = ring.core(), .words = {sent++}});
    if (sent < to_send) ring.defer(more);
  }
  void take(const Mail& mail) {
    in_order = in_order && mail.from == other && mail.words[0] == got;
    ++got;
  }
};

struct TwoCores {
  bool in_order = true;
  std::uint64_t got = 0;
};

// Each core sends `count` letters to the other; a core stops only when both have everything.
TwoCores exchange(std::uint64_t count, unsigned burst) {
  Fleet fleet(2, 0);
  std::atomic<int> complete = 0;
  std::array<TwoCores, 2> seen;
  const auto run_core = [&](unsigned core) {
    const auto ring = test::ring_of(fleet, core, 2);
    Post post(*ring, CoreId{static_cast<std::uint16_t>(1 - core)}, count, burst);
    bool counted = false;
    Runner runner(*ring);
    runner.run_until([&] {
      if (!counted && post.got == post.expected && post.sent == post.to_send) {
        counted = true;
        ++complete;
      }
      return complete == 2;
    });
    seen[core] = {.in_order = post.in_order, .got = post.got};
  };
  std::thread second(run_core, 1);
  run_core(0);
  second.join();
  return {.in_order = seen[0].in_order && seen[1].in_order, .got = std::min(seen[0].got, seen[1].got)};
}

}  // namespace

namespace {

// A listener as a service manager makes it: bound, listening, and not blocking.
std::pair<SocketAddress, Fd> given_listener() {
  Fd fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  sockaddr_storage storage{};
  socklen_t size = SocketAddress::v4(127, 0, 0, 1, 0).to_sockaddr(storage);
  auto* const address = reinterpret_cast<sockaddr*>(&storage);
  REQUIRE(::bind(fd.get(), address, size) == 0);
  REQUIRE(::listen(fd.get(), 64) == 0);
  REQUIRE(::getsockname(fd.get(), address, &size) == 0);
  return {SocketAddress::from_sockaddr(*address, size), std::move(fd)};
}

bool connects(const SocketAddress& to) {
  sockaddr_storage storage{};
  const socklen_t size = to.to_sockaddr(storage);
  const Fd fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  return ::connect(fd.get(), reinterpret_cast<const sockaddr*>(&storage), size) == 0;
}

// Accepts on `address` until `over`, and counts.
void accept_until(Fleet& fleet, unsigned core, const SocketAddress& address, std::atomic<unsigned>& count,
                  std::atomic<unsigned>& ready, const std::atomic<bool>& over) {
  const auto ring = test::ring_of(fleet, core, 2);
  const auto listener = ring->listen(address, {});
  REQUIRE(listener.has_value());
  Recorded accepted;
  accepted.then = [&](const Completion& done) {
    if (done.result < 0) return;
    ++count;
    ring->close(Socket{done.result});
  };
  ring->accept(accepted.operation, *listener);
  bool said = false;
  Runner(*ring).run_until([&] {
    if (!std::exchange(said, true)) ++ready;
    return over.load();
  });
  CHECK(accepted.finals == 1);
  ring->close(*listener);
}

}  // namespace

TEST_CASE("cores that share a listener which was given take turns at it") {
  constexpr unsigned kConnections = 40;
  Fleet fleet(2, 0);
  auto [address, listener] = given_listener();
  fleet.give(address, std::move(listener));
  std::array<std::atomic<unsigned>, 2> accepted{};
  std::atomic<unsigned> ready = 0;
  std::atomic<bool> over = false;
  const auto run = [&](unsigned core) { accept_until(fleet, core, address, accepted[core], ready, over); };
  std::thread first(run, 0);
  std::thread second(run, 1);
  while (ready < 2) std::this_thread::yield();
  for (unsigned i = 0; i < kConnections; ++i) {
    CHECK(connects(address));
    while (accepted[0] + accepted[1] <= i) std::this_thread::yield();
  }
  over = true;
  first.join();
  second.join();
  CHECK(accepted[0] + accepted[1] == kConnections);
  CHECK(accepted[0] >= kConnections / 4);
  CHECK(accepted[1] >= kConnections / 4);
  CHECK(connects(address));  // it stays with the fleet: a client that comes between two processes is not refused
}

TEST_CASE("a core cannot listen where more sockets were given than there are cores") {
  Fleet fleet(1, 0);
  auto [address, listener] = given_listener();
  fleet.give(address, Fd(::fcntl(listener.get(), F_DUPFD_CLOEXEC, 0)));
  fleet.give(address, std::move(listener));
  const auto ring = test::ring_of(fleet);
  const auto refused = ring->listen(address, {});
  REQUIRE(!refused.has_value());
  CHECK(refused.error().message().find("2 sockets were given") != std::string::npos);
}

TEST_CASE("letters between two cores arrive all and in order") {
  const TwoCores seen = exchange(50'000, 10);
  CHECK(seen.got == 50'000);
  CHECK(seen.in_order);
}

TEST_CASE("a flood of more letters than a box holds waits at the sender and stays in order") {
  const TwoCores seen = exchange(60'000, 30'000);
  CHECK(seen.got == 60'000);
  CHECK(seen.in_order);
}

TEST_CASE("a letter wakes a sleeping core, and a core's letter to itself comes in the next turn") {
  Fleet fleet(1, 0);
  const auto ring = test::ring_of(fleet);
  struct Owner {
    Ring& ring;
    std::vector<std::uint32_t> kinds;
    std::uint64_t turn = 0;
    std::uint64_t own_after = 0;
  } owner{*ring, {}};
  ring->on_mail(&owner, [](void* at, const Mail& mail) {
    Owner& me = *static_cast<Owner*>(at);
    me.kinds.push_back(mail.kind);
    if (mail.kind == 1) {
      me.turn = me.ring.statistics().turns;
      me.ring.mail_to(me.ring.core(), {.kind = 2, .words = {}});
    } else {
      me.own_after = me.ring.statistics().turns - me.turn;
      me.ring.stop();
    }
  });
  // No timer is armed: nothing but the doorbell can wake this loop.
  std::thread writer([&] {
    std::this_thread::sleep_for(30ms);
    fleet.mail_to(CoreId{0}, {.kind = 1, .words = {}});
  });
  ring->run();
  writer.join();
  CHECK(owner.kinds == std::vector<std::uint32_t>{1, 2});
  CHECK(owner.own_after == 1);
}

TEST_CASE("many threads outside write to one core and nothing is lost") {
  Fleet fleet(1, 0);
  const auto ring = test::ring_of(fleet);
  struct Owner {
    std::array<std::uint64_t, 4> next{};
    bool in_order = true;
    std::uint64_t got = 0;
  } owner;
  ring->on_mail(&owner, [](void* at, const Mail& mail) {
    Owner& me = *static_cast<Owner*>(at);
    me.in_order = me.in_order && mail.words[0] == me.next.at(mail.kind)++;
    ++me.got;
  });
  std::vector<std::thread> writers;
  for (std::uint32_t kind = 0; kind < 4; ++kind) {
    writers.emplace_back([&fleet, kind] {
      for (std::uint64_t i = 0; i < 10'000; ++i) fleet.mail_to(CoreId{0}, {.kind = kind, .words = {i}});
    });
  }
  Runner runner(*ring);
  CHECK(runner.run_until([&] { return owner.got == 40'000; }));
  for (std::thread& writer : writers) writer.join();
  CHECK(owner.in_order);
}

TEST_CASE("helper threads return what their work returned, off the loop's thread") {
  Fleet fleet(1, 3);
  const auto ring = test::ring_of(fleet);
  std::array<Recorded, 100> all;
  std::atomic<int> on_this_thread = 0;
  const auto loop_thread = std::this_thread::get_id();
  for (int i = 0; i < 100; ++i) {
    ring->help(all[static_cast<std::size_t>(i)].operation, [i, loop_thread, &on_this_thread] {
      if (std::this_thread::get_id() == loop_thread) ++on_this_thread;
      return i * 3;
    });
  }
  Runner runner(*ring);
  REQUIRE(runner.run_until([&] { return std::ranges::all_of(all, [](const Recorded& r) { return r.finals == 1; }); }));
  for (int i = 0; i < 100; ++i) CHECK(all[static_cast<std::size_t>(i)].last == i * 3);
  CHECK(on_this_thread == 0);
}

TEST_CASE("work that no loop fetched any more is freed with the fleet") {
  const auto token = std::make_shared<int>(1);
  {
    Fleet fleet(1, 1);
    const auto ring = test::ring_of(fleet);
    Recorded never_run;
    ring->help(never_run.operation, [token] { return *token; });
    ring->stop();
    ring->run();
    CHECK(never_run.finals == 1);
  }
  CHECK(token.use_count() == 1);
}

TEST_CASE("deferred work runs once a turn, in the order of asking, after the handlers") {
  Fleet fleet(1, 0);
  const auto ring = test::ring_of(fleet);
  struct Work {
    Ring& ring;
    std::string& log;
    char letter;
    int again;
    Deferred* next;
    Deferred deferred{this, call<&Work::run>};
    std::vector<std::uint64_t> turns;
    void run() {
      log += letter;
      turns.push_back(ring.statistics().turns);
      if (next != nullptr) ring.defer(*next);
      if (--again > 0) ring.defer(deferred);
    }
  };
  std::string log;
  Work last{.ring = *ring, .log = log, .letter = 'c', .again = 1, .next = nullptr, .turns = {}};
  Work first{.ring = *ring, .log = log, .letter = 'a', .again = 3, .next = nullptr, .turns = {}};
  Work second{.ring = *ring, .log = log, .letter = 'b', .again = 1, .next = &last.deferred, .turns = {}};
  ring->defer(first.deferred);
  ring->defer(first.deferred);
  ring->defer(second.deferred);
  Runner runner(*ring);
  REQUIRE(runner.run_until([&] { return first.turns.size() == 3; }));
  CHECK(log == "abcaa");
  CHECK(first.turns[1] == first.turns[0] + 1);
  CHECK(first.turns[2] == first.turns[1] + 1);
  CHECK(last.turns[0] == second.turns[0]);
}

}  // namespace ringpost::ring
