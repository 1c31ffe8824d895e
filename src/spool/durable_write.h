// One write that completes when its octets are on the device, or with the errno that says they may not be. Goes on
// after short writes; falls back to write and fdatasync where the file system does not know RWF_DSYNC.
//
// A member of its owner (log, keeper). The octets stay untouched until it is done. Never retries a failure.
#pragma once

#include "ringpost/ring.h"

namespace ringpost::spool {

class DurableWrite {
 public:
  using Done = void (*)(void* owner, int error);  // 0, or errno
  DurableWrite(ring::Ring& ring, void* owner, Done done) : ring_(ring), owner_(owner), done_(done) {}

  void start(ring::File file, View octets, std::uint64_t offset);
  [[nodiscard]] bool busy() const { return operation_.in_kernel(); }

 private:
  void submit();
  void on_written(const ring::Completion& done);
  void on_synced(const ring::Completion& done);

  ring::Ring& ring_;
  void* owner_;
  Done done_;
  ring::File file_;
  View octets_;
  std::uint64_t offset_ = 0;
  bool sync_apart_ = false;
  ring::Operation operation_{this, ring::handler<&DurableWrite::on_written>};
  ring::Operation sync_{this, ring::handler<&DurableWrite::on_synced>};
};

}  // namespace ringpost::spool
