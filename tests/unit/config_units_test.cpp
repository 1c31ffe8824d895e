// Durations and sizes as files write them: what is taken, what is refused, and that writing reads back.
#include <doctest/doctest.h>

#include <optional>

#include "ringpost/config.h"

namespace ringpost::config {
namespace {

Checked with(const std::string& line) {
  return parse(line + "\n[[listener]]\naddress = \"127.0.0.1:2525\"\n", "f",
               {.hostname = "box", .home = "", .state = ""});
}

std::optional<Duration> duration_of(const std::string& text) {
  const Checked checked = with("drain = '" + text + "'");
  return checked ? std::optional(checked->config.drain) : std::nullopt;
}

std::optional<std::uint64_t> size_of(const std::string& text) {
  const Checked checked = with("spool.reserve = '" + text + "'");
  return checked ? std::optional(checked->config.spool.reserve) : std::nullopt;
}

}  // namespace

TEST_CASE("durations are read in every unit and added up") {
  CHECK(duration_of("0s") == 0s);
  CHECK(duration_of("250ms") == 250ms);
  CHECK(duration_of("45s") == 45s);
  CHECK(duration_of("5m") == 5min);
  CHECK(duration_of("4h") == 4h);
  CHECK(duration_of("1d") == 24h);
  CHECK(duration_of("1h30m") == 90min);
  CHECK(duration_of("1m500ms") == 60s + 500ms);
}

TEST_CASE("what is no duration is refused") {
  for (const char* bad : {"", "5", "m", "5 m", "5M", "-5m", "1.5h", "5m3", "5min", "1y", "99999999999999999999s",
                          "9999999999d", "9223372036s9223372036s", "5m "}) {
    CAPTURE(bad);
    CHECK_FALSE(duration_of(bad));
  }
}

TEST_CASE("sizes are read as octets and in powers of 1024") {
  CHECK(size_of("0") == 0);
  CHECK(size_of("1000") == 1000);
  CHECK(size_of("64K") == 65536);
  CHECK(size_of("64k") == 65536);
  CHECK(size_of("50M") == 50ULL << 20);
  CHECK(size_of("2G") == 2ULL << 30);
  CHECK(size_of("1T") == 1ULL << 40);
  CHECK(with("spool.reserve = 4096")->config.spool.reserve == 4096);
}

TEST_CASE("what is no size is refused") {
  for (const char* bad : {"", "M", "-1", "1.5G", "1 M", "1MB", "1P", "18446744073709551616", "16777217T", "2T"}) {
    CAPTURE(bad);
    CHECK_FALSE(size_of(bad));
  }
}

TEST_CASE("what is written reads back as the same value") {
  for (const Duration duration : {Duration{0s}, Duration{1ms}, Duration{999ms}, Duration{90min}, Duration{24h},
                                  Duration{23h + 1min + 1s + 1ms}}) {
    CAPTURE(duration_text(duration));
    CHECK(duration_of(duration_text(duration)) == duration);
  }
  for (const std::uint64_t size : {0ULL, 1ULL, 1023ULL, 1024ULL, 1536ULL, 50ULL << 20, 3ULL << 30}) {
    CAPTURE(size);
    CHECK(size_of(size_text(size)) == size);
  }
  CHECK(duration_text(90min) == "1h30m");
  CHECK(size_text(1536) == "1536");
  CHECK(size_text(64 << 20) == "64M");
}

}  // namespace ringpost::config
