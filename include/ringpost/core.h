// The one place where rooms are tied together. One Core per CPU owns one of each: spool, queue, resolver, receiver,
// deliverer, pace, events. The flow is in three files: intake (draft → spool → queue), dispatch (due → route → attempt)
// and settle (outcome → spool → report; behind it bounce tells senders); the rest here starts, stops, reloads, counts
// and answers the operator.
//
// A Core runs on any ring: the kernel's in the daemon (serve), a simulated one in tests/sim.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "ringpost/config.h"
#include "ringpost/receive.h"
#include "ringpost/report.h"
#include "ringpost/ring.h"
#include "ringpost/spool.h"

namespace ringpost::core {

// What one core counts, for status, metrics and tests.
struct Counts {
  std::uint64_t accepted = 0;      // messages answered 250
  std::uint64_t delivered = 0;     // recipients
  std::uint64_t deferred = 0;      // transient failures of recipients
  std::uint64_t failed = 0;        // recipients
  std::uint64_t queued = 0;        // messages with an open recipient, now
  std::uint64_t held = 0;          // messages that wait for an operator's release, now
  std::uint64_t kept_failed = 0;   // messages without one whose sender is still to be told, now
  std::uint64_t bounces = 0;       // DSNs made
  std::uint64_t shortages = 0;     // connections that this machine had no descriptor, port or memory for
  std::uint64_t sessions = 0;      // now
  std::uint64_t connections = 0;   // outbound, now
  std::uint64_t destinations = 0;  // remembered, now; of each core by itself
};

// Where questions to the name servers lie on their way between cores.
class Board;
std::shared_ptr<Board> make_board();

class Core {
 public:
  // `ended`: called once when the core is done: drained (failure empty), or unable to go on (what and why).
  using Ended = std::function<void(const Error* failure)>;

  // The ring outlives the core. `config` is this core's own copy; the census, the event file and the board are one for
  // all cores of the process (null: this core is the only one).
  Core(ring::Ring&, std::shared_ptr<const config::Config> config, std::string config_file, Ended ended,
       std::shared_ptr<receive::Census> census = nullptr, std::shared_ptr<report::EventFile> event_file = nullptr,
       std::shared_ptr<Board> board = nullptr);
  ~Core();  // after `ended` was called and the ring's loop is over, or before start()

  // Recovers its part of the spool, fills the queue, opens listeners (and on core 0 the control socket). Blocks; call
  // it on the ring's thread before run(). Other cores may send it mail as soon as their loops run.
  Result<void> start();
  // Takes no new session, finishes transactions and attempts, for at most config.drain; then `ended`.
  void drain();
  // Takes a new configuration (already config::reloaded against the old one).
  void reconfigure(std::shared_ptr<const config::Config>);

  [[nodiscard]] Counts counts() const;
  [[nodiscard]] const spool::Recovery& recovery() const;
  [[nodiscard]] std::vector<SocketAddress> listening() const;

 private:
  struct Parts;
  std::unique_ptr<Parts> parts_;
};

// Runs the relay in this process: signals, cores, "ready" on stderr and to systemd, reload on SIGHUP, drain on SIGTERM
// and SIGINT. Gives the exit code: 0 drained, 1 failed (said on stderr).
int serve(const config::Loaded& loaded, const std::string& config_file);

// Asks the relay that runs as another process to reload, and waits until it has begun: under systemd it has told so by
// then. Blocks, a minute at the most.
Result<void> ask_reload(int process);

// What a process with this configuration would give up at start, one sentence each; for `ringpost check`.
std::vector<std::string> describe_hardening(const config::Config&, const std::string& config_file);

// The pools of all rooms, each with its reason (design: static sizing); for `ringpost check` and for start.
std::vector<config::MemoryLine> memory_plan(const config::Config&);

// How many cores this process will use.
unsigned core_count(const config::Config&);

}  // namespace ringpost::core
