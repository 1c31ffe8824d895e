// The connections of one core and what they share: the ring, core's callbacks, the configuration, the counts. It owns
// every Connection and the list of them by destination; it is what a Deliverer is made of.
#pragma once

#include <deque>
#include <memory>
#include <vector>

#include "deliver/connection.h"
#include "ringpost/base/slab.h"

namespace ringpost::deliver {

struct Destination {
  DestinationId id;
  std::shared_ptr<const route::Way> way;  // of the connections opened from now on
  List<Connection> connections;
  std::uint32_t count = 0;
  bool bdat_unknown = false;  // CHUNKING was offered there, and BDAT not known

  // Hosts that failed lately, and until when they are tried last; at most as many as a way has.
  struct Resting {
    SocketAddress host;
    Instant until;
  };
  std::vector<Resting> resting;

  [[nodiscard]] bool rests(const SocketAddress& host, Instant now) const;
  void rest(const SocketAddress& host, Instant now);
  void recovered(const SocketAddress& host);
};

class Pool {
 public:
  Pool(ring::Ring&, std::shared_ptr<const config::Config>, Host&);
  ~Pool();

  void open(DestinationId, const route::Way&);
  void forget(DestinationId);
  bool wake(DestinationId);
  void yield(DestinationId, std::uint32_t count);
  void drain();
  void abort();
  [[nodiscard]] Destination* find(DestinationId);
  [[nodiscard]] bool idle() const { return connections_.used() == 0 && without_room_.empty() && waiting_.empty(); }

  // ---- for connections
  [[nodiscard]] ring::Ring& ring() { return ring_; }
  [[nodiscard]] Host& host() { return host_; }
  [[nodiscard]] const config::Config& config() const { return *config_; }
  void reconfigure(std::shared_ptr<const config::Config> config) { config_ = std::move(config); }
  Statistics& statistics() { return statistics_; }
  // After each of its turns: whether it is idle decides which one makes room for another destination's.
  void note(Connection&);
  // The connection is over and none of its operations is in the kernel: it is freed, and its lease given back.
  void retire(Connection&, Destination&);

  // Connections per core: an eighth of the memory ceiling for all cores together.
  static std::uint32_t capacity(const config::Config&, unsigned cores);

 private:
  Destination& at(DestinationId);
  void make(Destination&);
  bool make_room();
  void report_without_room();

  ring::Ring& ring_;
  std::shared_ptr<const config::Config> config_;
  Host& host_;
  Statistics statistics_;
  bool draining_ = false;
  std::vector<std::unique_ptr<Destination>> destinations_;  // by id; null: never used
  Slab<Connection> connections_;
  List<Connection, IdleTag> idle_;           // the longest idle first
  std::deque<DestinationId> waiting_;        // for an idle connection's place
  std::vector<DestinationId> without_room_;  // opened while the pool was full, or while we go down
  ring::Deferred without_room_turn_{this, ring::call<&Pool::report_without_room>};
};

}  // namespace ringpost::deliver
