// Memory for contents: equal chunks of kBodyChunkSize octets, aligned to a disk block, from one pool a core. A content
// is a row of them.
//
// Owned by the store; taken by sinks and the loader. Never allocates after start. One thread.
#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "ringpost/base/bytes.h"
#include "ringpost/base/limits.h"
#include "ringpost/base/slab.h"
#include "ringpost/spool.h"

namespace ringpost::spool {

class ChunkPool {
 public:
  explicit ChunkPool(std::size_t chunks) : total_(chunks), memory_(chunks * kBodyChunkSize) { free_.reserve(chunks); }

  // A chunk number; the caller saw free() > 0.
  std::uint32_t take() {
    RINGPOST_CHECK(free() > 0);
    if (free_.empty()) return touched_++;
    const std::uint32_t chunk = free_.back();
    free_.pop_back();
    return chunk;
  }
  void give(std::uint32_t chunk) { free_.push_back(chunk); }
  [[nodiscard]] char* at(std::uint32_t chunk) const {
    return reinterpret_cast<char*>(memory_.data()) + std::size_t{chunk} * kBodyChunkSize;
  }
  [[nodiscard]] std::size_t free() const { return free_.size() + total_ - touched_; }
  [[nodiscard]] std::size_t total() const { return total_; }

 private:
  std::size_t total_;
  std::uint32_t touched_ = 0;
  std::vector<std::uint32_t> free_;  // given back last is taken first: it is warm
  Reservation memory_;
};

// The octets of one content in memory: full chunks and a last one that is partly filled.
class ChunkRow {
 public:
  // A gathered content, and what one more push may bring while it begins to spill.
  static constexpr std::size_t kMost = kGatherLimit / kBodyChunkSize + 80;

  [[nodiscard]] std::uint64_t size() const { return size_; }
  [[nodiscard]] std::size_t count() const { return count_; }
  // The piece that begins at `offset`, to the end of its chunk; empty at the end.
  [[nodiscard]] View piece(const ChunkPool& pool, std::uint64_t offset) const;
  // Takes a copy; false when the pool or the row ran out (what fitted was taken).
  bool append(ChunkPool& pool, View octets);
  // Gives the first chunk back; it was full, or is the last.
  void drop_first(ChunkPool& pool);
  void clear(ChunkPool& pool);

 private:
  std::uint64_t size_ = 0;
  std::uint32_t count_ = 0;
  std::array<std::uint32_t, kMost> chunks_;
};

}  // namespace ringpost::spool
