// What is due when: per-destination queues of (message, destination) entries and the wheel of those that wait. Knows
// ids and times, never octets, connections or routes. One per core, filled at recovery and by intake, emptied by
// dispatch.
//
// An entry is in one of three places: waiting (due later, in the wheel), ready (in its destination's FIFO), or taken
// (an attempt is about it). A destination is ready when it has ready entries and is not paused. Memory: kMessageOctets
// for a message with one destination, kEntryOctets for each further one, in tables that are address space touched on
// use.
//
// Thread: its core's.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "ringpost/base/bytes.h"
#include "ringpost/base/ids.h"
#include "ringpost/base/time.h"

namespace ringpost::queue {

inline constexpr std::size_t kMessageOctets = 80;
inline constexpr std::size_t kEntryOctets = 48;

struct Entry {
  SpoolId id;
  DestinationId destination;
  WallTime due;
  WallTime expires;      // to be looked at then, also while its destination is paused: it is late, or its time is over
  bool flushed = false;  // by an operator: those of its recipients that are due later go too
};

// How one destination stands, for dispatch and for people.
struct Destination {
  std::string name;            // empty: the id is not in use
  std::uint64_t ready = 0;     // entries due now
  std::uint64_t waiting = 0;   // due later
  std::uint64_t taken = 0;     // being attempted
  WallTime paused_until;       // after failures to reach it; past: not paused
  std::uint32_t failures = 0;  // to reach it, in a row
  std::string last_error;      // of the last attempt that did not deliver; escaped where shown
  WallTime oldest;             // due time of the oldest ready entry; zero: none
  double rate = 0;             // recipients delivered per second, of the last minute or two
};

// An entry as it stands, for who looks through them all.
struct Standing {
  enum class Place : std::uint8_t { waiting, ready, taken };
  SpoolId id;
  DestinationId destination;
  WallTime due;
  WallTime expires;
  Place place = Place::waiting;
};

class Queue {
 public:
  // Room for `messages` messages and twice as many entries.
  explicit Queue(std::size_t messages);
  ~Queue();

  // The id of a destination by name, made when new.
  DestinationId destination(View name);
  [[nodiscard]] std::optional<DestinationId> find(View name) const;
  // `rate` is as of `now` where that is given.
  [[nodiscard]] const Destination& at(DestinationId, WallTime now = {}) const;
  [[nodiscard]] std::size_t destinations() const;  // ids in use are below it
  [[nodiscard]] std::size_t known() const;         // of them in use
  // Nobody needs the destination any more: its id may come to mean another one. False: it has entries.
  bool forget(DestinationId);

  // Adds an entry. When the message already has one for that destination (waiting or ready), only its times become the
  // earlier of both; a taken one will be ready again at `due` when put back. False: the table is full.
  bool add(const Entry&, WallTime now);

  // Moves what has become due to its destination. Call at least when next_due() has come.
  void advance(WallTime now);
  [[nodiscard]] std::optional<WallTime> next_due() const;  // of waiting entries and pauses

  // The destinations that have ready entries and are not paused, each visited once, round robin: gives the
  // next one, nullopt at the end of a round. begin_round() starts one.
  void begin_round();
  std::optional<DestinationId> next_ready();

  // Takes the oldest ready entry; nullopt when none is ready or the destination is paused.
  std::optional<Entry> take(DestinationId);
  // The same also from a paused destination, but only an entry that has expired at `now`.
  std::optional<Entry> take_expired(DestinationId, WallTime now);
  // Ends a taken entry: its recipients there are all settled.
  void done(const Entry&);
  // Puts a taken entry back, flushed as it says, to wait until `due`; at or before now: ready at the front again (it
  // was not attempted). entry.expires counts from here on.
  void put_back(const Entry&, WallTime due, WallTime now);

  // No entry of the destination becomes ready before `until` (expired ones can still be taken).
  void pause(DestinationId, WallTime until, std::uint32_t failures, View error);
  void reached(DestinationId);  // clears pause and count
  void note_error(DestinationId, View error);
  void note_delivered(DestinationId, WallTime now);  // one recipient

  // Operator's commands. flush makes a message's waiting entries due now and ends the pauses of their destinations.
  bool flush(SpoolId, WallTime now);
  void end_pause(DestinationId);
  // Forgets the message's entries that are not taken; true if any was taken (its attempt goes on and must look).
  bool remove(SpoolId);

  [[nodiscard]] std::size_t messages() const;
  [[nodiscard]] std::size_t entries() const;
  [[nodiscard]] std::size_t room() const;  // entries that can still be added
  // Looks at `places` places of the table from place `from` on and shows the entries there, in no order. Gives the next
  // place, 0 at the end. An entry that is there all through a scan over many turns is shown once.
  std::size_t scan(std::size_t from, std::size_t places, const std::function<void(const Standing&)>&) const;
  // Each entry of a message: destination, due, taken.
  void entries_of(SpoolId, const std::function<void(DestinationId, WallTime due, bool taken)>&) const;

 private:
  struct Tables;
  std::unique_ptr<Tables> tables_;
};

}  // namespace ringpost::queue
