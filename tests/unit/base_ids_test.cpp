// Spool ids: what a person reads in a log must find the same message again.
#include "ringpost/base/ids.h"

#include <doctest/doctest.h>

using ringpost::SpoolId;

TEST_CASE("a spool id's text is 13 letters and comes back as the same id") {
  for (const std::uint64_t value : {std::uint64_t{0}, std::uint64_t{1}, std::uint64_t{31}, std::uint64_t{32},
                                    std::uint64_t{0x0123456789ABCDEF}, ~std::uint64_t{0}}) {
    const SpoolId id{value};
    const std::string text = id.text();
    CHECK(text.size() == SpoolId::kTextLength);
    CHECK(text.find_first_not_of("0123456789ABCDEFGHJKMNPQRSTVWXYZ") == std::string::npos);
    REQUIRE(SpoolId::parse(text).has_value());
    CHECK(SpoolId::parse(text)->value == value);
  }
}

TEST_CASE("texts sort as the ids do") {
  CHECK(SpoolId::make(0, 31).text() < SpoolId::make(0, 32).text());
  CHECK(SpoolId::make(0, 999).text() < SpoolId::make(1, 0).text());
}

TEST_CASE("an id keeps the log and the count it was made from") {
  const SpoolId id = SpoolId::make(0xBEEF, 0x0000123456789ABC);
  CHECK(id.log() == 0xBEEF);
  CHECK(id.count() == 0x0000123456789ABC);
  CHECK(SpoolId::make(1, ~std::uint64_t{0}).log() == 1);
}

TEST_CASE("lower case is taken") { CHECK(SpoolId::parse("0000000000abc") == SpoolId::parse("0000000000ABC")); }

TEST_CASE("what text() cannot have written is no id") {
  CHECK_FALSE(SpoolId::parse(""));
  CHECK_FALSE(SpoolId::parse("000000000000"));
  CHECK_FALSE(SpoolId::parse("00000000000000"));
  CHECK_FALSE(SpoolId::parse("000000000000I"));
  CHECK_FALSE(SpoolId::parse("00000000000-0"));
  CHECK_FALSE(SpoolId::parse("G000000000000"));
  CHECK_FALSE(
      SpoolId::parse("\xFF"
                     "000000000000"));
}
