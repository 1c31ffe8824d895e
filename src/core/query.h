// Query: one operator's command on its way through all cores and back. Made on core 0, answered by each core in its own
// part, read and deleted on core 0 when all parts are done; the ring's mail is what orders these accesses. Private to
// core.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "ringpost/control.h"
#include "ringpost/core.h"
#include "ringpost/dns.h"
#include "ringpost/queue.h"

namespace ringpost::core {

enum class Command : std::uint8_t { status, queue, list, show, flush, remove };
std::optional<Command> command_of(View name);

// One destination as one core sees it.
struct DestinationRow {
  queue::Destination shown;
  std::uint32_t connections = 0;
};

// One object of an answer, ready to be sent.
struct Line {
  WallTime accepted;  // its message, in a list: the oldest of all cores comes first
  std::string json;
};

// What one core found.
struct Part {
  Counts counts;
  spool::Statistics spool;
  dns::Statistics dns;
  std::uint64_t events_written = 0;
  std::uint64_t events_dropped = 0;
  std::vector<DestinationRow> destinations;
  std::vector<Line> lines;
  std::uint64_t affected = 0;  // messages flushed or removed
};

struct Query {
  control::Request request;
  Command command = Command::status;
  std::optional<SpoolId> id;
  std::shared_ptr<control::Reply> reply;
  std::vector<Part> parts;  // by core
  unsigned open = 0;        // parts that are not back yet; core 0's
};

}  // namespace ringpost::core
