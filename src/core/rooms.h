// What one core owns, as the flows (intake, dispatch, settle) see it. Private to core. Everything lives as long as the
// Core; the configuration and its Router are replaced whole by a reload.
#pragma once

#include <memory>
#include <string>

#include "core/facts.h"
#include "core/lookups.h"
#include "core/suspensions.h"
#include "core/warm.h"
#include "ringpost/base/counter.h"
#include "ringpost/config.h"
#include "ringpost/core.h"
#include "ringpost/deliver.h"
#include "ringpost/queue.h"
#include "ringpost/receive.h"
#include "ringpost/report.h"
#include "ringpost/ring.h"
#include "ringpost/route.h"
#include "ringpost/spool.h"

namespace ringpost::core {

struct Rooms {
  Rooms(ring::Ring& the_ring, std::shared_ptr<const config::Config> the_config, std::shared_ptr<Board> board,
        std::shared_ptr<report::EventFile> the_event_file = nullptr)
      : ring(the_ring),
        config(std::move(the_config)),
        router(std::make_unique<route::Router>(*config)),
        lookups(the_ring, *config, std::move(board)),
        finder(the_ring, lookups, config),
        event_file(the_event_file ? std::move(the_event_file)
                                  : std::make_shared<report::EventFile>(the_ring.files(), config->events)),
        events(the_ring, event_file, config->events),
        warm(the_ring),
        suspensions(the_ring, config->spool.directory) {}

  ring::Ring& ring;
  std::shared_ptr<const config::Config> config;
  std::unique_ptr<route::Router> router;
  Lookups lookups;
  route::Finder finder;
  std::shared_ptr<report::EventFile> event_file;  // of the process
  report::EventLog events;
  std::unique_ptr<spool::Spool> spool;
  Warm warm;  // before the spool goes
  FactsBook facts;
  Suspensions suspensions;
  std::unique_ptr<queue::Queue> queue;
  std::unique_ptr<receive::Receiver> receiver;
  std::unique_ptr<deliver::Deliverer> deliverer;
  Histogram accept_time;               // nanoseconds from the end of a content to its 250
  Histogram queue_time;                // milliseconds from the acceptance to the delivery of a recipient
  std::uint64_t operator_changes = 0;  // of recipients' states and destinations, by commands
  Counts counts;                       // what the flows count; counts_of() has the rest
};

// What this core has counted, with what its rooms hold now.
inline Counts counts_of(const Rooms& rooms) {
  Counts counts = rooms.counts;
  counts.queued = rooms.spool->size() - rooms.counts.kept_failed - rooms.counts.held;
  counts.sessions = rooms.receiver->statistics().sessions;
  counts.shortages = rooms.deliverer->statistics().shortages;
  counts.connections = rooms.deliverer->statistics().open;
  counts.destinations = rooms.queue->known();
  return counts;
}

// It waits for an operator's release and for nothing else.
inline bool is_held(const message::State& state) {
  return state.count(message::Status::held) > 0 && state.count(message::Status::open) == 0;
}

// Nothing of it is left to deliver, but somebody is to be told.
inline bool only_to_tell(const message::State& state) {
  return state.count(message::Status::open) == 0 && state.count(message::Status::held) == 0 && !state.ended();
}

// What a search sees of a message follows its state: call before that is saved.
inline void keep_facts(Rooms& rooms, const spool::Message& message) {
  if (spool::Note* note = rooms.spool->note(message.id)) rooms.facts.update(*note, message.state);
}

// When a message that was accepted at `accepted` is given up (retry.expire).
inline WallTime expiry(const Rooms& rooms, WallTime accepted) { return accepted + rooms.config->retry.expire; }

}  // namespace ringpost::core
