// The tables behind Queue: entries in a slab, found by message through chained buckets, by destination and by time
// through circular lists of indices. Private to queue. One thread.
#pragma once

#include <array>
#include <cstdint>
#include <deque>
#include <functional>
#include <optional>
#include <set>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "queue/wheel.h"
#include "ringpost/base/slab.h"
#include "ringpost/queue.h"

namespace ringpost::queue {

using Place = Standing::Place;

// One (message, destination), in memory. The entries of a message hang behind its first one (`sibling`); the first ones
// of a bucket behind each other (`chain`).
struct Slot {
  SpoolId id;
  WallTime due;
  Links links;
  std::uint32_t destination;
  std::uint32_t expires_seconds;  // since 1970, rounded up
  std::uint32_t sibling;
  std::uint32_t chain;  // of a message's first entry only
  Place place;
  bool again;  // taken, and asked for once more meanwhile: `due` says when
  bool flushed;
};
static_assert(sizeof(Slot) + 8 <= kEntryOctets + 8, "the memory plan states kEntryOctets; the slab adds 8");

inline constexpr std::uint32_t kNone = UINT32_MAX;
// Numbers of list heads, above all slots.
inline constexpr std::uint32_t kFirstWheelHead = 0xF0000000;
inline constexpr std::uint32_t kFirstDestinationHead = 0xF8000000;
inline constexpr std::uint32_t kMaxSlots = kFirstWheelHead;

struct DestinationSlot {
  Destination shown;
  Links ready;                         // head of its FIFO
  std::int64_t minute = 0;             // since 1970, the one that `delivered` counts
  std::uint32_t delivered = 0;         // recipients in that minute
  std::uint32_t delivered_before = 0;  // in the minute before
  std::uint32_t active_at = kNone;     // place among Tables::active; kNone: not there
};

// Names are looked up as views.
struct NameHash {
  using is_transparent = void;
  std::size_t operator()(View name) const { return std::hash<View>{}(name); }
};

// As a slot keeps a time.
std::uint32_t seconds_of(WallTime at);

struct Queue::Tables {
  explicit Tables(std::size_t messages);

  // Lists.
  Links& links(std::uint32_t number);
  void append(std::uint32_t head, std::uint32_t number) { insert(links(head).previous, number); }
  void insert(std::uint32_t after, std::uint32_t number);
  void unlink(std::uint32_t number);

  // Messages.
  std::uint32_t& bucket(SpoolId id);
  [[nodiscard]] std::uint32_t first_of(SpoolId id);
  [[nodiscard]] std::uint32_t slot_of(SpoolId id, DestinationId destination);
  std::uint32_t create(const Entry& entry);  // kNone: full
  void destroy(std::uint32_t number);

  // Places of an entry.
  void place(std::uint32_t number, WallTime now, bool at_front);
  void leave(std::uint32_t number);
  Entry take(std::uint32_t number);
  void make_due(std::uint32_t number, WallTime now);
  void cascade(unsigned level, std::int64_t tick);
  // The clock has jumped: the wheel stands at `tick` from now on and all that waits is put in its place anew.
  void rebuild(std::int64_t tick);

  // Whether next_ready() may name the destination; call after each change that bears on it.
  void refresh(std::uint32_t destination);
  void set_pause(std::uint32_t destination, WallTime until);
  // Moves the counts of delivered recipients on to the minute of `now`.
  static void turn_minute(DestinationSlot&, WallTime now);
  static double rate_of(DestinationSlot&, WallTime now);

  Slot& at(std::uint32_t number) { return slots[number]; }

  Slab<Slot> slots;
  Reservation buckets;
  std::uint64_t bucket_mask;
  std::size_t message_count = 0;
  std::size_t waiting = 0;  // entries in the wheel
  std::array<Links, kWheelHeads> wheel;
  std::int64_t tick = 0;                     // the wheel stands here: all up to and with it is ready
  std::deque<DestinationSlot> destinations;  // stable in place
  std::vector<std::uint32_t> free_destinations;
  std::unordered_map<std::string, std::uint32_t, NameHash, std::equal_to<>> by_name;
  std::set<std::pair<WallTime, std::uint32_t>> pauses;
  std::vector<std::uint32_t> active;  // destinations that next_ready() may name, in any order
  std::size_t round_left = 0;
  std::size_t round_at = 0;
};

}  // namespace ringpost::queue
