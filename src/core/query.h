// Query: one operator's command on its way through all cores and back. Made and owned by core 0. A core has its part
// while core 0 waits for it (Part::at_work) and touches nothing else but what is the same for all; the ring's mail
// orders these accesses. An answer comes in pages: a part goes back with some lines, and is asked again when those were
// said, until it has finished. Private to core.
#pragma once

#include <atomic>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "core/filter.h"
#include "ringpost/control.h"
#include "ringpost/core.h"
#include "ringpost/dns.h"
#include "ringpost/report.h"

namespace ringpost::core {

// Where a message stands in a list: the oldest first, by the second, then in the order of its log.
struct ListKey {
  std::uint32_t accepted = 0;  // seconds since 1970
  SpoolId id;
  auto operator<=>(const ListKey&) const = default;
};

// One object of an answer, ready to be said.
struct Line {
  ListKey key;
  std::string json;
};

// One destination, of one core or of all.
struct DestinationRow {
  std::string name;
  std::uint64_t ready = 0, waiting = 0, attempting = 0;
  std::uint32_t connections = 0;
  std::uint32_t failures = 0;
  double rate = 0;
  WallTime oldest{};        // when its oldest message was accepted; zero: none
  WallTime next{};          // the next attempt; zero: none
  WallTime paused_until{};  // zero: not paused
  bool suspended = false;
  std::string error;
};

struct Part {
  bool at_work = false;     // with its core
  bool finished = false;    // it will not be asked again
  bool broken_off = false;  // finished before its end: the core is ending
  std::vector<Line> lines;
  std::size_t said = 0;  // of lines; core 0's
  std::vector<DestinationRow> destinations;
  std::uint64_t affected = 0;  // messages
  Counts counts;
  spool::Statistics spool;
  dns::Statistics dns;
  report::Statistics events;
  std::string trouble;  // it could not be done: why
};

struct Query {
  control::Request request;
  Filter filter;
  std::shared_ptr<control::Reply> reply;
  ListKey after;                      // a list begins behind this
  std::size_t page = 0;               // lines of a list in one page
  std::atomic<bool> stopped = false;  // no more is wanted: parts finish at their next look
  std::vector<Part> parts;            // by core

  // Core 0's alone.
  std::uint64_t said = 0;  // lines
  ListKey last;            // of the line said last
  std::unordered_map<std::string, DestinationRow> rows;
  std::vector<std::string> answer;  // what is said when all parts have finished
  std::size_t answered = 0;         // of `answer`
  bool answer_made = false;
  bool over = false;  // the reply has had its end
};

}  // namespace ringpost::core
