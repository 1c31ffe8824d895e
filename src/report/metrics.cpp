// Metrics: merging what the cores counted, and the text that Prometheus reads (exposition format 0.0.4).
#include <fmt/format.h>

#include <algorithm>
#include <iterator>

#include "report/metric_table.h"

namespace ringpost::report {
namespace {

View kind_word(MetricKind kind) {
  switch (kind) {
    case MetricKind::counter:
      return "counter";
    case MetricKind::gauge:
      return "gauge";
    case MetricKind::histogram:
      return "histogram";
  }
  return "untyped";
}

// What Prometheus's unit makes of a recorded number. Sums and counts below 2^53 stay exact.
std::string value_text(std::uint64_t value, MetricUnit unit) {
  switch (unit) {
    case MetricUnit::number:
    case MetricUnit::octets:
      return fmt::format("{}", value);
    case MetricUnit::nanoseconds:
      return fmt::format("{}", static_cast<double>(value) / 1e9);
    case MetricUnit::milliseconds:
      return fmt::format("{}", static_cast<double>(value) / 1e3);
  }
  return {};
}

// A label's value: backslash, quote and line feed are escaped; what is no printable ASCII cannot be part of a name of
// ours and stands as a question mark.
std::string label_text(View value) {
  std::string out;
  for (const char c : value) {
    if (c == '\\' || c == '"') out.push_back('\\');
    out.push_back(c >= ' ' && c < 0x7F ? c : '?');
  }
  return out;
}

using Out = std::back_insert_iterator<std::string>;

void head(Out out, View name, View help, View kind) {
  fmt::format_to(out, "# HELP {} {}\n# TYPE {} {}\n", name, help, name, kind);
}

void histogram(Out out, const MetricFacts& facts, const Histogram& seen) {
  for (unsigned power = facts.low; power <= facts.high; ++power) {
    const std::uint64_t bound = std::uint64_t{1} << power;
    fmt::format_to(out, "{}_bucket{{le=\"{}\"}} {}\n", facts.name, value_text(bound, facts.unit), seen.at_most(bound));
  }
  fmt::format_to(out, "{}_bucket{{le=\"+Inf\"}} {}\n", facts.name, seen.count());
  fmt::format_to(out, "{}_sum {}\n", facts.name, value_text(seen.total(), facts.unit));
  fmt::format_to(out, "{}_count {}\n", facts.name, seen.count());
}

void row(Out out, const MetricFacts& facts, const Metrics& metrics) {
  if (!facts.help.empty()) head(out, facts.name, facts.help, kind_word(facts.kind));
  if (const Measure* measure = std::get_if<Measure>(&facts.what)) return histogram(out, facts, metrics.get(*measure));
  const std::uint64_t value = metrics.get(std::get<Metric>(facts.what));
  const std::string label = facts.label.empty() ? "" : fmt::format("{{{}}}", facts.label);
  fmt::format_to(out, "{}{} {}\n", facts.name, label, value_text(value, facts.unit));
}

void crowded_rows(Out out, const std::vector<Crowded>& all) {
  if (all.empty()) return;
  head(out, kCrowdedWaiting, "Entries of the queue, of the destinations that have most (metrics.destinations).",
       "gauge");
  for (const Crowded& one : all)
    fmt::format_to(out, "{}{{destination=\"{}\"}} {}\n", kCrowdedWaiting, label_text(one.name), one.waiting);
  head(out, kCrowdedConnections, "Connections to them.", "gauge");
  for (const Crowded& one : all)
    fmt::format_to(out, "{}{{destination=\"{}\"}} {}\n", kCrowdedConnections, label_text(one.name), one.connections);
}

constexpr View kPageHead =
    R"(<!-- Written by `ringpost metrics-reference` from the table in src/report/metric_table.cpp. Edit that, not this. -->

# Metrics

With `metrics.address` set, the relay answers `GET /metrics` in the text format of Prometheus and `GET /healthz`: 200 when
every core turns and the spool takes mail, else 503 with a line that says what does not.

