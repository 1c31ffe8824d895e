// Brings messages back into memory: reads the record, then its latest state record, checks every checksum, fills a
// Message. Loads of one message share one job; more jobs than slots wait in order.
//
// Owned by the store. One thread.
#pragma once

#include <memory>
#include <vector>

#include "ringpost/base/slab.h"
#include "ringpost/ring.h"
#include "ringpost/spool.h"
#include "spool/segment.h"

namespace ringpost::spool {

class Resident;
class Store;

class Loader {
 public:
  static constexpr std::size_t kSlots = 16;             // reads in flight: what a fast device needs to be busy
  static constexpr std::size_t kFirstLook = 64 * 1024;  // octets read when only the envelope is wanted

  explicit Loader(Store& store);
  ~Loader();

  void load(SpoolId id, bool content, Load& load);
  [[nodiscard]] bool busy() const { return busy_slots_ > 0; }

 private:
  class Job;
  friend class Job;
  void start(Entry& entry, Load& load);
  void answer(Job& job, const Error* error);
  void next_waiting();
  [[nodiscard]] Job* job_of(SpoolId id) const;

  Store& store_;
  std::vector<std::unique_ptr<Job>> jobs_;
  std::size_t busy_slots_ = 0;
  List<Load, Load> waiting_;
};

}  // namespace ringpost::spool
