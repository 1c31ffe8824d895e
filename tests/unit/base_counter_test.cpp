// Counters and histograms.
#include "ringpost/base/counter.h"

#include <doctest/doctest.h>

#include <cstdint>

using ringpost::Counter;
using ringpost::Histogram;

TEST_CASE("a counter adds, takes away and is set") {
  Counter counter;
  counter.add();
  counter.add(9);
  CHECK(counter.get() == 10);
  counter.sub(3);
  CHECK(counter.get() == 7);
  counter.set(1);
  CHECK(counter.get() == 1);
}

TEST_CASE("an empty histogram answers 0") {
  const Histogram histogram;
  CHECK(histogram.count() == 0);
  CHECK(histogram.quantile(0.5) == 0);
}

TEST_CASE("quantiles are never below the true value and at most 1/16 above") {
  Histogram histogram;
  for (std::uint64_t value = 1; value <= 100'000; ++value) histogram.record(value);
  CHECK(histogram.count() == 100'000);
  CHECK(histogram.total() == std::uint64_t{100'000} * 100'001 / 2);
  for (const double p : {0.01, 0.5, 0.9, 0.99, 1.0}) {
    const double exact = p * 100'000;
    CHECK(static_cast<double>(histogram.quantile(p)) >= exact);
    CHECK(static_cast<double>(histogram.quantile(p)) <= exact * 17 / 16 + 1);
  }
}

TEST_CASE("small values are exact, the largest one has a place") {
  Histogram histogram;
  for (std::uint64_t value = 0; value < 16; ++value) {
    Histogram one;
    one.record(value);
    CHECK(one.quantile(0.5) == value);
  }
  histogram.record(~std::uint64_t{0});
  CHECK(histogram.quantile(1.0) == ~std::uint64_t{0});
}

TEST_CASE("a merged histogram has seen what both saw") {
  Histogram one;
  Histogram two;
  one.record(10);
  two.record(1000);
  two.record(1000);
  one.merge(two);
  CHECK(one.count() == 3);
  CHECK(one.total() == 2010);
  CHECK(one.quantile(0.3) == 10);
  CHECK(one.quantile(1.0) >= 1000);
}

TEST_CASE("a power of two belongs to what is at most it, its successor does not") {
  for (unsigned power = 0; power < 63; ++power) {
    const std::uint64_t bound = std::uint64_t{1} << power;
    Histogram histogram;
    histogram.record(bound - 1);
    histogram.record(bound);
    histogram.record(bound + 1);
    CHECK(histogram.at_most(bound) == 2);
    CHECK(histogram.at_most(UINT64_MAX) == 3);
  }
}

TEST_CASE("a copy has seen what its original had seen, and nothing more") {
  Histogram original;
  original.record(7);
  const Histogram copy = original;
  original.record(7);
  CHECK(copy.count() == 1);
  CHECK(copy.total() == 7);
  CHECK(copy.at_most(7) == 1);
}