    scrape_configs:
      - job_name: ringpost
        static_configs:
          - targets: ["127.0.0.1:9025"]

Each core counts for itself and costs no lock; a scrape asks all of them and adds up. All counts begin with the process.
Times and sizes are measured into steps of a sixteenth of the value; the buckets told are the powers of two among them
(of a nanosecond, a millisecond, an octet), so that they are exact. The number of series is fixed: destinations are told
in classes, and by name only the `metrics.destinations` (10) with the most mail.

[grafana-dashboard.json](grafana-dashboard.json) shows them; [alerts.yml](alerts.yml) has the rules that should wake
somebody, each with what to do.
)";

std::string bounds_text(const MetricFacts& facts) {
  const auto bound = [&](unsigned power) { return value_text(std::uint64_t{1} << power, facts.unit); };
  return fmt::format("Buckets by powers of two from {} to {}.", bound(facts.low), bound(facts.high));
}

View label_name(View label) { return label.substr(0, label.find('=')); }

std::string page_row(const MetricFacts& facts) {
  std::string shown{facts.name};
  if (!facts.label.empty()) shown.append("{").append(label_name(facts.label)).append("}");
  std::string help{facts.help};
  if (facts.kind == MetricKind::histogram) help.append(" ").append(bounds_text(facts));
  return fmt::format("| `{}` | {} | {} |\n", shown, kind_word(facts.kind), help);
}

}  // namespace

void Metrics::crowded(std::vector<Crowded> found, std::size_t most) {
  std::ranges::move(found, std::back_inserter(crowded_));
  std::ranges::sort(crowded_, {}, &Crowded::name);
  std::vector<Crowded> sums;
  for (Crowded& one : crowded_) {
    if (sums.empty() || sums.back().name != one.name) {
      sums.push_back(std::move(one));
      continue;
    }
    sums.back().waiting += one.waiting;
    sums.back().connections += one.connections;
  }
  std::ranges::sort(sums, [](const Crowded& a, const Crowded& b) {
    return a.waiting != b.waiting ? a.waiting > b.waiting : a.name < b.name;
  });
  if (sums.size() > most) sums.resize(most);
  crowded_ = std::move(sums);
}

void Metrics::merge(const Metrics& other) {
  constexpr auto kOldest = static_cast<std::size_t>(Metric::oldest_due);
  const std::uint64_t oldest = std::max(values_[kOldest], other.values_[kOldest]);
  for (std::size_t i = 0; i < kMetrics; ++i) values_[i] += other.values_[i];
  values_[kOldest] = oldest;
  for (std::size_t i = 0; i < kMeasures; ++i) seen_[i].merge(other.seen_[i]);
}

std::string Metrics::text(View version) const {
  std::string text;
  const Out out{text};
  head(out, kBuildInfo, "The program; always 1.", "gauge");
  fmt::format_to(out, "{}{{version=\"{}\"}} 1\n", kBuildInfo, version);
  for (const MetricSection& section : metric_sections())
    for (const MetricFacts& facts : section.rows) row(out, facts, *this);
  crowded_rows(out, crowded_);
  return text;
}

std::string metrics_page() {
  std::string page{kPageHead};
  for (const MetricSection& section : metric_sections()) {
    page += fmt::format("\n## {}\n\n| name | type | meaning |\n|---|---|---|\n", section.title);
    for (const MetricFacts& facts : section.rows)
      if (!facts.help.empty()) page += page_row(facts);
    if (section.title == "The queue")
      page += fmt::format(
          "| `{}{{destination}}` | gauge | Entries of the destinations that have most. |\n"
          "| `{}{{destination}}` | gauge | Connections to them. |\n",
          kCrowdedWaiting, kCrowdedConnections);
    if (section.title == "The process") page += fmt::format("| `{}{{version}}` | gauge | Always 1. |\n", kBuildInfo);
  }
  return page;
}

}  // namespace ringpost::report
