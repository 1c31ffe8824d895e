// Filling and emptying rows of chunks.
#include "spool/chunks.h"

#include <cstring>

#include "ringpost/base/check.h"

namespace ringpost::spool {

View ChunkRow::piece(const ChunkPool& pool, std::uint64_t offset) const {
  if (offset >= size_) return {};
  const std::size_t within = offset % kBodyChunkSize;
  const std::uint64_t rest = size_ - offset;
  return {pool.at(chunks_[offset / kBodyChunkSize]) + within, std::min<std::uint64_t>(rest, kBodyChunkSize - within)};
}

bool ChunkRow::append(ChunkPool& pool, View octets) {
  while (!octets.empty()) {
    const std::size_t within = size_ % kBodyChunkSize;
    if (within == 0) {
      if (count_ == kMost || pool.free() == 0) return false;
      chunks_[count_++] = pool.take();
    }
    const std::size_t part = std::min(octets.size(), kBodyChunkSize - within);
    std::memcpy(pool.at(chunks_[count_ - 1]) + within, octets.data(), part);
    size_ += part;
    octets.remove_prefix(part);
  }
  return true;
}

void ChunkRow::drop_first(ChunkPool& pool) {
  CHECK(count_ > 0);
  pool.give(chunks_[0]);
  size_ -= std::min<std::uint64_t>(size_, kBodyChunkSize);
  --count_;
  std::memmove(chunks_.data(), chunks_.data() + 1, count_ * sizeof(std::uint32_t));
}

void ChunkRow::clear(ChunkPool& pool) {
  for (std::uint32_t i = 0; i < count_; ++i) pool.give(chunks_[i]);
  count_ = 0;
  size_ = 0;
}

}  // namespace ringpost::spool
