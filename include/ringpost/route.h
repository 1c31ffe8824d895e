// Where mail for a domain goes: the routes of the configuration as a Router, immutable once built. MX lookup is not
// here yet: a domain without a route has no hosts, and its mail waits.
//
// A reload makes a new Router; a name that the new one does not know (by_name) is a destination that no longer exists,
// and its mail is routed again by its recipients' domains.
//
// Any thread. find() allocates nothing.
#pragma once

#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "ringpost/base/address.h"
#include "ringpost/base/bytes.h"
#include "ringpost/config.h"

namespace ringpost::route {

// One destination: hosts that are one place to us, with limits of their own.
struct Route {
  // What queue, cores, tools and events call it: "127.0.0.1:2526", "192.0.2.1:25,192.0.2.2:25"; routes with the same
  // hosts and manners are one destination. Made of the configuration alone, so all cores say the same.
  std::string name;
  std::vector<SocketAddress> hosts;  // tried in order; empty: nothing can be delivered here now
  config::Manners manners;
  [[nodiscard]] bool has_hosts() const { return !hosts.empty(); }
};

inline constexpr View kNoRouteName = "none";  // the reserved destination of domains without a route

// Why mail to `domain` waits when find() has no hosts: a transient failure (4.4.4, unable to route).
std::string no_route_text(View domain);

class Router {
 public:
  explicit Router(const config::Config&);
  Router(const Router&) = delete;
  Router& operator=(const Router&) = delete;

  // The first route of the configuration that matches `domain`, in any case: the same name, a domain above it
  // (".example.net"), or "*". The bare postmaster's empty domain is this relay's host name (RFC 5321 4.5.1). Never
  // fails: a domain without a route gets the destination kNoRouteName. The Route lives as long as the Router.
  [[nodiscard]] const Route& find(View domain) const;
  // The destination of that name, or null.
  [[nodiscard]] const Route* by_name(View name) const;
  // All destinations, each once, kNoRouteName last.
  [[nodiscard]] const std::deque<Route>& destinations() const { return destinations_; }

 private:
  // RFC 5321 2.4: domains compare without regard to case.
  struct Hash {
    using is_transparent = void;
    std::size_t operator()(View domain) const;
  };
  struct Equal {
    using is_transparent = void;
    bool operator()(View a, View b) const { return equal_ignoring_case(a, b); }
  };
  // A pattern's place in the file, and where it leads.
  struct Match {
    std::size_t order = 0;
    const Route* route = nullptr;
  };
  using Table = std::unordered_map<std::string, Match, Hash, Equal>;

  const Route* destination(const config::Route&);
  const Route* add(Route);

  std::deque<Route> destinations_;                // addresses stay
  std::unordered_map<View, const Route*> names_;  // views of the names in destinations_
  Table exact_;
  Table below_;  // ".example.net"
  std::optional<Match> any_;
  std::size_t longest_below_ = 0;  // octets of the longest key of below_
  std::string hostname_;
};

}  // namespace ringpost::route
