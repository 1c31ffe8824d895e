// Queue: the face over Tables. Each entry is waiting, ready or taken; every function here moves entries between those
// places.
#include "ringpost/queue.h"

#include <algorithm>

#include "queue/tables.h"
#include "ringpost/base/check.h"

namespace ringpost::queue {
namespace {

constexpr WallTime kNotPaused{};

}  // namespace

Queue::Queue(std::size_t messages) : tables_(std::make_unique<Tables>(messages)) {}
Queue::~Queue() = default;

DestinationId Queue::destination(View name) {
  if (const auto known = find(name)) return *known;
  Tables& t = *tables_;
  auto number = static_cast<std::uint32_t>(t.destinations.size());
  if (t.free_destinations.empty()) {
    t.destinations.emplace_back();
  } else {
    number = t.free_destinations.back();
    t.free_destinations.pop_back();
  }
  t.by_name.emplace(name, number);
  DestinationSlot& slot = t.destinations[number];
  slot.shown.name = name;
  slot.ready = {kFirstDestinationHead + number, kFirstDestinationHead + number};
  return {number};
}

std::optional<DestinationId> Queue::find(View name) const {
  const auto found = tables_->by_name.find(name);
  if (found == tables_->by_name.end()) return std::nullopt;
  return DestinationId{found->second};
}

const Destination& Queue::at(DestinationId id, WallTime now) const {
  DestinationSlot& slot = tables_->destinations[id.value];
  if (now.milliseconds != 0) slot.shown.rate = Tables::rate_of(slot, now);
  const std::uint32_t first = slot.ready.next;
  slot.shown.oldest = first < kFirstWheelHead ? tables_->at(first).due : WallTime{};
  return slot.shown;
}

std::size_t Queue::destinations() const { return tables_->destinations.size(); }

std::size_t Queue::known() const { return tables_->by_name.size(); }

bool Queue::forget(DestinationId id) {
  Tables& t = *tables_;
  DestinationSlot& slot = t.destinations[id.value];
  const Destination& shown = slot.shown;
  CHECK(!shown.name.empty());
  if (shown.ready + shown.waiting + shown.taken > 0) return false;
  t.set_pause(id.value, kNotPaused);
  t.by_name.erase(shown.name);
  slot = {};
  slot.ready = {kFirstDestinationHead + id.value, kFirstDestinationHead + id.value};
  t.free_destinations.push_back(id.value);
  return true;
}

bool Queue::add(const Entry& entry, WallTime now) {
  Tables& t = *tables_;
  const std::uint32_t known = t.slot_of(entry.id, entry.destination);
  if (known == kNone) {
    const std::uint32_t number = t.create(entry);
    if (number == kNone) return false;
    t.place(number, now, false);
    return true;
  }
  Slot& slot = t.at(known);
  slot.expires_seconds = std::min(slot.expires_seconds, seconds_of(entry.expires));
  if (slot.place == Place::taken) {
    slot.due = slot.again ? std::min(slot.due, entry.due) : entry.due;
    slot.again = true;
  } else if (slot.place == Place::waiting && entry.due < slot.due) {
    t.leave(known);
    slot.due = entry.due;
    t.place(known, now, false);
  }
  return true;
}

void Queue::advance(WallTime now) {
  Tables& t = *tables_;
  // Due at or before `now`: whole ticks that have passed.
  const std::int64_t target = now.milliseconds / kTickMilliseconds;
  constexpr std::int64_t kJumpBack = 1000 / kTickMilliseconds;          // less than a second back is no matter
  constexpr std::int64_t kJumpForward = 3'600'000 / kTickMilliseconds;  // more than an hour is not walked tick by tick
  if (target < t.tick - kJumpBack || target > t.tick + kJumpForward) t.rebuild(target);
  while (t.tick < target) {
    ++t.tick;
    for (unsigned level = kLevels - 1; level > 0; --level)
      if ((t.tick & ((std::int64_t{1} << (kLevelBits * level)) - 1)) == 0) t.cascade(level, t.tick);
    t.cascade(0, t.tick);
  }
  while (!t.pauses.empty() && t.pauses.begin()->first <= now) t.set_pause(t.pauses.begin()->second, kNotPaused);
}

std::optional<WallTime> Queue::next_due() const {
  Tables& t = *tables_;
  std::optional<WallTime> next;
  if (!t.pauses.empty()) next = t.pauses.begin()->first;
  if (t.waiting == 0) return next;
  for (unsigned level = 0; level < kLevels; ++level) {
    const std::int64_t here = t.tick >> (kLevelBits * level);
    for (std::int64_t step = here + 1; step <= here + kLevelSlots; ++step) {
      const std::uint32_t head =
          kFirstWheelHead + level * kLevelSlots + (static_cast<std::uint32_t>(step) & (kLevelSlots - 1));
      if (t.links(head).next == head) continue;
      const WallTime due{(step << (kLevelBits * level)) * kTickMilliseconds};
      if (!next || due < *next) next = due;
      break;
    }
  }
  return next;
}

void Queue::begin_round() { tables_->round_left = tables_->active.size(); }

std::optional<DestinationId> Queue::next_ready() {
  Tables& t = *tables_;
  if (t.round_left == 0 || t.active.empty()) return std::nullopt;
  --t.round_left;
  if (t.round_at >= t.active.size()) t.round_at = 0;
  return DestinationId{t.active[t.round_at++]};
}

std::optional<Entry> Queue::take(DestinationId id) {
  Tables& t = *tables_;
  const DestinationSlot& slot = t.destinations[id.value];
  if (slot.active_at == kNone) return std::nullopt;
  return t.take(slot.ready.next);
}

std::optional<Entry> Queue::take_expired(DestinationId id, WallTime now) {
  Tables& t = *tables_;
  const std::uint32_t first = t.destinations[id.value].ready.next;
  if (first >= kFirstWheelHead) return std::nullopt;
  if (std::int64_t{t.at(first).expires_seconds} * 1000 > now.milliseconds) return std::nullopt;
  return t.take(first);
}

void Queue::done(const Entry& entry) {
  Tables& t = *tables_;
  const std::uint32_t number = t.slot_of(entry.id, entry.destination);
  CHECK(number != kNone && t.at(number).place == Place::taken);
  t.leave(number);
  Slot& slot = t.at(number);
  if (!slot.again) return t.destroy(number);
  slot.again = false;  // a flush that came meanwhile goes on
  t.place(number, slot.due, false);
}

void Queue::put_back(const Entry& entry, WallTime due, WallTime now) {
  Tables& t = *tables_;
  const std::uint32_t number = t.slot_of(entry.id, entry.destination);
  CHECK(number != kNone && t.at(number).place == Place::taken);
  t.leave(number);
  Slot& slot = t.at(number);
  slot.due = slot.again ? std::min(slot.due, due) : due;
  slot.expires_seconds = seconds_of(entry.expires);
  slot.again = false;
  slot.flushed |= entry.flushed;
  t.place(number, now, true);
}

void Queue::pause(DestinationId id, WallTime until, std::uint32_t failures, View error) {
  Destination& shown = tables_->destinations[id.value].shown;
  shown.failures = failures;
  note_error(id, error);
  tables_->set_pause(id.value, until);
}

void Queue::reached(DestinationId id) {
  Destination& shown = tables_->destinations[id.value].shown;
  shown.failures = 0;
  if (shown.paused_until != kNotPaused) tables_->set_pause(id.value, kNotPaused);
}

void Queue::note_error(DestinationId id, View error) {
  constexpr std::size_t kErrorKept = 256;  // octets
  tables_->destinations[id.value].shown.last_error = error.substr(0, kErrorKept);
}

void Queue::note_delivered(DestinationId id, WallTime now) {
  DestinationSlot& slot = tables_->destinations[id.value];
  Tables::turn_minute(slot, now);
  ++slot.delivered;
}

bool Queue::flush(SpoolId id, WallTime now) {
  Tables& t = *tables_;
  const std::uint32_t first = t.first_of(id);
  for (std::uint32_t number = first; number != kNone; number = t.at(number).sibling) {
    t.make_due(number, now);
    t.set_pause(t.at(number).destination, kNotPaused);
  }
  return first != kNone;
}

void Queue::end_pause(DestinationId id) { tables_->set_pause(id.value, kNotPaused); }

bool Queue::remove(SpoolId id) {
  Tables& t = *tables_;
  bool any_taken = false;
  for (std::uint32_t number = t.first_of(id); number != kNone;) {
    const std::uint32_t next = t.at(number).sibling;
    if (t.at(number).place == Place::taken) {
      t.at(number).again = false;
      any_taken = true;
    } else {
      t.leave(number);
      t.destroy(number);
    }
    number = next;
  }
  return any_taken;
}

std::size_t Queue::messages() const { return tables_->message_count; }
std::size_t Queue::entries() const { return tables_->slots.used(); }
std::size_t Queue::room() const { return tables_->slots.capacity() - tables_->slots.used(); }

std::size_t Queue::scan(std::size_t from, std::size_t places, const std::function<void(const Standing&)>& visit) const {
  return tables_->slots.scan(static_cast<std::uint32_t>(from), static_cast<std::uint32_t>(places), [&](Slot& slot) {
    visit({slot.id, {slot.destination}, slot.due, {std::int64_t{slot.expires_seconds} * 1000}, slot.place});
  });
}

void Queue::entries_of(SpoolId id, const std::function<void(DestinationId, WallTime, bool)>& visit) const {
  Tables& t = *tables_;
  for (std::uint32_t number = t.first_of(id); number != kNone; number = t.at(number).sibling)
    visit({t.at(number).destination}, t.at(number).due, t.at(number).place == Place::taken);
}

}  // namespace ringpost::queue
