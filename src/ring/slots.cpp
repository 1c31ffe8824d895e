// The slot table and the pool of send blocks; see slots.h.
#include "slots.h"

#include <utility>

namespace ringpost::ring {

SlotTable::SlotTable(std::uint32_t capacity)
    : memory_(std::size_t{capacity} * sizeof(Slot)),
      slots_(reinterpret_cast<Slot*>(memory_.data())),
      capacity_(capacity) {}

std::uint32_t SlotTable::take(Operation& operation, Kind kind) {
  std::uint32_t index = free_;
  if (index != kNoSlot) {
    free_ = slots_[index].next;
  } else {
    CHECK(touched_ < capacity_);
    index = touched_++;
  }
  ++used_;
  Slot& slot = slots_[index];
  slot.operation = &operation;
  slot.next = slot.previous = kNoSlot;
  slot.fd = -1;
  slot.kind = kind;
  slot.where = Where::kernel;
  slot.cancelled = false;
  slot.input_waits = false;
  slot.datagram = false;
  return index;
}

void SlotTable::release(std::uint32_t index) {
  Slot& slot = slots_[index];
  CHECK(slot.where != Where::free);
  slot.where = Where::free;
  slot.operation = nullptr;
  ++slot.generation;
  slot.next = std::exchange(free_, index);
  --used_;
}

void SlotTable::push(SlotQueue& queue, std::uint32_t index, Where where) {
  Slot& slot = slots_[index];
  slot.where = where;
  slot.next = kNoSlot;
  slot.previous = queue.last;
  (queue.last == kNoSlot ? queue.first : slots_[queue.last].next) = index;
  queue.last = index;
}

void SlotTable::leave(SlotQueue& queue, std::uint32_t index) {
  const Slot& slot = slots_[index];
  (slot.previous == kNoSlot ? queue.first : slots_[slot.previous].next) = slot.next;
  (slot.next == kNoSlot ? queue.last : slots_[slot.next].previous) = slot.previous;
}

std::uint32_t SlotTable::pop(SlotQueue& queue) {
  const std::uint32_t index = queue.first;
  CHECK(index != kNoSlot);
  leave(queue, index);
  return index;
}

SendBlock* SendBlocks::take() {
  if (free_ == nullptr) {
    chunks_.push_back(std::make_unique_for_overwrite<SendBlock[]>(kChunk));
    for (std::size_t i = 0; i < kChunk; ++i) release(&chunks_.back()[i]);
  }
  return std::exchange(free_, free_->next_free);
}

void SendBlocks::release(SendBlock* block) { block->next_free = std::exchange(free_, block); }

}  // namespace ringpost::ring
