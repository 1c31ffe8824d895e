// The relay as a process of the simulated machine: one Core per ring, started, killed, drained and started again, as
// the daemon's serve() does with threads.
#pragma once

#include <memory>
#include <optional>
#include <vector>

#include "ringpost/core.h"
#include "world.h"

namespace ringpost::sim {

class Relay {
 public:
  Relay(World& world, config::Config config);
  ~Relay();

  // A new process on the disk as it is. False: it ended in its start, with failure().
  bool start();
  [[nodiscard]] bool running() const { return !cores_.empty(); }
  // All cores have ended (drained, or after a failure): the process is to be buried.
  [[nodiscard]] bool ended() const;
  // A core has failed; the others are told to end.
  [[nodiscard]] const std::optional<Error>& failure() const { return failure_; }
  [[nodiscard]] Instant failed_at() const { return failed_at_; }  // when that core had ended
  void drain();
  // Ends what is left of the process: after ended(), or as kill -9 or a power loss does it.
  void bury();
  void kill();
  void lose_power(Survivors survivors);

  [[nodiscard]] core::Counts counts() const;  // over all cores; while running
  [[nodiscard]] core::Core& core(unsigned number) { return *cores_.at(number); }

 private:
  void on_ended(std::size_t core, const Error* failure);

  World& world_;
  config::Config config_;
  std::vector<std::unique_ptr<core::Core>> cores_;
  std::vector<bool> ended_;
  std::optional<Error> failure_;
  Instant failed_at_;
};

}  // namespace ringpost::sim
