// What the tools share: hashes, ledger lines, amounts, header words.
#include <doctest/doctest.h>
#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <nlohmann/json.hpp>
#include <string>

#include "tools/common/amounts.h"
#include "tools/common/header.h"
#include "tools/common/ledger.h"
#include "tools/common/sha256.h"

namespace ringpost::tools {

TEST_CASE("SHA-256 of the examples of FIPS 180-4, by instructions and without") {
  for (const bool by_instructions : {true, false}) {
    const auto hash = [by_instructions](View text) {
      return std::string(view_of(Sha256::hex_of(text, by_instructions)));
    };
    CHECK(hash("") == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    CHECK(hash("abc") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    CHECK(hash("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq") ==
          "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
    CHECK(hash(std::string(1'000'000, 'a')) == "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
  }
}

TEST_CASE("SHA-256 does not depend on how the octets were cut") {
  std::string text(777, '\0');
  for (std::size_t i = 0; i < text.size(); ++i) text[i] = static_cast<char>(i * 37);
  const auto whole = Sha256::hex_of(text, false);
  for (const std::size_t step : {1UL, 3UL, 63UL, 64UL, 65UL, 200UL}) {
    CAPTURE(step);
    Sha256 hash;
    for (std::size_t at = 0; at < text.size(); at += step) hash.take(View(text).substr(at, step));
    CHECK(hash.hex() == whole);
  }
}

TEST_CASE("a ledger line is one line of JSON, whatever a peer put into it") {
  Ledger ledger;
  CHECK_FALSE(ledger.on());
  ledger.begin();
  ledger.text("id", "quote \" slash \\ line\r\n tab\t nul");
  ledger.text("latin", "caf\xe9");
  ledger.text("utf8", "caf\xc3\xa9");
  ledger.number("bytes", UINT64_MAX);
  ledger.truth("tls", false);
  ledger.open_list("to");
  ledger.item("a@b.example");
  ledger.item("\x7f\x01");
  ledger.close_list();
  ledger.real("ms", 1.5);
  ledger.end();
  const std::string& line = ledger.unwritten();
  CHECK(line.find('\n') == line.size() - 1);
  const auto read = nlohmann::json::parse(line);
  CHECK(read["id"] == "quote \" slash \\ line\r\n tab\t nul");
  CHECK(read["latin"] == "caf\xc3\xa9");
  CHECK(read["utf8"] == "caf\xc3\xa9");
  CHECK(read["bytes"] == UINT64_MAX);
  CHECK(read["to"][1] == "\x7f\x01");
  CHECK(read["ms"] == 1.5);
}

TEST_CASE("a ledger appends to what is there and drops what it wrote") {
  std::array<char, 32> path{"/tmp/ledger_test_XXXXXX"};
  const int fd = ::mkstemp(path.data());
  REQUIRE(fd >= 0);
  REQUIRE(::write(fd, "{}\n", 3) == 3);
  ::close(fd);
  Ledger ledger;
  REQUIRE(ledger.open(path.data()).has_value());
  ledger.begin();
  ledger.text("a", "b");
  ledger.end();
  ledger.flush();
  CHECK(ledger.unwritten().empty());
  ledger.flush();
  std::ifstream in(path.data());
  CHECK(std::string(std::istreambuf_iterator<char>(in), {}) == "{}\n{\"a\":\"b\"}\n");
  ::unlink(path.data());
  CHECK_FALSE(Ledger().open("/nonexistent/ledger").has_value());
}

TEST_CASE("sizes, durations and probabilities as people write them, and nothing else") {
  CHECK(parse_size("4096") == 4096);
  CHECK(parse_size("4K") == 4096);
  CHECK(parse_size("2m") == 2 << 20);
  CHECK(parse_size("1G") == 1ULL << 30);
  for (const View bad : {"", "K", "-1", "4KB", "4 K", "0x10", "99999999999999999999", "99999999999999999G"})
    CHECK_FALSE(parse_size(bad));
  CHECK(parse_duration("250ms") == Duration{250ms});
  CHECK(parse_duration("1.5s") == Duration{1500ms});
  CHECK(parse_duration("10") == Duration{10s});
  CHECK(parse_duration("2m") == Duration{120s});
  CHECK(parse_duration("1h") == Duration{1h});
  CHECK(parse_duration("7us") == Duration{7us});
  for (const View bad : {"", "s", "-1s", "1d", "1e300h", "nan", "1 s"}) CHECK_FALSE(parse_duration(bad));
  CHECK(parse_probability("0.25") == 0.25);
  CHECK(parse_probability("25%") == 0.25);
  CHECK(parse_probability("1") == 1.0);
  for (const View bad : {"", "1.1", "101%", "-0.1", "%", "half"}) CHECK_FALSE(parse_probability(bad));
  CHECK(split("a:b:", ':') == std::vector<View>{"a", "b"});
  CHECK(split("", ':').empty());
}

TEST_CASE("the header's end and its fields are found") {
  CHECK(body_start("A: b\r\n\r\nbody") == 8);
  CHECK(body_start("A: b\n\nbody") == 6);
  CHECK(body_start("\r\nbody") == 2);
  CHECK(body_start("A: b\r\n\r") == View::npos);
  CHECK(body_start("A: b\r\n\r\n", 7) == 8);
  const View header = "Subject: x\r\nmessage-id:  <1@x>  \r\nMessage-ID: <2@x>\r\n\r\n";
  CHECK(header_value(header, "Message-ID") == "<1@x>");
  CHECK(header_value(header, "Message") == "");
  CHECK(header_of("A: b\r\n\r\nbody") == "A: b\r\n\r\n");
  CHECK(header_of("A: b") == "A: b");
}

}  // namespace ringpost::tools
