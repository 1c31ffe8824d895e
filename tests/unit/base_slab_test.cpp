// Slab pools: bounded, warm, and proof against stale names.
#include "ringpost/base/slab.h"

#include <doctest/doctest.h>

#include <cstring>
#include <set>

using ringpost::Slab;

namespace {

struct Counted {
  explicit Counted(int& count) : alive(count) { ++alive; }
  Counted(const Counted&) = delete;
  Counted& operator=(const Counted&) = delete;
  ~Counted() { --alive; }
  int& alive;
};

}  // namespace

TEST_CASE("a full slab says no, and takes again after a release") {
  Slab<int> slab(2);
  int* one = slab.acquire(1);
  int* two = slab.acquire(2);
  REQUIRE(one != nullptr);
  REQUIRE(two != nullptr);
  CHECK(slab.full());
  CHECK(slab.acquire(3) == nullptr);
  slab.release(*one);
  CHECK(slab.used() == 1);
  CHECK(slab.acquire(4) == one);
}

TEST_CASE("the slot given back last is used first") {
  Slab<int> slab(8);
  int* first = slab.acquire(1);
  int* second = slab.acquire(2);
  slab.release(*first);
  slab.release(*second);
  CHECK(slab.acquire(3) == second);
  CHECK(slab.acquire(4) == first);
}

TEST_CASE("the name of an ended life finds nothing, also when the slot lives again") {
  Slab<int> slab(4);
  int* object = slab.acquire(7);
  const auto index = slab.index_of(*object);
  const auto generation = slab.generation_of(index);
  CHECK(slab.find(index, generation) == object);
  slab.release(*object);
  CHECK(slab.find(index, generation) == nullptr);
  int* again = slab.acquire(8);
  CHECK(slab.index_of(*again) == index);
  CHECK(slab.find(index, generation) == nullptr);
  CHECK(slab.find(index, slab.generation_of(index)) == again);
  CHECK(slab.find(index + 1, 0) == nullptr);
}

TEST_CASE("each object is destroyed exactly once, at release or with the slab") {
  int alive = 0;
  {
    Slab<Counted> slab(4);
    Counted* one = slab.acquire(alive);
    Counted* two = slab.acquire(alive);
    CHECK(two != nullptr);
    CHECK(alive == 2);
    slab.release(*one);
    CHECK(alive == 1);
  }
  CHECK(alive == 0);
}

TEST_CASE("for_each sees what lives and may release it") {
  Slab<int> slab(4);
  int* one = slab.acquire(1);
  CHECK(slab.acquire(2) != nullptr);
  CHECK(slab.acquire(3) != nullptr);
  slab.release(*one);
  std::set<int> seen;
  slab.for_each([&](int& value) {
    seen.insert(value);
    slab.release(value);
  });
  CHECK(seen == std::set<int>{2, 3});
  CHECK(slab.used() == 0);
}

TEST_CASE("a slab for a very large day touches only what is used") {
  struct Chunk {
    char octets[16384];
  };
  Slab<Chunk> slab(1'000'000);  // 16 GB of address space
  Chunk* chunk = slab.acquire();
  REQUIRE(chunk != nullptr);
  std::memset(chunk->octets, 1, sizeof chunk->octets);
  CHECK(slab.octets_touched() < 32768);
}
