// Numbers of a command line; see amounts.h.
#include "amounts.h"

#include <array>
#include <charconv>
#include <utility>

namespace ringpost::tools {
namespace {

std::optional<double> parse_decimal(View text) {
  double value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || end != text.data() + text.size() || !(value >= 0)) return std::nullopt;
  return value;
}

}  // namespace

std::optional<std::uint64_t> parse_count(View text) {
  std::uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return value;
}

std::optional<std::uint64_t> parse_size(View text) {
  if (text.empty()) return std::nullopt;
  unsigned shift = 0;
  switch (ascii_lower(text.back())) {
    case 'k':
      shift = 10;
      break;
    case 'm':
      shift = 20;
      break;
    case 'g':
      shift = 30;
      break;
    default:
      break;
  }
  if (shift > 0) text.remove_suffix(1);
  const auto count = parse_count(text);
  if (!count || *count > UINT64_MAX >> shift) return std::nullopt;
  return *count << shift;
}

std::optional<Duration> parse_duration(View text) {
  constexpr std::array<std::pair<View, double>, 6> kUnits{
      {{"us", 1e3}, {"ms", 1e6}, {"s", 1e9}, {"m", 60e9}, {"h", 3600e9}, {"", 1e9}}};
  constexpr double kLongest = 9e18;  // nanoseconds that an Instant can hold
  for (const auto& [unit, nanoseconds] : kUnits) {
    if (!text.ends_with(unit)) continue;
    const auto number = parse_decimal(text.substr(0, text.size() - unit.size()));
    if (!number || *number * nanoseconds > kLongest) return std::nullopt;
    return Duration{static_cast<std::int64_t>(*number * nanoseconds)};
  }
  return std::nullopt;
}

std::optional<double> parse_probability(View text) {
  const bool percent = text.ends_with('%');
  if (percent) text.remove_suffix(1);
  auto value = parse_decimal(text);
  if (value && percent) *value /= 100;
  if (!value || *value > 1) return std::nullopt;
  return value;
}

std::vector<View> split(View text, char separator) {
  std::vector<View> pieces;
  while (!text.empty()) {
    const std::size_t end = text.find(separator);
    pieces.push_back(text.substr(0, end));
    if (end == View::npos) break;
    text.remove_prefix(end + 1);
  }
  return pieces;
}

}  // namespace ringpost::tools
