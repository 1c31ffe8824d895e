// Gather: what monitoring asks over HTTP. On core 0 it takes an exchange, sends a Gathering round and writes the
// answer; on every core it fills in that core's part, in slices where the queue has many destinations. Owned by Core.
// One thread.
#pragma once

#include <list>
#include <memory>
#include <vector>

#include "core/rooms.h"
#include "ringpost/control.h"

namespace ringpost::core {

// One question on its way through all cores and back; made and deleted on core 0, as a Query is.
struct Gathering {
  struct Part {
    report::Metrics metrics;
    spool::Refusal refusal = spool::Refusal::none;
  };
  std::shared_ptr<control::HttpExchange> exchange;
  bool health = false;        // only whether cores turn and the spool takes mail
  std::uint32_t crowded = 0;  // destinations told by name
  std::vector<Part> parts;    // by core
  unsigned open = 0;          // parts that are not back yet
};

class Gather {
 public:
  explicit Gather(Rooms& rooms) : rooms_(rooms), slice_(this, ring::call<&Gather::next_slice>) {}

  // Core 0: GET /metrics or /healthz; anything else is answered 404.
  void execute(std::shared_ptr<control::HttpExchange>);
  void part_done(Gathering&);
  // This core's part of it; it goes back by mail.
  void answer(Gathering&);
  // The process ends: further questions are answered 503. Other cores may be gone already.
  void end() { ending_ = true; }
  [[nodiscard]] bool idle() const { return walks_.empty(); }

 private:
  // Destinations are counted over several turns.
  struct Walk {
    Gathering* gathering;
    std::uint32_t at = 0;
    std::vector<report::Crowded> crowded;
    WallTime oldest{};
  };

  void next_slice();
  void count(Walk&, std::uint32_t destination);
  void send_back(Gathering&);
  void measure(report::Metrics&) const;
  void measure_process(report::Metrics&) const;
  static void write_health(Gathering&);

  Rooms& rooms_;
  std::list<Walk> walks_;
  ring::Timer slice_;
  WallTime started_ = rooms_.ring.wall();
  bool ending_ = false;
};

}  // namespace ringpost::core
