// Random numbers: replayable and fair.
#include "ringpost/base/random.h"

#include <doctest/doctest.h>

#include <array>

using ringpost::Random;

TEST_CASE("one seed gives one sequence, another seed another") {
  Random one(42);
  Random same(42);
  Random other(43);
  bool differs = false;
  for (int i = 0; i < 100; ++i) {
    const auto drawn = one.next();
    CHECK(drawn == same.next());
    differs = differs || drawn != other.next();
  }
  CHECK(differs);
}

TEST_CASE("below stays below and reaches every value about equally often") {
  Random random(7);
  std::array<int, 10> counts{};
  for (int i = 0; i < 100'000; ++i) {
    const auto drawn = random.below(10);
    REQUIRE(drawn < 10);
    ++counts[drawn];
  }
  for (const int count : counts) {
    CHECK(count > 9'500);
    CHECK(count < 10'500);
  }
  CHECK(random.below(0) == 0);
  CHECK(random.below(1) == 0);
}

TEST_CASE("a chance of none never comes, a chance of all always") {
  Random random(9);
  for (int i = 0; i < 1000; ++i) {
    CHECK_FALSE(random.chance(0, 10));
    CHECK(random.chance(10, 10));
  }
}

TEST_CASE("the system gives different seeds") { CHECK(ringpost::seed_from_system() != ringpost::seed_from_system()); }
