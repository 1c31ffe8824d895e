// Slab pool: a fixed number of equal slots, reserved as address space at start and touched on first use, so that a
// pool for the largest day costs nothing on a quiet one. A slot has an index and a generation that changes each time
// it is given back: (index, generation) names one life of a slot, and a stale name finds nothing.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <new>
#include <type_traits>
#include <utility>

#include "ringpost/base/check.h"

namespace ringpost {

// Zeroed address space that the kernel backs page by page on first touch. Move-only owner. If even address space is
// refused (ulimit -v, strict overcommit) the process ends with words on stderr: this happens at start only.
class Reservation {
 public:
  Reservation() = default;
  explicit Reservation(std::size_t octets);
  Reservation(Reservation&& other) noexcept
      : data_(std::exchange(other.data_, nullptr)), size_(std::exchange(other.size_, 0)) {}
  Reservation& operator=(Reservation&& other) noexcept;
  ~Reservation();

  [[nodiscard]] std::byte* data() const { return data_; }
  [[nodiscard]] std::size_t size() const { return size_; }

 private:
  std::byte* data_ = nullptr;
  std::size_t size_ = 0;
};

// At most `capacity` objects of T. Objects never move. One thread. Objects still alive when the slab dies are
// destroyed.
template <class T>
class Slab {
 public:
  explicit Slab(std::uint32_t capacity)
      : capacity_(capacity), slots_(std::size_t{capacity} * sizeof(T)), lives_(std::size_t{capacity} * sizeof(Life)) {
    static_assert(alignof(T) <= 4096, "a reservation is aligned to a page");
  }
  Slab(const Slab&) = delete;
  Slab& operator=(const Slab&) = delete;
  ~Slab() {
    if constexpr (!std::is_trivially_destructible_v<T>)
      for (std::uint32_t i = 0; i < touched_; ++i)
        if (life(i).used) std::destroy_at(&at(i));
  }

  // A new object in the slot given back last (the warmest), or null when all are taken: the caller parks or refuses.
  // Without arguments T is default-initialised: a plain array of octets is not zeroed.
  template <class... Arguments>
  [[nodiscard]] T* acquire(Arguments&&... arguments) {
    const std::uint32_t index = take_index();
    if (index == kNone) return nullptr;
    life(index).used = true;
    ++used_;
    if constexpr (sizeof...(Arguments) == 0)
      return ::new (place(index)) T;
    else
      return ::new (place(index)) T(std::forward<Arguments>(arguments)...);
  }

  // Destroys the object and begins its slot's next generation. `object` came from acquire() of this slab.
  void release(T& object) {
    const std::uint32_t index = index_of(object);
    Life& gone = life(index);
    RINGPOST_CHECK(gone.used);
    std::destroy_at(&object);
    gone.used = false;
    gone.generation = (gone.generation + 1) & kGenerationMask;
    gone.next_free = free_;
    free_ = index;
    --used_;
  }

  [[nodiscard]] std::uint32_t index_of(const T& object) const {
    const auto distance = reinterpret_cast<const std::byte*>(&object) - slots_.data();
    RINGPOST_CHECK(distance >= 0 && static_cast<std::size_t>(distance) < slots_.size());
    return static_cast<std::uint32_t>(static_cast<std::size_t>(distance) / sizeof(T));
  }
  // The generation of the slot's present life: 31 bits, so a name repeats after 2^31 lives of one slot.
  [[nodiscard]] std::uint32_t generation_of(std::uint32_t index) const { return life(index).generation; }

  // The object that (index, generation) names, or null when that life is over or never was.
  [[nodiscard]] T* find(std::uint32_t index, std::uint32_t generation) {
    if (index >= touched_) return nullptr;
    const Life& found = life(index);
    return found.used && found.generation == generation ? &at(index) : nullptr;
  }

  // The object in a slot that the caller knows to be alive, by index alone.
  [[nodiscard]] T& operator[](std::uint32_t index) {
    RINGPOST_CHECK(index < touched_ && life(index).used);
    return at(index);
  }

  [[nodiscard]] std::uint32_t capacity() const { return capacity_; }
  [[nodiscard]] std::uint32_t used() const { return used_; }
  [[nodiscard]] bool full() const { return used_ == capacity_; }
  // Octets that the pool has touched so far (it never gives pages back).
  [[nodiscard]] std::size_t octets_touched() const { return std::size_t{touched_} * (sizeof(T) + sizeof(Life)); }

  // Calls visit(T&) for each object alive. `visit` may release the object it is given, and no other.
  template <class Visit>
  void for_each(Visit&& visit) {
    scan(0, touched_, visit);
  }
  // The same for `count` slots from `from` on; gives the next slot, 0 at the end.
  template <class Visit>
  std::uint32_t scan(std::uint32_t from, std::uint32_t count, Visit&& visit) {
    const std::uint32_t end = count < touched_ - std::min(from, touched_) ? from + count : touched_;
    for (std::uint32_t i = from; i < end; ++i)
      if (life(i).used) visit(at(i));
    return end < touched_ ? end : 0;
  }

 private:
  static constexpr std::uint32_t kNone = ~std::uint32_t{0};
  static constexpr std::uint32_t kGenerationMask = 0x7FFFFFFF;
  struct Life {
    std::uint32_t used : 1;
    std::uint32_t generation : 31;
    std::uint32_t next_free;
  };

  std::uint32_t take_index() {
    if (free_ != kNone) return std::exchange(free_, life(free_).next_free);
    return touched_ < capacity_ ? touched_++ : kNone;
  }
  void* place(std::uint32_t index) const { return slots_.data() + std::size_t{index} * sizeof(T); }
  T& at(std::uint32_t index) const { return *std::launder(static_cast<T*>(place(index))); }
  Life& life(std::uint32_t index) const {
    RINGPOST_CHECK(index < capacity_);
    return reinterpret_cast<Life*>(lives_.data())[index];
  }

  std::uint32_t capacity_;
  std::uint32_t touched_ = 0;   // slots below this one have been used at least once
  std::uint32_t used_ = 0;      // objects alive
  std::uint32_t free_ = kNone;  // last slot given back; the chain goes on in Life::next_free
  Reservation slots_;
  Reservation lives_;
};

}  // namespace ringpost
