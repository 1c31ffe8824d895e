// What the loop costs: timers as connections use them, a letter from a core to itself, and one exchange of a request
// and a reply between two sockets of the same loop (both ends, kernel included).
#include <benchmark/benchmark.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <memory>
#include <vector>

#include "ringpost/base/random.h"
#include "ringpost/ring.h"

namespace ringpost::ring {
namespace {

void nothing(void*) {}

// An idle timeout that each command pushes on: the case of every connection.
void rearm_timer(benchmark::State& state) {
  TimerWheel wheel;
  Instant now{1'000'000'000};
  wheel.run(now);
  std::vector<std::unique_ptr<Timer>> timers;
  for (int i = 0; i < 10'000; ++i) timers.push_back(std::make_unique<Timer>(nullptr, nothing));
  std::size_t at = 0;
  for (auto _ : state) {
    now = now + 10us;
    wheel.arm(*timers[at++ % timers.size()], now + 300s);
  }
}
BENCHMARK(rearm_timer);

void run_due_timers(benchmark::State& state) {
  TimerWheel wheel;
  Instant now{1'000'000'000};
  wheel.run(now);
  Random random(1);
  std::vector<std::unique_ptr<Timer>> timers;
  for (int i = 0; i < 1000; ++i) timers.push_back(std::make_unique<Timer>(nullptr, nothing));
  for (auto _ : state) {
    for (const auto& timer : timers)
      wheel.arm(*timer, now + Duration{static_cast<std::int64_t>(random.below(60'000'000'000))});
    now = now + 61s;
    wheel.run(now);
  }
  state.SetItemsProcessed(state.iterations() * 1000);
}
BENCHMARK(run_due_timers);

std::unique_ptr<Ring> small_ring(Fleet& fleet) {
  auto made = make_ring(fleet, CoreId{0}, 1, {.entries = 256, .receive_buffers = 64, .operations = 1024});
  RINGPOST_CHECK(made.has_value());
  return std::move(*made);
}

void letter_to_self(benchmark::State& state) {
  Fleet fleet(1, 0);
  const auto ring = small_ring(fleet);
  struct Owner {
    Ring& ring;
    benchmark::State& state;
  } owner{*ring, state};
  ring->on_mail(&owner, [](void* at, const Mail& mail) {
    Owner& me = *static_cast<Owner*>(at);
    if (!me.state.KeepRunning()) return me.ring.stop();
    me.ring.mail_to(me.ring.core(), mail);
  });
  ring->mail_to(ring->core(), {});
  ring->run();
}
BENCHMARK(letter_to_self);

// Sends a line, gets one back, sends again.
struct Side {
  Ring& ring;
  Socket socket;
  benchmark::State* state;  // null: the other side counts
  std::array<char, 64> line{};
  Operation receive{this, handler<&Side::received>};
  Operation send{this, handler<&Side::sent>};

  Side(Ring& at, int fd, benchmark::State* counts) : ring(at), socket{fd}, state(counts) {
    ring.receive(receive, socket);
  }
  void say() {
    const iovec piece{line.data(), line.size()};
    ring.send(send, socket, {&piece, 1});
  }
  void received(const Completion& done) {
    if (done.final) return;
    if (state != nullptr && !state->KeepRunning()) return ring.stop();
    if (!send.in_kernel()) say();
  }
  void sent(const Completion&) {}
};

void exchange(benchmark::State& state) {
  Fleet fleet(1, 0);
  const auto ring = small_ring(fleet);
  std::array<int, 2> fds{};
  RINGPOST_CHECK(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds.data()) == 0);
  Side server(*ring, fds[0], nullptr);
  Side client(*ring, fds[1], &state);
  client.say();
  ring->run();
  ::close(fds[0]);
  ::close(fds[1]);
}
BENCHMARK(exchange);

}  // namespace
}  // namespace ringpost::ring
