// The provided receive buffers of one ring: the kernel takes one (or, bundled, several) when octets arrive, the ring
// hands the octets to a handler and gives the buffer back. Owns their memory. Called by KernelRing only.
#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "ringpost/base/bytes.h"
#include "ringpost/base/result.h"
#include "ringpost/base/slab.h"
#include "uring.h"

namespace ringpost::ring {

class ReceiveBuffers {
 public:
  static constexpr std::uint16_t kGroup = 1;  // the kernel's name for this set

  // `count` is a power of two up to 32768.
  Result<void> set_up(io_uring& ring, unsigned count, unsigned size);

  [[nodiscard]] const char* octets(std::uint16_t id) const {
    return reinterpret_cast<const char*>(memory_.data()) + std::size_t{id} * size_;
  }
  void give_back(std::uint16_t id);
  // The buffer that the kernel took right after `id` in the same bundle.
  [[nodiscard]] std::uint16_t after(std::uint16_t id) const;

  [[nodiscard]] unsigned size() const { return size_; }
  [[nodiscard]] unsigned count() const { return count_; }

 private:
  struct Given {
    std::uint32_t place = UINT32_MAX;
    std::uint16_t id = 0;
  };
  void put(std::uint16_t id);

  Reservation ring_memory_;
  Reservation memory_;
  io_uring_buf_ring* ring_ = nullptr;
  unsigned count_ = 0;
  unsigned size_ = 0;
  // The order in which buffers were given is the order in which a bundle uses them. Completions may be handled in
  // another order, so a lap is not enough: four are kept, and each entry says which place it is for.
  std::uint32_t given_ = 0;
  std::vector<std::uint32_t> place_of_;  // by buffer: its place in the order of giving
  std::vector<Given> order_;             // by place modulo its size
};

}  // namespace ringpost::ring
