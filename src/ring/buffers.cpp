// Provided receive buffers; see buffers.h.
#include "buffers.h"

#include <bit>

namespace ringpost::ring {

Result<void> ReceiveBuffers::set_up(io_uring& ring, unsigned count, unsigned size) {
  CHECK(std::has_single_bit(count) && count <= 32768 && size > 0);
  count_ = count;
  size_ = size;
  ring_memory_ = Reservation(count * sizeof(io_uring_buf));
  memory_ = Reservation(std::size_t{count} * size);
  ring_ = reinterpret_cast<io_uring_buf_ring*>(ring_memory_.data());
  place_of_.resize(count);
  order_.resize(std::size_t{count} * 4);

  io_uring_buf_reg registration{};
  registration.ring_addr = reinterpret_cast<std::uintptr_t>(ring_);
  registration.ring_entries = count;
  registration.bgid = kGroup;
  if (const int error = io_uring_register_buf_ring(&ring, &registration, 0); error < 0)
    return fail(-error, "provided receive buffers cannot be registered with the kernel");
  io_uring_buf_ring_init(ring_);
  for (unsigned id = 0; id < count; ++id) put(static_cast<std::uint16_t>(id));
  return {};
}

void ReceiveBuffers::put(std::uint16_t id) {
  place_of_[id] = given_;
  order_[given_ % order_.size()] = {given_, id};
  ++given_;
  char* const at = reinterpret_cast<char*>(memory_.data()) + std::size_t{id} * size_;
  io_uring_buf_ring_add(ring_, at, size_, id, io_uring_buf_ring_mask(count_), 0);
  io_uring_buf_ring_advance(ring_, 1);
}

void ReceiveBuffers::give_back(std::uint16_t id) { put(id); }

std::uint16_t ReceiveBuffers::after(std::uint16_t id) const {
  const std::uint32_t place = place_of_[id] + 1;
  const Given& next = order_[place % order_.size()];
  CHECK(next.place == place);
  return next.id;
}

}  // namespace ringpost::ring
