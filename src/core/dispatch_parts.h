// What dispatch keeps of each entry on its way and of each destination. Private to dispatch.cpp and destinations.cpp.
#pragma once

#include <string>
#include <vector>

#include "core/dispatch.h"

namespace ringpost::core {

// One entry on its way through memory and an attempt. Pooled, so that its buffers are made once.
struct Dispatch::Job : deliver::Job, Link<Job>, Link<UnsavedTag> {
  explicit Job(Dispatch& dispatch)
      : owner(dispatch), load(this, [](void* self, Result<spool::Message*> result) {
          static_cast<Job*>(self)->owner.loaded(*static_cast<Job*>(self), std::move(result));
        }) {}

  Dispatch& owner;
  queue::Entry entry;
  spool::Message* message = nullptr;
  spool::Reader reader;
  spool::Load load;
  std::vector<std::uint32_t> chosen;
  std::vector<std::uint32_t> later;  // open and bound for the same destination, but not due yet
  std::uint64_t changes_seen = 0;    // Rooms::operator_changes when the recipients were last looked at
  bool changed = false;  // an outcome was written into the message's state and is not saved yet: linked as unsaved
};

struct Dispatch::Target : Link<Target> {  // linked while it has ready jobs
  explicit Target(Dispatch& dispatch) : owner(dispatch) {}

  Dispatch& owner;
  DestinationId id;
  bool in_use = false;                  // the id means a destination
  const route::Route* route = nullptr;  // null: the configuration knows no such destination any more
  route::Way way;                       // hosts: as of the last search, perhaps no longer good
  route::Finding refusal;               // it takes no mail, until good_until
  Instant needed_at;                    // the last time that somebody had something for it
  route::Search search{this, [](void* self, const route::Finding& finding) {
                         static_cast<Target*>(self)->owner.found(*static_cast<Target*>(self), finding);
                       }};
  List<Job, Job> ready;  // loaded, recipients chosen, waiting for a connection to ask
  std::size_t ready_count = 0;
  std::size_t loading = 0;
  Instant no_open_before;    // this machine had no means for one more connection
  bool unreachable = false;  // between unreachable() and the closed() that follows it
  bool blame_next = false;   // dead: the next job that is loaded takes the outcome of the failed try
  std::string error;         // the last host's words
  std::uint16_t error_code = 0;
  smtp::EnhancedCode error_enhanced;
  SocketAddress error_host;
  std::string error_host_name;

  [[nodiscard]] bool refuses(Instant now) const { return now < refusal.good_until; }
  Job& pop() {
    --ready_count;
    return ready.pop_front();
  }
};

}  // namespace ringpost::core
