// The table of metrics: each described once. The text for Prometheus and docs/metrics.md are written from it. Private
// to report.
#pragma once

#include <cstdint>
#include <span>
#include <variant>

#include "ringpost/report.h"

namespace ringpost::report {

enum class MetricKind : std::uint8_t { counter, gauge, histogram };

// How a value is recorded; Prometheus gets seconds, bytes or a plain number.
enum class MetricUnit : std::uint8_t { number, octets, nanoseconds, milliseconds };

struct MetricFacts {
  std::variant<Metric, Measure> what;
  View name;   // rows with the same name stand together and differ in their label
  View label;  // key="value", or none
  MetricKind kind = MetricKind::counter;
  MetricUnit unit = MetricUnit::number;
  View help;         // of a name's first row: one sentence
  unsigned low = 0;  // of a histogram: its bounds are the powers of two from 2^low to 2^high of the recorded unit
  unsigned high = 0;
};

struct MetricSection {
  View title;
  std::span<const MetricFacts> rows;
};
std::span<const MetricSection> metric_sections();

// Beside the table, whose labels are not fixed.
inline constexpr View kBuildInfo = "ringpost_build_info";
inline constexpr View kCrowdedWaiting = "ringpost_destination_waiting";
inline constexpr View kCrowdedConnections = "ringpost_destination_connections";

}  // namespace ringpost::report
