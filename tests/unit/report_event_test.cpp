// Events: what one line looks like, and that no peer's octet can break it.
#include <doctest/doctest.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <string>

#include "ringpost/base/random.h"
#include "ringpost/report.h"

using namespace ringpost;
using report::Event;
using report::EventType;
using report::JsonLine;

namespace {

constexpr WallTime kAt{1'764'064'333'007};  // 2025-11-25T09:52:13.007Z

nlohmann::json line_of(const Event& event) {
  std::string out;
  report::write_event(out, event, kAt, CoreId{1});
  REQUIRE(out.back() == '\n');
  REQUIRE(out.find('\n') == out.size() - 1);
  REQUIRE(out.size() <= report::kEventLine);
  REQUIRE(std::ranges::all_of(out, [](char c) { return c == '\n' || (c >= ' ' && c < 0x7F); }));
  return nlohmann::json::parse(out);
}

}  // namespace

TEST_CASE("event: a delivery has all its keys, with their values") {
  const auto json = line_of({.type = EventType::delivery,
                             .id = SpoolId::make(1, 77),
                             .from = "a@example.org",
                             .has_from = true,
                             .to = "b@example.net",
                             .peer = SocketAddress::v4(192, 0, 2, 1, 25),
                             .code = 250,
                             .enhanced = {2, 0, 0},
                             .text = "Ok: queued",
                             .attempt = 3,
                             .source = SocketAddress::v4(192, 0, 2, 9, 4000),
                             .site = "192.0.2.1:25",
                             .size = 4096,
                             .took = 1250ms,
                             .queued = 61s});
  CHECK(json["time"] == "2025-11-25T09:52:13.007Z");
  CHECK(json["type"] == "delivery");
  CHECK(json["id"] == SpoolId::make(1, 77).text());
  CHECK(json["from"] == "a@example.org");
  CHECK(json["to"] == "b@example.net");
  CHECK(json["peer"] == "192.0.2.1:25");
  CHECK(json["code"] == 250);
  CHECK(json["enhanced"] == "2.0.0");
  CHECK(json["text"] == "Ok: queued");
  CHECK(json["attempt"] == 3);
  CHECK(json["source"] == "192.0.2.9:4000");
  CHECK(json["site"] == "192.0.2.1:25");
  CHECK(json["size"] == 4096);
  CHECK(json["took"] == 1.25);
  CHECK(json["queued"] == 61.0);
  CHECK(json["core"] == 1);
}

TEST_CASE("event: the null reverse-path is told, an unknown one is left out, and so is everything absent") {
  CHECK(line_of({.type = EventType::reception, .has_from = true})["from"] == "");
  const auto json = line_of({.type = EventType::trouble, .text = "x"});
  CHECK_FALSE(json.contains("from"));
  CHECK(json.size() == 4);
}

TEST_CASE("event: text of peers comes back as it was, whatever it holds") {
  const std::string text = "a\"b\\c\r\n\t\x7f \xC3\xA9 \xF0\x9F\x93\xAC \xFF\xC3";
  const auto json = line_of({.type = EventType::failure, .text = text});
  CHECK(json["text"].get<std::string>() == "a\"b\\c\r\n\t\x7f \xC3\xA9 \xF0\x9F\x93\xAC \xC3\xBF\xC3\x83");
}

TEST_CASE("json line: whichever octet stands wherever among plain ones, it is escaped and no other is") {
  for (unsigned octet = 0; octet < 128; ++octet) {
    for (std::size_t place = 0; place < 20; ++place) {
      std::string text(20, 'x');
      text[place] = static_cast<char>(octet);
      std::string out;
      JsonLine(out).text("k", text).end();
      REQUIRE(std::ranges::all_of(out, [](char c) { return c >= ' ' && c < 0x7F; }));
      REQUIRE(nlohmann::json::parse(out)["k"] == text);
      const bool plain = octet >= ' ' && octet < 0x7F && octet != '"' && octet != '\\';
      REQUIRE((out.size() == 28) == plain);
    }
  }
}

TEST_CASE("event: random octets never break the line or its bound") {
  Random random(3);
  for (int i = 0; i < 2000; ++i) {
    std::string octets[4];
    for (std::string& text : octets)
      for (std::uint64_t n = random.below(1500); n > 0; --n) text.push_back(static_cast<char>(random.below(256)));
    line_of({.type = EventType::refusal, .from = octets[0], .to = octets[1], .text = octets[2], .site = octets[3]});
  }
}

TEST_CASE("json line: numbers, flags and seconds keep their kind") {
  std::string out;
  JsonLine json(out);
  json.number("big", UINT64_MAX).number("low", INT64_MIN).flag("yes", true).seconds("s", 3ms).raw("r", "[1]").end();
  const auto read = nlohmann::json::parse(out);
  CHECK(read["big"] == UINT64_MAX);
  CHECK(read["low"] == INT64_MIN);
  CHECK(read["yes"] == true);
  CHECK(read["s"] == 0.003);
  CHECK(read["r"][0] == 1);
}
