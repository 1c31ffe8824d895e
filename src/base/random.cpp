// xoshiro256** (Blackman, Vigna), seeded by splitmix64 as its authors advise.
#include "ringpost/base/random.h"

#include <sys/random.h>

#include <bit>

#include "ringpost/base/check.h"

namespace ringpost {

Random::Random(std::uint64_t seed) {
  for (std::uint64_t& word : state_) {
    seed += 0x9E3779B97F4A7C15ULL;
    std::uint64_t mixed = seed;
    mixed = (mixed ^ (mixed >> 30)) * 0xBF58476D1CE4E5B9ULL;
    mixed = (mixed ^ (mixed >> 27)) * 0x94D049BB133111EBULL;
    word = mixed ^ (mixed >> 31);
  }
}

std::uint64_t Random::next() {
  const std::uint64_t result = std::rotl(state_[1] * 5, 7) * 9;
  const std::uint64_t shifted = state_[1] << 17;
  state_[2] ^= state_[0];
  state_[3] ^= state_[1];
  state_[1] ^= state_[2];
  state_[0] ^= state_[3];
  state_[2] ^= shifted;
  state_[3] = std::rotl(state_[3], 45);
  return result;
}

std::uint64_t Random::below(std::uint64_t bound) {
  if (bound == 0) return 0;
  // What is left over past the last whole multiple of bound would favour small numbers: draw again.
  const std::uint64_t leftover = (0 - bound) % bound;
  std::uint64_t drawn = next();
  while (drawn < leftover) drawn = next();
  return drawn % bound;
}

std::uint64_t seed_from_system() {
  std::uint64_t seed = 0;
  // Up to 256 octets are never cut short, and the pool has long been filled when a daemon starts.
  CHECK(getrandom(&seed, sizeof seed, 0) == static_cast<ssize_t>(sizeof seed));
  return seed;
}

}  // namespace ringpost
