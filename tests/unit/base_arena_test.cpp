// The bump arena: bounded, aligned, and empty when idle.
#include "ringpost/base/arena.h"

#include <doctest/doctest.h>

#include <cstring>
#include <string>
#include <vector>

using ringpost::Arena;

TEST_CASE("copies live side by side until the reset") {
  Arena arena(100'000);
  std::vector<std::string> texts;
  std::vector<ringpost::View> kept;
  for (int i = 0; i < 1000; ++i) texts.push_back("user" + std::to_string(i) + "@example.net");
  for (const std::string& text : texts) {
    const auto copy = arena.copy(text);
    REQUIRE(copy.has_value());
    kept.push_back(*copy);
  }
  for (std::size_t i = 0; i < texts.size(); ++i) {
    CHECK(kept[i] == texts[i]);
    CHECK(kept[i].data() != texts[i].data());
  }
  arena.reset();
  CHECK(arena.used() == 0);
}

TEST_CASE("the limit is exact and a refused request changes nothing") {
  Arena arena(100, 64);
  CHECK(arena.copy(std::string(60, 'a')).has_value());
  CHECK_FALSE(arena.copy(std::string(41, 'b')).has_value());
  CHECK(arena.used() == 60);
  CHECK(arena.copy(std::string(40, 'c')).has_value());
  CHECK(arena.allocate(1) == nullptr);
  CHECK(arena.allocate(~std::size_t{0}) == nullptr);
  arena.reset();
  CHECK(arena.copy(std::string(100, 'd')).has_value());
}

TEST_CASE("what is given out is aligned as asked") {
  Arena arena(10'000, 256);
  for (const std::size_t alignment : {1U, 2U, 4U, 8U, 16U, 8U, 1U, 16U}) {
    const void* given = arena.allocate(5, alignment);
    REQUIRE(given != nullptr);
    CHECK(reinterpret_cast<std::uintptr_t>(given) % alignment == 0);
  }
}

TEST_CASE("a request larger than a block gets its own, and small ones go on in the old block") {
  Arena arena(10'000, 100);
  auto* first = static_cast<char*>(arena.allocate(10, 1));
  auto* large = static_cast<char*>(arena.allocate(5000, 1));
  REQUIRE(large != nullptr);
  std::memset(large, 'x', 5000);
  CHECK(arena.allocate(10, 1) == first + 10);
}
