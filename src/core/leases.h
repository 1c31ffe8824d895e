// Connections as a good that cores share: pace's lender and borrower of this core, joined to the ring's mail and
// timers. Owned by Core, used by dispatch. Private to core; one thread.
#pragma once

#include <vector>

#include "ringpost/pace.h"
#include "ringpost/ring.h"

namespace ringpost::core {

class Leases {
 public:
  class Listener {
   public:
    virtual ~Listener() = default;
    virtual void leases_changed(DestinationId) = 0;    // a grant came, a recall, or a turn is over
    virtual void destination_dead(DestinationId) = 0;  // no core has a connection there
  };

  Leases(ring::Ring& ring, Listener& listener);

  bool take(DestinationId, View name, std::uint32_t limit);
  void closed(DestinationId);
  void refused(DestinationId);
  // Nothing is held or asked for there: what is known of the destination goes. False: it is too early.
  bool forget(DestinationId);
  [[nodiscard]] std::uint32_t must_end(DestinationId, bool busy) const;
  void receive(const pace::Letter&);

 private:
  void post();
  void tell();
  void expire();

  ring::Ring& ring_;
  Listener& listener_;
  pace::Lender lender_;
  pace::Borrower borrower_;
  std::vector<pace::Key> keys_;  // by destination; 0: not asked yet
  std::vector<pace::Letter> out_;
  std::vector<pace::Borrower::News> news_;
  ring::Timer timer_;
  ring::Deferred telling_;
};

}  // namespace ringpost::core
