// How large each pool of this process is, from the configuration: one function for start and for `ringpost check`, so
// that what is said is what is done. Private to core.
#pragma once

#include "ringpost/config.h"
#include "ringpost/spool.h"

namespace ringpost::core {

struct Sizes {
  unsigned cores = 1;
  std::uint64_t queue_messages = 0;  // of the process: limits.queue_messages, or what limits.memory leaves room for
  std::size_t body_chunks = 0;       // per core
  std::size_t in_memory = 0;         // Messages per core
  unsigned operations = 0;           // of the ring, per core: what all its sessions and connections may have in flight
};

Sizes sizes_of(const config::Config&);
spool::Options spool_options(const config::Config&);

}  // namespace ringpost::core
