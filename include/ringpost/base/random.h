// Random numbers as a seam: a simulated run is replayed from one seed.
#pragma once

#include <cstdint>

namespace ringpost {

// xoshiro256**: fast, good enough for jitter, shuffles and fault injection; not for secrets. One owner, one thread.
class Random {
 public:
  explicit Random(std::uint64_t seed);
  std::uint64_t next();
  // Uniform in [0, bound); 0 for bound 0.
  std::uint64_t below(std::uint64_t bound);
  // True with probability numerator / denominator.
  bool chance(std::uint64_t numerator, std::uint64_t denominator) { return below(denominator) < numerator; }

 private:
  std::uint64_t state_[4];
};

// A seed from the kernel (getrandom). Any thread.
std::uint64_t seed_from_system();

}  // namespace ringpost
