// The servers that are asked, how each has done lately, and so which one is asked next. Pure: told what happened and
// when. Owned by the Resolver.
#pragma once

#include <cstdint>
#include <vector>

#include "ringpost/dns.h"

namespace ringpost::dns {

class Servers {
 public:
  explicit Servers(const std::vector<SocketAddress>& addresses);

  [[nodiscard]] std::size_t count() const { return servers_.size(); }
  [[nodiscard]] const SocketAddress& address(std::size_t server) const { return servers_[server].state.address; }
  [[nodiscard]] bool same(const std::vector<SocketAddress>& addresses) const;

  // The server for the next try of a question, of those not in `tried` while there is one: the first in the file's
  // order that is well, unless another is much faster; when none is well, the one that failed longest ago.
  [[nodiscard]] std::size_t choose(const std::vector<bool>& tried, Instant now) const;
  void answered(std::size_t server, Duration took);
  // No answer, or none of use. It is not asked first for a while, longer each time.
  void failed(std::size_t server, Instant now, std::string why);

  // Whether to ask with EDNS: not where it was refused, for a while.
  [[nodiscard]] bool edns(std::size_t server, Instant now) const { return now >= servers_[server].without_edns_until; }
  void refused_edns(std::size_t server, Instant now);
  [[nodiscard]] std::vector<ServerState> states() const;

 private:
  struct Server {
    ServerState state;
    Instant resting_until;
    Instant failed_at;
    Instant without_edns_until;
  };
  [[nodiscard]] bool better(const Server& a, const Server& b, Instant now) const;

  std::vector<Server> servers_;
};

}  // namespace ringpost::dns
