// Handing out work; see work.h.
#include "work.h"

#include <algorithm>

namespace ringpost::source {
namespace {

constexpr Duration kRetryPause = 100ms;  // a peer that says "later" means it

}  // namespace

void Work::begin(Instant now) {
  end_ = now + options_.longest;
  next_start_ = now;
  if (options_.rate > 0) between_ = Duration{std::max<std::int64_t>(1, static_cast<std::int64_t>(1e9 / options_.rate))};
}

bool Work::over(Instant now) const { return stopped_ || (options_.longest > Duration{0} && now >= end_); }

bool Work::left(Instant now) const {
  return !over(now) && (!again_.empty() || options_.messages == 0 || begun_ < options_.messages);
}

Work::Next Work::take(Instant now) {
  if (!left(now)) return {};
  const bool fresh = options_.messages == 0 || begun_ < options_.messages;
  if (!fresh && again_.front().not_before > now) return {.kind = Next::Kind::wait, .when = again_.front().not_before};
  if (between_ > Duration{0}) {
    if (now < next_start_) return {.kind = Next::Kind::wait, .when = next_start_};
    // A source that fell behind does not make up for it in one burst of more than a second.
    next_start_ = std::max(next_start_, now - 1s) + between_;
  }
  if (!again_.empty() && again_.front().not_before <= now) {
    const std::uint64_t number = again_.front().number;
    again_.pop_front();
    return {.kind = Next::Kind::message, .number = number};
  }
  return {.kind = Next::Kind::message, .number = begun_++};
}

void Work::give_back(std::uint64_t number, Instant now) {
  if (options_.retry) again_.push_back({.number = number, .not_before = now + kRetryPause});
}

}  // namespace ringpost::source
