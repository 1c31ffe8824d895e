// The connections of one core and what they share: the ring, core's callbacks, the configuration, the counts. It owns
// every Connection and the list of them by destination; it is what a Deliverer is made of.
#pragma once

#include <memory>
#include <vector>

#include "deliver/connection.h"
#include "ringpost/base/slab.h"

namespace ringpost::deliver {

struct Destination {
  DestinationId id;
  std::shared_ptr<const route::Route> route;  // of the connections opened from now on
  List<Connection> connections;
  std::uint32_t count = 0;
  bool bdat_unknown = false;  // CHUNKING was offered there, and BDAT not known
};

class Pool {
 public:
  Pool(ring::Ring&, std::shared_ptr<const config::Config>, Host&);
  ~Pool();

  void open(DestinationId, const route::Route&);
  bool wake(DestinationId);
  void yield(DestinationId, std::uint32_t count);
  void drain();
  void abort();
  [[nodiscard]] Destination* find(DestinationId);
  [[nodiscard]] bool idle() const { return connections_.used() == 0 && without_room_.empty(); }

  // ---- for connections
  [[nodiscard]] ring::Ring& ring() { return ring_; }
  [[nodiscard]] Host& host() { return host_; }
  [[nodiscard]] const config::Config& config() const { return *config_; }
  void reconfigure(std::shared_ptr<const config::Config> config) { config_ = std::move(config); }
  Statistics& statistics() { return statistics_; }
  // The connection is over and none of its operations is in the kernel: it is freed, and its lease given back.
  void retire(Connection&, Destination&);

  // Connections per core: an eighth of the memory ceiling for all cores together.
  static std::uint32_t capacity(const config::Config&, unsigned cores);

 private:
  Destination& at(DestinationId);
  void report_without_room();

  ring::Ring& ring_;
  std::shared_ptr<const config::Config> config_;
  Host& host_;
  Statistics statistics_;
  bool draining_ = false;
  std::vector<std::unique_ptr<Destination>> destinations_;  // by id; null: never used
  Slab<Connection> connections_;
  std::vector<DestinationId> without_room_;  // opened while the pool was full, or while we go down
  ring::Deferred without_room_turn_{this, ring::call<&Pool::report_without_room>};
};

}  // namespace ringpost::deliver
