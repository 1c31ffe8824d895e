// The slow half of the arena: new blocks.
#include "ringpost/base/arena.h"

#include <cstdlib>
#include <cstring>

#include "ringpost/base/check.h"

namespace ringpost {

void Arena::Free::operator()(char* block) const { std::free(block); }

void* Arena::allocate(std::size_t size, std::size_t alignment) {
  CHECK(alignment != 0 && (alignment & (alignment - 1)) == 0 && alignment <= alignof(std::max_align_t));
  if (size > limit_ || used_ > limit_ - size) return nullptr;
  const std::size_t misfit = reinterpret_cast<std::uintptr_t>(next_) & (alignment - 1);
  const std::size_t padding = misfit == 0 ? 0 : alignment - misfit;
  if (next_ == nullptr || static_cast<std::size_t>(end_ - next_) < padding + size) {
    const std::size_t octets = std::max(block_, size);
    auto* block = static_cast<char*>(std::malloc(octets));
    if (block == nullptr) return nullptr;
    blocks_.emplace_back(block);
    used_ += size;
    // A large request leaves the present block in use: what is left of it is likely more than what is left here.
    if (octets - size < static_cast<std::size_t>(end_ - next_)) return block;
    next_ = block + size;
    end_ = block + octets;
    return block;
  }
  char* given = next_ + padding;
  next_ = given + size;
  used_ += size;
  return given;
}

std::optional<View> Arena::copy(View text) {
  if (text.empty()) return View{};
  auto* place = static_cast<char*>(allocate(text.size(), 1));
  if (place == nullptr) return std::nullopt;
  std::memcpy(place, text.data(), text.size());
  return View{place, text.size()};
}

void Arena::reset() {
  blocks_.clear();
  next_ = end_ = nullptr;
  used_ = 0;
}

}  // namespace ringpost
