// What fuzz targets share: an input that says itself how it is cut into the pieces that a network would deliver.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>

#include "ringpost/base/bytes.h"
#include "ringpost/base/random.h"

namespace ringpost::fuzz {

// Cuts `whole` into pieces of 1 … 32 octets, the same way for the same octets. Views into `whole`.
class Pieces {
 public:
  explicit Pieces(View whole) : rest_(whole), random_(whole.size() * 31 + (whole.empty() ? 0 : sum(whole))) {}

  [[nodiscard]] bool done() const { return rest_.empty(); }
  View next() {
    const View piece = rest_.substr(0, random_.below(32) + 1);
    rest_.remove_prefix(piece.size());
    return piece;
  }

 private:
  static std::uint64_t sum(View octets) {
    std::uint64_t total = 0;
    for (const char c : octets) total = total * 131 + static_cast<unsigned char>(c);
    return total;
  }
  View rest_;
  Random random_;
};

}  // namespace ringpost::fuzz
