// A machine in virtual time: the cores of one relay process, its disk, its network, its clock. Everything that
// happens follows from Options::seed and from what the test does; there is no real time, I/O, thread or address in it.
//
// A test of one room:
//   sim::World world({.seed = 7});
//   world.disk().prepare_directory("/spool");
//   Thing thing(world.ring());                    // ring::Ring&, as on the kernel's
//   thing.start();
//   world.run_until([&] { return thing.done(); });
// and a crash in the middle:
//   world.disk().cut_at(sim::DiskCall::write, 5);
//   world.run_until([&] { return thing.done(); });  // ends early: world.disk().cut()
//   world.lose_power(sim::survive_by_chance(7));    // all of the process stops; destroy its objects now
//   world.boot();                                   // fresh rings on the disk that is left
//
// One thread. The order of members is the order of life: rings go first.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "disk.h"
#include "network.h"
#include "ringpost/ring.h"
#include "schedule.h"
#include "sim_ring.h"
#include "trace.h"

namespace ringpost::sim {

class World {
 public:
  struct Options {
    std::uint64_t seed = 1;
    unsigned cores = 1;
    WallTime wall{1'764'064'800'000};  // 2025-11-25T10:00:00Z
    Duration mail_most = 200us;        // between cores
    Duration help_most = 30ms;         // from help() to its completion
    unsigned letters_lost = 0;         // in a million; for a canary: the real box loses none
  };
  // Boots at once.
  World() : World(Options{}) {}
  explicit World(const Options&);
  ~World();
  World(const World&) = delete;
  World& operator=(const World&) = delete;

  // ---- the parts
  [[nodiscard]] SimRing& ring(unsigned core = 0) { return *rings_.at(core); }
  [[nodiscard]] unsigned cores() const { return static_cast<unsigned>(rings_.size()); }
  [[nodiscard]] Disk& disk() { return disk_; }
  [[nodiscard]] Network& network() { return network_; }
  [[nodiscard]] Schedule& schedule() { return schedule_; }
  [[nodiscard]] Random& random() { return random_; }
  [[nodiscard]] Trace& trace() { return trace_; }
  [[nodiscard]] const Options& options() const { return options_; }

  // ---- clocks
  [[nodiscard]] Instant now() const { return schedule_.now(); }
  [[nodiscard]] WallTime wall() const { return options_.wall + (now() - begin_) + jump_; }
  void jump_wall(Duration by) { jump_ += by; }

  // ---- running; each ends early when the power is cut (disk().cut()), after a violation, and when nothing is left
  // Until `condition` holds, looked at after each step; gives whether it holds. `limit` is of virtual time.
  bool run_until(const std::function<bool()>& condition, Duration limit = 1h);
  void run_for(Duration);
  void run_steps(std::uint64_t steps);
  // Until nothing is on its way: no file operation, mail, helper work or segment; only timers and open ends remain.
  bool run_idle(Duration limit = 1h);

  // ---- the end of a process, and the next one. After kill() and lose_power() the rings stand still: destroy all
  // that hangs on them, then boot(). Meanwhile the world may run: peers live on.
  void kill();                 // kill -9: sockets close, the page cache stays
  void lose_power(Survivors);  // peers hear nothing, the disk keeps what survives
  void boot(unsigned cores);
  void boot() { boot(options_.cores); }
  [[nodiscard]] std::uint64_t life() const { return life_; }  // boots so far

  // ---- what the world found wrong with its inhabitants, in words
  void violation(std::string text);
  [[nodiscard]] const std::vector<std::string>& violations() const { return violations_; }

  // ---- for SimRing
  void send_mail(CoreId from, CoreId to, const ring::Mail&);
  // Runs `event` unless the process has ended meanwhile.
  void in_this_life(Instant when, Schedule::Event event, Schedule::Weight = Schedule::Weight::foreground);
  Duration draw(Duration least, Duration most);

 private:
  bool step();
  void kick();
  void settle_clocks();
  void end_life(bool silent);
  [[nodiscard]] bool halted() const { return disk_.cut() || !violations_.empty(); }

  Options options_;
  Trace trace_;
  Schedule schedule_;
  Random random_;
  Disk disk_;
  Network network_;
  Instant begin_;
  Duration jump_{};
  std::uint64_t life_ = 0;
  std::vector<Instant> mail_at_;  // last arrival, by from * cores + to: letters do not overtake
  std::vector<std::string> violations_;
  std::vector<std::unique_ptr<SimRing>> rings_;
};

}  // namespace ringpost::sim
