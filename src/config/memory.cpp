// The memory plan: the pools that rooms size at start, as one visible sum.
#include <fmt/format.h>

#include <algorithm>
#include <limits>

#include "ringpost/config.h"

namespace ringpost::config {

std::uint64_t cache_of(const Config& config) {
  constexpr std::uint64_t kShare = 32;  // the part of limits.memory
  return config.dns.cache != 0 ? config.dns.cache : config.limits.memory / kShare;
}

namespace {

constexpr std::uint64_t kAll = std::numeric_limits<std::uint64_t>::max();

// For people: three digits are enough to see where memory goes.
std::string rounded(std::uint64_t octets) {
  constexpr View kUnits = "KMGT";
  if (octets < kKibi) return fmt::format("{} B", octets);
  auto value = static_cast<double>(octets) / static_cast<double>(kKibi);
  std::size_t unit = 0;
  while (value >= 1023.95 && unit + 1 < kUnits.size()) {
    value /= static_cast<double>(kKibi);
    ++unit;
  }
  return fmt::format("{:.1f} {}iB", value, kUnits[unit]);
}

}  // namespace

std::uint64_t MemoryLine::octets() const {
  return octets_each != 0 && count > kAll / octets_each ? kAll : count * octets_each;
}

std::uint64_t total_octets(std::span<const MemoryLine> lines) {
  std::uint64_t total = 0;
  for (const MemoryLine& line : lines) total = line.octets() > kAll - total ? kAll : total + line.octets();
  return total;
}

std::string memory_plan_text(std::span<const MemoryLine> lines, std::uint64_t ceiling) {
  std::size_t width = 12;  // "limits.memory" and "total" stand in the same column
  for (const MemoryLine& line : lines) width = std::max(width, line.what.size());
  std::string out;
  for (const MemoryLine& line : lines) {
    out += fmt::format("  {:<{}}  {:>10} x {:>10} = {:>10}  {}\n", line.what, width, line.count,
                       rounded(line.octets_each), rounded(line.octets()), line.reason);
  }
  const std::uint64_t total = total_octets(lines);
  out += fmt::format("  {:<{}}  {:>36}\n", "total", width, rounded(total));
  out += total <= ceiling
             ? fmt::format("  limits.memory is {}: {} are left\n", size_text(ceiling), rounded(ceiling - total))
             : fmt::format("  limits.memory is {}: {} are missing\n", size_text(ceiling), rounded(total - ceiling));
  return out;
}

std::optional<Problem> memory_problem(const Loaded& loaded, std::span<const MemoryLine> plan) {
  const std::uint64_t needed = total_octets(plan);
  if (needed <= loaded.config.limits.memory) return std::nullopt;
  Problem problem{loaded.file, 1, "limits.memory", fmt::format("is less than the {} of the pools", rounded(needed)),
                  fmt::format("expected at least \"{}M\", or fewer limits.sessions or cores", needed / kMebi + 1)};
  for (const Setting& setting : loaded.settings) {
    if (setting.key != problem.key || setting.line == 0) continue;
    problem.file = setting.file;
    problem.line = setting.line;
  }
  return problem;
}

}  // namespace ringpost::config
