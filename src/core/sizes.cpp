#include "core/sizes.h"

#include <sched.h>

#include <algorithm>

#include "ringpost/base/limits.h"
#include "ringpost/core.h"
#include "ringpost/deliver.h"
#include "ringpost/queue.h"
#include "ringpost/receive.h"
#include "ringpost/report.h"
#include "ringpost/ring.h"

namespace ringpost::core {
namespace {

using config::MemoryLine;

constexpr std::uint64_t kIndexSpare = 63;         // 1/64 of the sum
constexpr std::uint64_t kIndexOctets = 80;        // a queued message in the spool's index, at the most
constexpr std::uint64_t kMessageObject = 2048;    // a Message in memory without its content: envelope, state, trace
constexpr std::uint64_t kOperationSlot = 32;      // the ring's table of operations in flight
constexpr unsigned kOperationsOfPeer = 3;         // a session or connection: receive, send, and one of files
constexpr unsigned kOperationsOfCore = 8192;      // listeners, log, large files, mailbox, control
constexpr std::uint64_t kContentShare = 16;       // contents in memory may take 1/16 of limits.memory
constexpr std::size_t kFewestChunks = 256;        // per core: 4 MiB
constexpr std::size_t kMostChunks = 256 * 1024;   // per core: 4 GiB
constexpr std::size_t kFewestMessages = 1024;     // per core
constexpr std::size_t kMostMessages = 64 * 1024;  // per core

// The kernel may give any core all of the sessions.
unsigned operations_of_core(const config::Config& config, unsigned cores) {
  std::uint64_t connections = 0;
  for (const MemoryLine& line : deliver::Deliverer::memory(config, cores)) connections += line.count / cores;
  return static_cast<unsigned>(kOperationsOfCore + kOperationsOfPeer * (config.limits.sessions + connections));
}

std::uint64_t octets_per_queued() { return kIndexOctets + queue::kMessageOctets; }

// All but the tables that grow with the queue.
std::vector<MemoryLine> fixed_lines(const config::Config& config, const Sizes& sizes) {
  const ring::RingOptions ring;
  std::vector<MemoryLine> lines = receive::Receiver::memory(config, sizes.cores);
  std::ranges::move(deliver::Deliverer::memory(config, sizes.cores), std::back_inserter(lines));
  const auto add = [&](View what, std::uint64_t count, std::uint64_t each, View reason) {
    lines.push_back({std::string{what}, count, each, std::string{reason}});
  };
  add("receive buffers", std::uint64_t{sizes.cores} * ring.receive_buffers, ring.receive_buffer_size,
      "what the kernel fills; an idle connection owns none");
  add("operations in flight", std::uint64_t{sizes.cores} * sizes.operations, kOperationSlot,
      "the ring's table, touched on use");
  add("content chunks", std::uint64_t{sizes.cores} * sizes.body_chunks, kBodyChunkSize,
      "contents being received and delivered: 1/16 of limits.memory");
  add("messages in memory", std::uint64_t{sizes.cores} * sizes.in_memory, kMessageObject,
      "envelopes of drafts and attempts");
  add("commit buffers", std::uint64_t{sizes.cores} * 2, spool::kBatchLimit, "one batch in flight, one collecting");
  add("answers of name servers", 1, config::cache_of(config), "dns.cache, all cores together");
  add("event buffers", std::uint64_t{sizes.cores} * 2, report::kEventBuffer, "lines that wait for the event file");
  return lines;
}

}  // namespace

unsigned core_count(const config::Config& config) {
  if (config.cores != 0) return config.cores;
  cpu_set_t set;
  CPU_ZERO(&set);
  if (sched_getaffinity(0, sizeof set, &set) != 0) return 1;
  return static_cast<unsigned>(std::max(1, CPU_COUNT(&set)));
}

Sizes sizes_of(const config::Config& config) {
  Sizes sizes;
  sizes.cores = core_count(config);
  sizes.operations = operations_of_core(config, sizes.cores);
  const std::uint64_t chunks = config.limits.memory / kContentShare / kBodyChunkSize / sizes.cores;
  sizes.body_chunks = std::clamp<std::size_t>(chunks, kFewestChunks, kMostChunks);
  sizes.in_memory = std::clamp<std::size_t>(sizes.body_chunks, kFewestMessages, kMostMessages);
  const std::uint64_t fixed = config::total_octets(fixed_lines(config, sizes));
  const std::uint64_t left = config.limits.memory > fixed ? config.limits.memory - fixed : 0;
  constexpr std::uint64_t kFewestQueued = 10'000;  // also where limits.memory is too small for its own pools
  sizes.queue_messages =
      std::max(kFewestQueued, std::min<std::uint64_t>(config.limits.queue_messages, left / octets_per_queued()));
  return sizes;
}

spool::Options spool_options(const config::Config& config) {
  const Sizes sizes = sizes_of(config);
  spool::Options options;
  options.directory = config.spool.directory;
  options.segment_size = config.spool.segment_size;
  options.reserve = config.spool.reserve;
  options.body_chunks = sizes.body_chunks;
  // What the spool keeps free of new mail for the DSNs of what is in it comes on top.
  options.messages = static_cast<std::size_t>(sizes.queue_messages + sizes.queue_messages / kIndexSpare + 1);
  options.in_memory = sizes.in_memory;
  return options;
}

std::vector<MemoryLine> memory_plan(const config::Config& config) {
  const Sizes sizes = sizes_of(config);
  std::vector<MemoryLine> lines = fixed_lines(config, sizes);
  lines.push_back({"queued messages", sizes.queue_messages, octets_per_queued(),
                   "index, search facts and due entry with one destination, 48 octets for each further one; "
                   "limits.queue_messages, or "
                   "what limits.memory leaves room for"});
  return lines;
}

}  // namespace ringpost::core
