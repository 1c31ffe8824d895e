// Metrics: the text that Prometheus reads, what cores' counts add up to, and the page that describes them.
#include <doctest/doctest.h>

#include <fstream>
#include <regex>
#include <set>
#include <sstream>

#include "ringpost/report.h"

using namespace ringpost;
using report::Crowded;
using report::Measure;
using report::Metric;
using report::Metrics;

namespace {

bool has_line(const std::string& text, const std::string& line) {
  return ("\n" + text).find("\n" + line + "\n") != std::string::npos;
}

// From the source tree's top or from anywhere below it.
std::string read_from_tree(const std::string& path) {
  std::string up;
  for (int depth = 0; depth < 6; ++depth, up += "../") {
    std::ifstream in(up + path);
    if (!in) continue;
    std::ostringstream text;
    text << in.rdbuf();
    return text.str();
  }
  return "";
}

}  // namespace

TEST_CASE("metrics: counts of two cores add up, the oldest is the oldest of both") {
  Metrics one, two;
  one.set(Metric::messages_accepted, 3);
  two.set(Metric::messages_accepted, 4);
  one.set(Metric::oldest_due, 2000);
  two.set(Metric::oldest_due, 1500);
  one.merge(two);
  CHECK(has_line(one.text("1"), "ringpost_messages_accepted_total 7"));
  CHECK(has_line(one.text("1"), "ringpost_oldest_due_seconds 2"));
}

TEST_CASE("metrics: values with a label stand under one heading") {
  Metrics metrics;
  metrics.set(Metric::recipients_delivered, 5);
  metrics.set(Metric::recipients_failed, 2);
  const std::string text = metrics.text("1.2.3");
  CHECK(has_line(text, "# TYPE ringpost_recipients_total counter"));
  CHECK(has_line(text, "ringpost_recipients_total{outcome=\"delivered\"} 5"));
  CHECK(has_line(text, "ringpost_recipients_total{outcome=\"failed\"} 2"));
  CHECK(text.find("# TYPE ringpost_recipients_total") == text.rfind("# TYPE ringpost_recipients_total"));
  CHECK(has_line(text, "ringpost_build_info{version=\"1.2.3\"} 1"));
}

TEST_CASE("metrics: a histogram's buckets are cumulative and exact at their bounds") {
  Histogram seen;
  seen.record(65'536);             // 2^16 ns: the first bound
  seen.record(65'537);             // past it
  seen.record(UINT64_C(1) << 60);  // past the last one
  Metrics metrics;
  metrics.set(Measure::accept_time, seen);
  const std::string text = metrics.text("1");
  CHECK(has_line(text, "ringpost_accept_seconds_bucket{le=\"6.5536e-05\"} 1"));
  CHECK(has_line(text, "ringpost_accept_seconds_bucket{le=\"0.000131072\"} 2"));
  CHECK(has_line(text, "ringpost_accept_seconds_bucket{le=\"17.179869184\"} 2"));
  CHECK(has_line(text, "ringpost_accept_seconds_bucket{le=\"+Inf\"} 3"));
  CHECK(has_line(text, "ringpost_accept_seconds_count 3"));
}

TEST_CASE("metrics: destinations by name are the most crowded ones, of all cores, and no name breaks the text") {
  Metrics metrics;
  metrics.crowded({{"a.test", 5, 1}, {"b.test", 7, 0}}, 2);
  metrics.crowded({{"a.test", 4, 2}, {"c\"\\\n.test", 8, 0}}, 2);
  REQUIRE(metrics.crowded().size() == 2);
  const std::string text = metrics.text("1");
  CHECK(has_line(text, "ringpost_destination_waiting{destination=\"a.test\"} 9"));
  CHECK(has_line(text, "ringpost_destination_connections{destination=\"a.test\"} 3"));
  CHECK(has_line(text, "ringpost_destination_waiting{destination=\"c\\\"\\\\?.test\"} 8"));
  CHECK(text.find("b.test") == std::string::npos);
}

TEST_CASE("metrics: docs/metrics.md is what the table says") {
  const bool same = read_from_tree("docs/metrics.md") == report::metrics_page();
  CHECK_MESSAGE(same, "write it anew: ringpost metrics-reference > docs/metrics.md");
}

TEST_CASE("metrics: dashboard and alerts ask for nothing that is not served") {
  Metrics metrics;
  metrics.crowded({{"a.test", 1, 1}}, 1);
  const std::string text = metrics.text("1");
  const std::regex name("ringpost_[a-z0-9_]+");
  for (const char* path : {"docs/grafana-dashboard.json", "docs/alerts.yml"}) {
    const std::string page = read_from_tree(path);
    CAPTURE(path);
    REQUIRE_FALSE(page.empty());
    std::set<std::string> asked;
    for (std::sregex_iterator at(page.begin(), page.end(), name), end; at != end; ++at) asked.insert(at->str());
    CHECK(asked.size() > 5);
    for (const std::string& one : asked) {
      CAPTURE(one);
      const auto stands = [&](const char* behind) { return text.find("\n" + one + behind) != std::string::npos; };
      const bool served = stands(" ") || stands("{") || stands("_count ");
      CHECK(served);
    }
  }
}
