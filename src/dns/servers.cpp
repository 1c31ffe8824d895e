#include "servers.h"

#include <algorithm>

namespace ringpost::dns {
namespace {

constexpr Duration kFirstRest = 2s;  // of a server that failed; doubled with each failure in a row
constexpr Duration kLongestRest = 60s;
constexpr std::uint32_t kPatience = 2;  // failures in a row before it rests: one lost datagram says little
constexpr Duration kWithoutEdns = 1h;
constexpr int kMuchFaster = 4;          // times: then the order of the file gives way
constexpr Duration kFastEnough = 20ms;  // below this nobody is much faster

}  // namespace

Servers::Servers(const std::vector<SocketAddress>& addresses) {
  for (const SocketAddress& address : addresses) servers_.emplace_back().state.address = address;
}

bool Servers::same(const std::vector<SocketAddress>& addresses) const {
  return std::equal(addresses.begin(), addresses.end(), servers_.begin(), servers_.end(),
                    [](const SocketAddress& address, const Server& server) { return server.state.address == address; });
}

bool Servers::better(const Server& a, const Server& b, Instant now) const {
  const bool a_rests = a.resting_until > now;
  const bool b_rests = b.resting_until > now;
  if (a_rests != b_rests) return b_rests;
  if (a_rests) return a.failed_at < b.failed_at;
  return a.state.smoothed * kMuchFaster < b.state.smoothed && b.state.smoothed > kFastEnough;
}

std::size_t Servers::choose(const std::vector<bool>& tried, Instant now) const {
  const bool all_tried = std::find(tried.begin(), tried.end(), false) == tried.end();
  std::size_t best = servers_.size();
  for (std::size_t i = 0; i < servers_.size(); ++i) {
    if (!all_tried && tried[i]) continue;
    if (best == servers_.size() || better(servers_[i], servers_[best], now)) best = i;
  }
  return best;
}

void Servers::answered(std::size_t server, Duration took) {
  ServerState& state = servers_[server].state;
  // As TCP smooths its round trip time (RFC 6298 2.3).
  state.smoothed = state.smoothed == Duration{0} ? took : (state.smoothed * 7 + took) / 8;
  state.failures = 0;
  servers_[server].resting_until = {};
}

void Servers::failed(std::size_t server, Instant now, std::string why) {
  Server& failing = servers_[server];
  failing.state.last_error = std::move(why);
  failing.failed_at = now;
  if (++failing.state.failures < kPatience) return;
  const unsigned doublings = std::min<std::uint32_t>(failing.state.failures - kPatience, 8);
  failing.resting_until = now + std::min<Duration>(kFirstRest * (1U << doublings), kLongestRest);
}

void Servers::refused_edns(std::size_t server, Instant now) {
  servers_[server].without_edns_until = now + kWithoutEdns;
}

std::vector<ServerState> Servers::states() const {
  std::vector<ServerState> states;
  for (const Server& server : servers_) states.push_back(server.state);
  return states;
}

}  // namespace ringpost::dns
