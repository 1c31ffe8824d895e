// Time as two types that cannot be mixed: Instant never jumps and orders what happens in one run; WallTime
// is the calendar's, goes to disk and into headers, and may jump. Both are read only from the loop's clock
// (ring::Ring::now, ring::Ring::wall) so that a simulated run owns them.
#pragma once

#include <chrono>
#include <cstdint>

namespace ringpost {

using Duration = std::chrono::nanoseconds;

using namespace std::chrono_literals;

// A point on the monotonic clock, nanoseconds since an arbitrary start.
struct Instant {
  std::int64_t nanoseconds = 0;
  auto operator<=>(const Instant&) const = default;
};

constexpr Instant operator+(Instant at, Duration by) { return {at.nanoseconds + by.count()}; }
constexpr Instant operator-(Instant at, Duration by) { return {at.nanoseconds - by.count()}; }
constexpr Duration operator-(Instant later, Instant earlier) {
  return Duration{later.nanoseconds - earlier.nanoseconds};
}

// A point in calendar time, milliseconds since 1970-01-01T00:00:00Z.
struct WallTime {
  std::int64_t milliseconds = 0;
  auto operator<=>(const WallTime&) const = default;
};

constexpr WallTime operator+(WallTime at, Duration by) {
  return {at.milliseconds + std::chrono::duration_cast<std::chrono::milliseconds>(by).count()};
}
constexpr WallTime operator-(WallTime at, Duration by) { return at + (-by); }
constexpr Duration operator-(WallTime later, WallTime earlier) {
  return std::chrono::milliseconds{later.milliseconds - earlier.milliseconds};
}

}  // namespace ringpost
