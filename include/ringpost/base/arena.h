// Bump arena: memory for what one transaction keeps (addresses, parameters), given out by moving a pointer and given
// back all at once. It owns blocks from the process allocator only while something is kept, so an idle session owns
// none; and it is bounded, so a peer cannot make it grow.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "ringpost/base/bytes.h"

namespace ringpost {

// One thread. What it gave out lives until reset() or its own end; destructors of what is put there never run.
class Arena {
 public:
  static constexpr std::size_t kDefaultBlock = 2048;  // octets of a first block: an envelope of a few recipients

  // Gives out at most `limit` octets between two resets. A request larger than a block gets a block of its own.
  explicit Arena(std::size_t limit, std::size_t block = kDefaultBlock) : limit_(limit), block_(block) {}

  // `size` octets aligned to `alignment` (a power of two up to 16), or null when that would pass the limit.
  [[nodiscard]] void* allocate(std::size_t size, std::size_t alignment = alignof(std::max_align_t));

  // A copy of `text` that lives until reset(), or nothing when that would pass the limit.
  [[nodiscard]] std::optional<View> copy(View text);

  // Everything that was given out is gone; all blocks return to the allocator.
  void reset();

  [[nodiscard]] std::size_t used() const { return used_; }  // octets given out since the last reset
  [[nodiscard]] std::size_t limit() const { return limit_; }

 private:
  struct Free {
    void operator()(char* block) const;
  };
  std::size_t limit_;
  std::size_t block_;
  std::size_t used_ = 0;
  char* next_ = nullptr;  // free part of the newest block
  char* end_ = nullptr;
  std::vector<std::unique_ptr<char, Free>> blocks_;
};

}  // namespace ringpost
