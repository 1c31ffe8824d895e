// Durations and sizes of the configuration file, both ways. Owns nothing; called by this room and by who prints a plan.
#include "units.h"

#include <array>
#include <charconv>
#include <limits>
#include <optional>
#include <string>

#include "ringpost/config.h"

namespace ringpost::config {
namespace {

struct Unit {
  View name;
  std::uint64_t factor;
};

constexpr std::uint64_t kMillisecond = 1'000'000;  // ns
constexpr std::uint64_t kSecond = 1000 * kMillisecond;
constexpr std::array kDurationUnits{Unit{"d", 86400 * kSecond}, Unit{"h", 3600 * kSecond}, Unit{"m", 60 * kSecond},
                                    Unit{"s", kSecond}, Unit{"ms", kMillisecond}};
constexpr std::array kSizeUnits{Unit{"T", 1024 * kGibi}, Unit{"G", kGibi}, Unit{"M", kMebi}, Unit{"K", kKibi}};

constexpr std::uint64_t kLongest = std::numeric_limits<std::int64_t>::max();  // what a Duration holds

// The number at the front of `text`, which loses it. None: no digit there, or more than 64 bits.
std::optional<std::uint64_t> take_number(View& text) {
  std::uint64_t number = 0;
  if (text.empty() || !is_digit(text.front())) return std::nullopt;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc{}) return std::nullopt;
  text.remove_prefix(static_cast<std::size_t>(end - text.data()));
  return number;
}

// The letters at the front of `text`, which loses them, as a factor.
std::optional<std::uint64_t> take_duration_unit(View& text) {
  const View letters = text.substr(0, text.find_first_of("0123456789"));
  text.remove_prefix(letters.size());
  for (const Unit& unit : kDurationUnits) {
    if (letters == unit.name) return unit.factor;
  }
  return std::nullopt;
}

// number × factor + sum, or none past `most`.
std::optional<std::uint64_t> scaled(std::uint64_t number, std::uint64_t factor, std::uint64_t sum, std::uint64_t most) {
  if (number > (most - sum) / factor) return std::nullopt;
  return sum + number * factor;
}

}  // namespace

Result<Duration> parse_duration(View text) {
  View rest = text;
  std::uint64_t sum = 0;
  if (text.empty()) return fail("is empty");
  while (!rest.empty()) {
    const auto number = take_number(rest);
    if (!number) return fail("\"" + std::string(text) + "\" is no duration");
    const auto factor = take_duration_unit(rest);
    if (!factor) return fail("\"" + std::string(text) + "\" lacks a unit");
    const auto more = scaled(*number, *factor, sum, kLongest);
    if (!more) return fail("\"" + std::string(text) + "\" is longer than can be counted");
    sum = *more;
  }
  return Duration{static_cast<std::int64_t>(sum)};
}

Result<std::uint64_t> parse_size(View text) {
  View rest = text;
  const auto number = take_number(rest);
  if (!number) return fail("\"" + std::string(text) + "\" is no size");
  if (rest.empty()) return *number;
  for (const Unit& unit : kSizeUnits) {
    if (!equal_ignoring_case(rest, unit.name)) continue;
    const auto octets = scaled(*number, unit.factor, 0, std::numeric_limits<std::uint64_t>::max());
    if (!octets) return fail("\"" + std::string(text) + "\" is more than can be counted");
    return *octets;
  }
  return fail("\"" + std::string(text) + "\" has an unknown unit");
}

std::string size_text(std::uint64_t octets) {
  for (const Unit& unit : kSizeUnits) {
    if (octets != 0 && octets % unit.factor == 0) return std::to_string(octets / unit.factor) + std::string(unit.name);
  }
  return std::to_string(octets);
}

std::string duration_text(Duration duration) {
  auto rest = static_cast<std::uint64_t>(duration.count() < 0 ? 0 : duration.count());
  if (rest < kMillisecond) return "0s";
  std::string text;
  for (const Unit& unit : kDurationUnits) {
    if (rest >= unit.factor) text += std::to_string(rest / unit.factor) + std::string(unit.name);
    rest %= unit.factor;
  }
  return text;
}

}  // namespace ringpost::config
