// Enhanced codes and xtext.
#include <doctest/doctest.h>

#include <array>
#include <string>

#include "ringpost/smtp.h"

namespace ringpost::smtp {

namespace {

std::string written(EnhancedCode code) {
  std::array<char, EnhancedCode::kTextLength> room;
  return std::string(code.write(room));
}

std::string encoded(std::string_view text) {
  std::array<char, 300> room;
  return {room.data(), xtext_encode(text, room).value()};
}

std::string decoded(std::string_view text) {
  std::array<char, 300> room;
  return {room.data(), xtext_decode(text, room).value()};
}

}  // namespace

TEST_CASE("enhanced codes are read and written alike") {
  for (const std::string_view text : {"2.0.0", "5.1.1", "4.7.25", "5.123.456"})
    CHECK(written(EnhancedCode::parse(text)) == text);
  CHECK(EnhancedCode::parse("5.7.26") == EnhancedCode{5, 7, 26});
  CHECK(written({}).empty());
}

TEST_CASE("what only looks like an enhanced code is none") {
  for (const std::string_view text : {"", "5", "5.", "5.1", "5.1.", "3.1.1", "5.1.1.1", "5.1.1 ", "5.1000.1", "5.1.x",
                                      "55.1.1", ".5.1.1", "1.2.3.4", "-5.1.1"}) {
    CAPTURE(text);
    CHECK_FALSE(EnhancedCode::parse(text).given());
  }
}

TEST_CASE("xtext: encoded and decoded, every octet") {
  CHECK(encoded("a+b=c d") == "a+2Bb+3Dc+20d");
  CHECK(decoded("a+2Bb+3Dc+20d") == "a+b=c d");
  for (int c = 0; c < 256; ++c) {
    const std::string octet(1, static_cast<char>(c));
    CHECK(xtext_valid(encoded(octet)));
    CHECK(decoded(encoded(octet)) == octet);
  }
}

TEST_CASE("xtext: malformed texts and rooms too small are refused") {
  std::array<char, 300> room;
  for (const std::string_view text : {"a b", "=", "+", "+2", "+2b", "+G0", "a\x7F", "\xC3\xA9", "+ 1"}) {
    CAPTURE(text);
    CHECK_FALSE(xtext_valid(text));
    CHECK_FALSE(xtext_decode(text, room));
  }
  CHECK_FALSE(xtext_decode("abc", Room{room}.first(2)));
  CHECK_FALSE(xtext_encode("a=", Room{room}.first(3)));
  CHECK(xtext_encode("a=", Room{room}.first(4)) == 4);
  CHECK(xtext_valid(""));
}

}  // namespace ringpost::smtp
