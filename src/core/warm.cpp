#include "core/warm.h"

namespace ringpost::core {
namespace {

constexpr std::uint64_t kShare = 2;  // warm messages may hold 1/2 of the content pool
constexpr Duration kTime = 10s;      // what was not attempted by then waits for something else than its turn

}  // namespace

void Warm::keep(spool::Message& message, DestinationId destination, const spool::Statistics& pool) {
  const WallTime too_old = ring_.wall() - kTime;
  while (!messages_.empty() && messages_.front().envelope.accepted < too_old) let_go(messages_.front());
  if (pool.chunks_free < pool.chunks_total / kShare) return message.release();
  messages_.push_back(message);
  message.kept_for = destination;
  if (destination.value >= sizes_.size()) sizes_.resize(destination.value + std::size_t{1});
  ++sizes_[destination.value];
}

void Warm::take(spool::Message& message) {
  if (message.linked()) let_go(message);
}

void Warm::let_go_all() {
  while (!messages_.empty()) let_go(messages_.front());
}

void Warm::let_go(spool::Message& message) {
  message.unlink();
  --sizes_[message.kept_for.value];
  if (less_ != nullptr) {
    if (eased_.empty() || eased_.back() != message.kept_for) eased_.push_back(message.kept_for);
    ring_.defer(*less_);
  }
  message.release();
}

}  // namespace ringpost::core
