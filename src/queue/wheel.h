// Where waiting entries lie by time: a hierarchical wheel of circular lists, by slot index instead of pointer, so that
// an entry pays eight octets for its place. Private to queue. It owns the heads of its lists; the links of entries
// belong to Tables. One thread.
#pragma once

#include <array>
#include <cstdint>

#include "ringpost/base/time.h"

namespace ringpost::queue {

// Both ends of a place in a circular list. Numbers name entries and list heads alike, see Tables::links.
struct Links {
  std::uint32_t previous = 0;
  std::uint32_t next = 0;
};

inline constexpr std::int64_t kTickMilliseconds = 64;
inline constexpr unsigned kLevelBits = 8;
inline constexpr std::uint32_t kLevelSlots = 1U << kLevelBits;
inline constexpr unsigned kLevels = 4;  // 2^32 ticks of 64 ms: eight years
inline constexpr std::uint32_t kWheelHeads = kLevelSlots * kLevels;

// Time as the wheel counts it. Rounds up: nothing is due early.
constexpr std::int64_t tick_of(WallTime at) { return (at.milliseconds + kTickMilliseconds - 1) / kTickMilliseconds; }

// The list, 0 … kWheelHeads - 1, for something due at tick `due` when the wheel stands at tick `now` (due > now).
constexpr std::uint32_t wheel_slot(std::int64_t due, std::int64_t now) {
  const std::int64_t farthest = now + ((std::int64_t{1} << (kLevelBits * kLevels)) - 1);
  if (due > farthest) due = farthest;
  for (unsigned level = 0; level + 1 < kLevels; ++level)
    if ((due >> (kLevelBits * (level + 1))) == (now >> (kLevelBits * (level + 1))))
      return level * kLevelSlots + (static_cast<std::uint32_t>(due >> (kLevelBits * level)) & (kLevelSlots - 1));
  return (kLevels - 1) * kLevelSlots +
         (static_cast<std::uint32_t>(due >> (kLevelBits * (kLevels - 1))) & (kLevelSlots - 1));
}

}  // namespace ringpost::queue
