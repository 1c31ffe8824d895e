#include "core/warm.h"

namespace ringpost::core {
namespace {

constexpr std::uint64_t kShare = 2;  // warm messages may hold 1/2 of the content pool
constexpr Duration kTime = 10s;      // what was not attempted by then waits for something else than its turn

}  // namespace

void Warm::keep(spool::Message& message, const spool::Statistics& pool) {
  const WallTime too_old = ring_.wall() - kTime;
  while (!messages_.empty() && messages_.front().envelope.accepted < too_old) let_go(messages_.front());
  if (pool.chunks_free < pool.chunks_total / kShare) return message.release();
  messages_.push_back(message);
  ++size_;
}

void Warm::take(spool::Message& message) {
  if (message.linked()) let_go(message);
}

void Warm::let_go_all() {
  while (!messages_.empty()) let_go(messages_.front());
}

void Warm::let_go(spool::Message& message) {
  message.unlink();
  --size_;
  message.release();
  if (less_ != nullptr) ring_.defer(*less_);
}

}  // namespace ringpost::core
