#include "queue/tables.h"

#include <algorithm>
#include <bit>
#include <utility>

#include "ringpost/base/check.h"

namespace ringpost::queue {
namespace {

constexpr std::int64_t kMillisecondsPerSecond = 1000;
constexpr std::int64_t kMillisecondsPerMinute = 60 * kMillisecondsPerSecond;

}  // namespace

std::uint32_t seconds_of(WallTime at) {
  const std::int64_t seconds = (at.milliseconds + kMillisecondsPerSecond - 1) / kMillisecondsPerSecond;
  return static_cast<std::uint32_t>(std::clamp<std::int64_t>(seconds, 0, UINT32_MAX));
}

Queue::Tables::Tables(std::size_t messages)
    : slots(static_cast<std::uint32_t>(std::min<std::size_t>(2 * messages, kMaxSlots - 1))),
      buckets(std::bit_ceil(std::max<std::size_t>(messages, 1024)) * sizeof(std::uint32_t)),
      bucket_mask(std::bit_ceil(std::max<std::size_t>(messages, 1024)) - 1) {
  for (std::uint32_t head = 0; head < kWheelHeads; ++head)
    wheel[head] = {kFirstWheelHead + head, kFirstWheelHead + head};
}

Links& Queue::Tables::links(std::uint32_t number) {
  if (number >= kFirstDestinationHead) return destinations[number - kFirstDestinationHead].ready;
  if (number >= kFirstWheelHead) return wheel[number - kFirstWheelHead];
  return at(number).links;
}

void Queue::Tables::insert(std::uint32_t after, std::uint32_t number) {
  const std::uint32_t next = links(after).next;
  links(number) = {after, next};
  links(after).next = number;
  links(next).previous = number;
}

void Queue::Tables::unlink(std::uint32_t number) {
  const Links here = links(number);
  links(here.previous).next = here.next;
  links(here.next).previous = here.previous;
}

// Ids count up, so their low bits spread over the buckets by themselves and neighbours share pages. Buckets hold a slot
// number plus one: a fresh page is zero, which is "none".
std::uint32_t& Queue::Tables::bucket(SpoolId id) {
  constexpr std::uint64_t kSpread = 0x9E3779B97F4A7C15ULL;  // logs count alike: keep them apart
  const std::uint64_t place = (id.count() + id.log() * kSpread) & bucket_mask;
  return reinterpret_cast<std::uint32_t*>(buckets.data())[place];
}

std::uint32_t Queue::Tables::first_of(SpoolId id) {
  for (std::uint32_t number = bucket(id) - 1; number != kNone; number = at(number).chain)
    if (at(number).id == id) return number;
  return kNone;
}

std::uint32_t Queue::Tables::slot_of(SpoolId id, DestinationId destination) {
  std::uint32_t number = first_of(id);
  while (number != kNone && at(number).destination != destination.value) number = at(number).sibling;
  return number;
}

std::uint32_t Queue::Tables::create(const Entry& entry) {
  Slot* slot = slots.acquire();
  if (slot == nullptr) return kNone;
  const std::uint32_t number = slots.index_of(*slot);
  const std::uint32_t first = first_of(entry.id);
  *slot = {.id = entry.id,
           .due = entry.due,
           .links = {},
           .destination = entry.destination.value,
           .expires_seconds = seconds_of(entry.expires),
           .sibling = kNone,
           .chain = kNone,
           .place = Place::taken,
           .again = false,
           .flushed = entry.flushed};
  if (first == kNone) {
    std::uint32_t& head = bucket(entry.id);
    slot->chain = head - 1;
    head = number + 1;
    ++message_count;
  } else {
    slot->sibling = at(first).sibling;
    at(first).sibling = number;
  }
  return number;
}

void Queue::Tables::destroy(std::uint32_t number) {
  const Slot gone = at(number);
  const std::uint32_t first = first_of(gone.id);
  if (first != number) {
    std::uint32_t before = first;
    while (at(before).sibling != number) before = at(before).sibling;
    at(before).sibling = gone.sibling;
  } else {
    const std::uint32_t heir = gone.sibling == kNone ? gone.chain : gone.sibling;
    if (gone.sibling != kNone) at(gone.sibling).chain = gone.chain;
    std::uint32_t& head = bucket(gone.id);
    if (head - 1 == number) {
      head = heir + 1;
    } else {
      std::uint32_t before = head - 1;
      while (at(before).chain != number) before = at(before).chain;
      at(before).chain = heir;
    }
    if (gone.sibling == kNone) --message_count;
  }
  slots.release(at(number));
}

void Queue::Tables::place(std::uint32_t number, WallTime now, bool at_front) {
  Slot& slot = at(number);
  Destination& shown = destinations[slot.destination].shown;
  if (slot.due > now && tick_of(slot.due) > tick) {
    slot.place = Place::waiting;
    ++shown.waiting;
    ++waiting;
    append(kFirstWheelHead + wheel_slot(tick_of(slot.due), tick), number);
    return;
  }
  slot.place = Place::ready;
  ++shown.ready;
  const std::uint32_t head = kFirstDestinationHead + slot.destination;
  // One whose time has come is seen by take_expired() though others were here before it.
  if (at_front || std::int64_t{slot.expires_seconds} * kMillisecondsPerSecond <= now.milliseconds)
    insert(head, number);
  else
    append(head, number);
  refresh(slot.destination);
}

void Queue::Tables::leave(std::uint32_t number) {
  Slot& slot = at(number);
  Destination& shown = destinations[slot.destination].shown;
  if (slot.place == Place::taken) {
    --shown.taken;
    return;
  }
  unlink(number);
  if (slot.place == Place::waiting) {
    --shown.waiting;
    --waiting;
  } else {
    --shown.ready;
  }
  refresh(slot.destination);
}

Entry Queue::Tables::take(std::uint32_t number) {
  leave(number);
  Slot& slot = at(number);
  slot.place = Place::taken;
  ++destinations[slot.destination].shown.taken;
  return {.id = slot.id,
          .destination = {slot.destination},
          .due = slot.due,
          .expires = {std::int64_t{slot.expires_seconds} * kMillisecondsPerSecond},
          .flushed = std::exchange(slot.flushed, false)};
}

void Queue::Tables::make_due(std::uint32_t number, WallTime now) {
  Slot& slot = at(number);
  slot.flushed = true;
  if (slot.place == Place::ready) return;
  if (slot.place == Place::taken) {
    slot.again = true;
    slot.due = now;
    return;
  }
  leave(number);
  slot.due = now;
  place(number, now, false);
}

// Spreads one list of a level over the lists below it, or into readiness at level 0.
void Queue::Tables::cascade(unsigned level, std::int64_t at_tick) {
  const std::uint32_t index =
      level * kLevelSlots + (static_cast<std::uint32_t>(at_tick >> (kLevelBits * level)) & (kLevelSlots - 1));
  const std::uint32_t head = kFirstWheelHead + index;
  const WallTime now{at_tick * kTickMilliseconds};
  // What is too far away for the wheel lands in this same list again: stop at what was last when we began.
  const std::uint32_t last = links(head).previous;
  while (links(head).next != head) {
    const std::uint32_t number = links(head).next;
    leave(number);
    place(number, now, false);
    if (number == last) break;
  }
}

void Queue::Tables::rebuild(std::int64_t new_tick) {
  tick = new_tick;
  const WallTime now{new_tick * kTickMilliseconds};
  slots.for_each([&](Slot& slot) {
    if (slot.place != Place::waiting) return;
    const std::uint32_t number = slots.index_of(slot);
    leave(number);
    place(number, now, false);
  });
}

void Queue::Tables::refresh(std::uint32_t destination) {
  DestinationSlot& slot = destinations[destination];
  const bool wanted = slot.shown.ready > 0 && slot.shown.paused_until.milliseconds == 0;
  if (wanted == (slot.active_at != kNone)) return;
  if (wanted) {
    slot.active_at = static_cast<std::uint32_t>(active.size());
    active.push_back(destination);
    return;
  }
  const std::uint32_t moved = active.back();
  active[slot.active_at] = moved;
  destinations[moved].active_at = slot.active_at;
  active.pop_back();
  slot.active_at = kNone;
}

void Queue::Tables::turn_minute(DestinationSlot& slot, WallTime now) {
  const std::int64_t minute = now.milliseconds / kMillisecondsPerMinute;
  if (minute == slot.minute) return;
  slot.delivered_before = minute == slot.minute + 1 ? slot.delivered : 0;
  slot.delivered = 0;
  slot.minute = minute;
}

// Recipients per second of this minute and of that part of the one before that is no minute ago.
double Queue::Tables::rate_of(DestinationSlot& slot, WallTime now) {
  turn_minute(slot, now);
  const double gone =
      static_cast<double>(now.milliseconds % kMillisecondsPerMinute) / static_cast<double>(kMillisecondsPerMinute);
  return (slot.delivered + slot.delivered_before * (1 - gone)) / 60;
}

void Queue::Tables::set_pause(std::uint32_t destination, WallTime until) {
  Destination& shown = destinations[destination].shown;
  if (shown.paused_until.milliseconds != 0) pauses.erase({shown.paused_until, destination});
  shown.paused_until = until;
  if (until.milliseconds != 0) pauses.insert({until, destination});
  refresh(destination);
}

}  // namespace ringpost::queue
