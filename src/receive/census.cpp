// How many sessions there are in the whole process.
#include <atomic>
#include <mutex>
#include <unordered_map>

#include "ringpost/base/check.h"
#include "ringpost/receive.h"

namespace ringpost::receive {

struct Census::Parts {
  std::atomic<std::uint32_t> sessions = 0;
  std::mutex mutex;  // over of_client; held for one look-up, at a connect or its end
  std::unordered_map<SocketAddress, std::uint32_t> of_client;
};

Census::Census() : parts_(std::make_unique<Parts>()) {}
Census::~Census() = default;

Census::Count Census::enter(const SocketAddress& client, bool by_client) {
  Count count;
  count.sessions = parts_->sessions.fetch_add(1, std::memory_order_relaxed);
  if (!by_client) return count;
  const std::lock_guard lock{parts_->mutex};
  count.of_client = parts_->of_client[client.with_port(0)]++;
  return count;
}

void Census::leave(const SocketAddress& client, bool by_client) {
  parts_->sessions.fetch_sub(1, std::memory_order_relaxed);
  if (!by_client) return;
  const std::lock_guard lock{parts_->mutex};
  const auto found = parts_->of_client.find(client.with_port(0));
  CHECK(found != parts_->of_client.end());
  if (--found->second == 0) parts_->of_client.erase(found);
}

}  // namespace ringpost::receive
