// Reading histograms.
#include "ringpost/base/counter.h"

#include <algorithm>
#include <cmath>

namespace ringpost {

std::uint64_t Histogram::quantile(double p) const {
  std::uint64_t all = 0;
  for (const Counter& step : counts_) all += step.get();  // not count_: a reader on another thread may see it ahead
  if (all == 0) return 0;
  const auto wanted = std::max<std::uint64_t>(1, static_cast<std::uint64_t>(std::ceil(p * static_cast<double>(all))));
  std::uint64_t seen = 0;
  for (std::size_t step = 0; step < kSteps; ++step) {
    seen += counts_[step].get();
    if (seen >= wanted) return largest_of(step);
  }
  return largest_of(kSteps - 1);
}

std::uint64_t Histogram::at_most(std::uint64_t bound) const {
  std::uint64_t seen = 0;
  for (std::size_t step = 0; step < kSteps && largest_of(step) <= bound; ++step) seen += counts_[step].get();
  return seen;
}

void Histogram::merge(const Histogram& other) {
  for (std::size_t step = 0; step < kSteps; ++step) counts_[step].add(other.counts_[step].get());
  total_.add(other.total_.get());
  count_.add(other.count_.get());
}

}  // namespace ringpost
