// Octets kept for a session that could not take them (backlog.h).
#include "backlog.h"

#include <algorithm>
#include <cstring>

#include "ringpost/base/check.h"

namespace ringpost::receive {

std::size_t Backlog::put(Block& block, View octets) {
  const std::size_t count = std::min(octets.size(), Block::kSize - block.end);
  std::memcpy(block.octets.data() + block.end, octets.data(), count);
  block.end = static_cast<std::uint16_t>(block.end + count);
  return count;
}

void Backlog::to_front(Block& block) {
  if (block.begin == 0) return;
  std::memmove(block.octets.data(), block.octets.data() + block.begin, std::size_t{block.end} - block.begin);
  block.end = static_cast<std::uint16_t>(block.end - block.begin);
  block.begin = 0;
}

bool Backlog::append(View octets) {
  while (!octets.empty()) {
    if (last_ == nullptr || last_->end == Block::kSize) {
      Block* block = pool_.acquire();
      if (block == nullptr) return false;
      (last_ == nullptr ? first_ : last_->next) = block;
      last_ = block;
    }
    const std::size_t count = put(*last_, octets);
    octets.remove_prefix(count);
    size_ += count;
  }
  return true;
}

std::size_t Backlog::top_up(View octets) {
  CHECK(first_ != nullptr);
  if (first_ != last_) return 0;
  to_front(*first_);
  const std::size_t count = put(*first_, octets);
  size_ += count;
  return count;
}

void Backlog::consume(std::size_t octets) {
  CHECK(octets <= size_);
  size_ -= octets;
  while (first_ != nullptr) {
    const std::size_t here = std::min<std::size_t>(octets, std::size_t{first_->end} - first_->begin);
    first_->begin = static_cast<std::uint16_t>(first_->begin + here);
    octets -= here;
    if (first_->begin < first_->end) return;
    drop_first();
  }
}

bool Backlog::join() {
  if (first_ == last_) return false;
  to_front(*first_);
  Block& second = *first_->next;
  const std::size_t count = put(*first_, {second.octets.data() + second.begin, std::size_t{second.end} - second.begin});
  if (count == 0) return false;
  second.begin = static_cast<std::uint16_t>(second.begin + count);
  if (second.begin < second.end) return true;
  first_->next = second.next;
  if (last_ == &second) last_ = first_;
  pool_.release(second);
  return true;
}

void Backlog::clear() {
  while (first_ != nullptr) drop_first();
  size_ = 0;
}

void Backlog::drop_first() {
  Block* next = first_->next;
  pool_.release(*first_);
  first_ = next;
  if (first_ == nullptr) last_ = nullptr;
}

}  // namespace ringpost::receive
