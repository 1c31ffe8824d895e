// The source without a network: its mixes, its messages, its work.
#include <doctest/doctest.h>

#include <map>
#include <string>

#include "ringpost/smtp.h"
#include "tools/common/header.h"
#include "tools/source/mix.h"
#include "tools/source/plan.h"
#include "tools/source/work.h"

namespace ringpost::source {
namespace {

Plan plan_of(const char* sizes, PlanOptions options = {}, std::vector<FileMessage> files = {}) {
  if (options.run.empty()) options.run = "run";
  return Plan(std::move(options), *SizeMix::parse(sizes), *DomainMix::parse("3"), std::move(files), 5);
}

std::string whole(const Content& content) { return content.head + std::string(content.octets); }

// What a server has after DATA: dots removed.
std::string by_data(const Content& content) {
  const std::string sent = content.head + std::string(content.data) + std::string(content.data_end);
  smtp::BodyScanner scanner;
  std::string clean;
  View left = sent;
  while (!left.empty()) {
    const auto run = scanner.next(left);
    clean += run.clean;
    left.remove_prefix(run.consumed);
    if (run.ended) CHECK(left.empty());
  }
  return clean;
}

}  // namespace

TEST_CASE("a made-up message has exactly the size asked for, whole lines, its id, and is the same each time") {
  for (std::uint64_t size = 400; size < 800; ++size) {
    const Plan plan = plan_of(std::to_string(size).c_str());
    Content content;
    plan.make(3, content);
    const std::string text = whole(content);
    REQUIRE(text.size() == size);
    REQUIRE(by_data(content) == text);
    smtp::BodyCounter counter;
    counter.take(text);
    REQUIRE_FALSE(counter.facts().bare());
    REQUIRE(counter.facts().ends_with_crlf);
    REQUIRE(counter.facts().dot_lines == 0);
    REQUIRE(tools::header_value(tools::header_of(text), "X-Ringpost-Source-Id") == "run-3");
    Content again;
    plan.make(3, again);
    REQUIRE(whole(again) == text);
  }
}

TEST_CASE("a size below the header's gives the header alone") {
  Content content;
  plan_of("1").make(0, content);
  CHECK(content.octets.empty());
  CHECK(content.head.ends_with("\r\n\r\n"));
}

TEST_CASE("a mix of sizes keeps its weights") {
  const auto mix = SizeMix::parse("1K:3,16K,1M:0x");
  CHECK_FALSE(mix.has_value());
  const auto good = SizeMix::parse("1K:3,16K");
  REQUIRE(good.has_value());
  CHECK(good->largest() == 16384);
  Random random(1);
  std::map<std::uint64_t, int> seen;
  for (int i = 0; i < 4000; ++i) ++seen[good->draw(random)];
  CHECK(seen.size() == 2);
  CHECK(seen[1024] > 2800);
  CHECK(seen[1024] < 3200);
  for (const char* bad : {"", "x", "1K:0", "1K:", ":3"}) CHECK_FALSE(SizeMix::parse(bad).has_value());
}

TEST_CASE("domains come by number or by name and weight, in turn") {
  const auto counted = DomainMix::parse("2");
  REQUIRE(counted.has_value());
  CHECK(counted->of(0) == "d0.example");
  CHECK(counted->of(3) == "d1.example");
  const auto named = DomainMix::parse("a.example=2,[192.0.2.1]");
  REQUIRE(named.has_value());
  CHECK(named->of(1) == "a.example");
  CHECK(named->of(2) == "[192.0.2.1]");
  CHECK(named->of(3) == "a.example");
  for (const char* bad : {"", "0", "a b", "a.example=0", "a.example=x", "-x.example"}) {
    CAPTURE(bad);
    CHECK_FALSE(DomainMix::parse(bad).has_value());
  }
}

TEST_CASE("recipients are drawn in turn, or are those named") {
  PlanOptions options;
  options.recipients = 2;
  const Plan drawn = plan_of("1K", options);
  std::string address;
  drawn.append_recipient(4, 1, address);
  CHECK(address == "user4.1@d0.example");
  options.to = {"x@y.example"};
  const Plan named = plan_of("1K", options);
  CHECK(named.recipients() == 1);
  CHECK_FALSE(named.needs_utf8());
  options.to = {"x@\xc3\xa9.example"};
  CHECK(plan_of("1K", options).needs_utf8());
}

TEST_CASE("a file's octets arrive as they are by DATA and by BDAT") {
  for (const std::string text : {"A: b\r\n\r\n.\r\n..\r\n.x\r\n", "\r\n", ".\r\n", "A: b\r\n\r\nbare\nlf and \r cr\r\n",
                                 "A: b\r\n\r\n\xff\r\n"}) {
    CAPTURE(text);
    const Plan plan = plan_of("1K", {}, {make_message("file", text, false)});
    Content content;
    plan.make(0, content);
    CHECK(whole(content) == text);
    CHECK(by_data(content) == text);
    CHECK_FALSE(content.data_adds_crlf);
    CHECK(content.eight_bit == text.contains('\xff'));
  }
}

TEST_CASE("a file without a line end at its end gains one by DATA, and the hash says so") {
  const Plan plan = plan_of("1K", {}, {make_message("file", "Message-ID: <1@x>\r\n\r\nno end", false)});
  Content content;
  plan.make(0, content);
  CHECK(content.data_adds_crlf);
  CHECK(by_data(content) == whole(content) + "\r\n");
  CHECK(plan.hash(content, true) == tools::Sha256::hex_of(by_data(content), false));
  CHECK(plan.hash(content, false) == tools::Sha256::hex_of(whole(content), false));
  CHECK(plan.ledger_id(0, content) == "<1@x>");
}

TEST_CASE("line ends are mended and an id is put before only when asked") {
  PlanOptions options;
  options.add_id = true;
  const Plan plan = plan_of("1K", options, {make_message("file", "A: b\n\nx\r\ny\n", true)});
  Content content;
  plan.make(7, content);
  CHECK(whole(content) == "X-Ringpost-Source-Id: run-7\r\nA: b\r\n\r\nx\r\ny\r\n");
  CHECK(plan.ledger_id(7, content) == "run-7");
}

TEST_CASE("work is handed out once, within the total, the time and the rate") {
  const Instant start{1'000'000'000};
  Work three({.messages = 3});
  three.begin(start);
  for (std::uint64_t i = 0; i < 3; ++i) CHECK(three.take(start).number == i);
  CHECK(three.take(start).kind == Work::Next::Kind::none);
  three.give_back(1, start);  // not wanted again
  CHECK(three.take(start + 10s).kind == Work::Next::Kind::none);

  Work timed({.longest = 2s});
  timed.begin(start);
  CHECK(timed.take(start + 1s).kind == Work::Next::Kind::message);
  CHECK(timed.take(start + 2s).kind == Work::Next::Kind::none);

  Work paced({.messages = 100, .rate = 10});
  paced.begin(start);
  CHECK(paced.take(start).kind == Work::Next::Kind::message);
  const auto wait = paced.take(start);
  REQUIRE(wait.kind == Work::Next::Kind::wait);
  CHECK(wait.when == start + 100ms);
  CHECK(paced.take(wait.when).kind == Work::Next::Kind::message);
  int burst = 0;
  while (paced.take(start + 60s).kind == Work::Next::Kind::message) ++burst;
  CHECK(burst <= 11);  // a second's worth
}

TEST_CASE("what was not acknowledged is handed out again, after a pause, until a signal") {
  const Instant start{1'000'000'000};
  Work work({.messages = 2, .retry = true});
  work.begin(start);
  CHECK(work.take(start).number == 0);
  work.give_back(0, start);
  CHECK(work.take(start).number == 1);
  CHECK(work.left(start));
  const auto wait = work.take(start);
  REQUIRE(wait.kind == Work::Next::Kind::wait);
  CHECK(work.take(wait.when).number == 0);
  CHECK_FALSE(work.left(wait.when));
  work.give_back(0, start);
  work.stop();
  CHECK(work.take(start + 10s).kind == Work::Next::Kind::none);
}

}  // namespace ringpost::source
