// Counters and histograms: plain integers of one core that any thread may read. Each has one writer, so adding is a
// load, an add and a store without a locked instruction; a reader may see it a moment late, never torn.
#pragma once

#include <array>
#include <atomic>
#include <bit>
#include <cstddef>
#include <cstdint>

namespace ringpost {

// A number that only grows (or a gauge, through set and sub). One writer thread, any readers.
class Counter {
 public:
  Counter() = default;
  Counter(const Counter& other) : value_(other.get()) {}
  Counter& operator=(const Counter& other) {
    set(other.get());
    return *this;
  }
  void add(std::uint64_t by = 1) { value_.store(get() + by, std::memory_order_relaxed); }
  void sub(std::uint64_t by = 1) { value_.store(get() - by, std::memory_order_relaxed); }
  void set(std::uint64_t to) { value_.store(to, std::memory_order_relaxed); }
  [[nodiscard]] std::uint64_t get() const { return value_.load(std::memory_order_relaxed); }

 private:
  std::atomic<std::uint64_t> value_ = 0;
};

// How often each size of a value was seen, exact to 1/16 of the value: 16 steps to each power of two, whose bounds
// belong to the step below. Any unit; a latency is recorded in nanoseconds. 8 KB, no allocation, some 2 ns a record.
// One writer thread, any readers. A copy is what a reader sees.
class Histogram {
 public:
  void record(std::uint64_t value) {
    counts_[step_of(value)].add();
    total_.add(value);
    count_.add();
  }
  [[nodiscard]] std::uint64_t count() const { return count_.get(); }
  [[nodiscard]] std::uint64_t total() const { return total_.get(); }

  // The largest value of the step that holds the p-th part (0 < p <= 1) of what was recorded, 0 when nothing was.
  [[nodiscard]] std::uint64_t quantile(double p) const;
  // How many values at most `bound` were recorded: exact for powers of two and for their 16 steps, else without those
  // of the step that holds `bound`.
  [[nodiscard]] std::uint64_t at_most(std::uint64_t bound) const;
  // Adds what `other` has seen; this one's writer calls it.
  void merge(const Histogram& other);

 private:
  static constexpr unsigned kStepBits = 4;
  static constexpr std::size_t kSteps = ((64 - kStepBits + 1) << kStepBits) + 1;

  // Zero and values up to 16 have a step each; above, the top bit of the value below chooses the power and the next
  // four bits the step in it.
  static constexpr std::size_t step_of(std::uint64_t value) {
    if (value <= (1U << kStepBits)) return value;
    const std::uint64_t below = value - 1;
    const auto shift = static_cast<unsigned>(std::bit_width(below)) - kStepBits - 1;
    return (std::size_t{shift} << kStepBits) + (below >> shift) + 1;
  }
  static constexpr std::uint64_t largest_of(std::size_t step) {
    if (step <= (1U << kStepBits)) return step;
    --step;
    const std::size_t shift = (step >> kStepBits) - 1;
    const std::uint64_t past = (((step & ((1U << kStepBits) - 1)) | (1U << kStepBits)) + 1) << shift;
    return past == 0 ? UINT64_MAX : past;  // the last step's bound is 2^64
  }

  std::array<Counter, kSteps> counts_;
  Counter total_;
  Counter count_;
};

}  // namespace ringpost
