// For the tests of the ring room: a loop on the real kernel that runs until a condition holds, and sockets to talk
// to it. Waits for conditions; the bound is only for a test that fails.
#pragma once

#include <doctest/doctest.h>

#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "ringpost/ring.h"

namespace ringpost::ring::test {

inline constexpr Duration kGiveUp = 30s;

inline RingOptions small_options() {
  return {.entries = 64, .receive_buffers = 64, .receive_buffer_size = 4096, .operations = 4096, .pin_to_cpu = -1};
}

inline std::unique_ptr<Ring> ring_of(Fleet& fleet, unsigned core = 0, unsigned cores = 1,
                                     const RingOptions& options = small_options()) {
  auto made = make_ring(fleet, CoreId{static_cast<std::uint16_t>(core)}, cores, options);
  if (!made) MESSAGE(made.error().message());
  REQUIRE(made.has_value());
  return std::move(*made);
}

// Runs a ring until a condition holds: looks after each few milliseconds, so the condition may be anything.
class Runner {
 public:
  explicit Runner(Ring& ring) : ring_(ring) {}

  // True when `done` held before kGiveUp.
  bool run_until(std::function<bool()> done) {
    done_ = std::move(done);
    held_ = false;
    give_up_ = ring_.now() + kGiveUp;
    ring_.arm(look_, Duration{0});
    ring_.run();
    look_.disarm();
    return held_;
  }

 private:
  void look() {
    held_ = done_();
    if (held_ || ring_.now() >= give_up_) {
      ring_.stop();
    } else {
      ring_.arm(look_, Duration{1ms});
    }
  }

  Ring& ring_;
  Timer look_{this, call<&Runner::look>};
  std::function<bool()> done_;
  bool held_ = false;
  Instant give_up_;
};

// An operation and all that came of it.
struct Recorded {
  std::vector<int> results;
  std::string octets;
  int finals = 0;
  int last = 1;
  std::function<void(const Completion&)> then;
  Operation operation{this, handler<&Recorded::done>};

  void done(const Completion& completion) {
    results.push_back(completion.result);
    octets.append(completion.received);
    if (completion.final) {
      ++finals;
      last = completion.result;
    }
    if (then) then(completion);
  }
};

inline iovec piece(std::string_view octets) { return {const_cast<char*>(octets.data()), octets.size()}; }

// Two connected TCP sockets over loopback, made by plain system calls: first accepted, second connected.
std::pair<int, int> connected_pair();

}  // namespace ringpost::ring::test
