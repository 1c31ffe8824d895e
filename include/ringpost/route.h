// Where mail for a domain goes. Two steps, both pure but for the questions that the second one asks:
//
//   Router   domain → destination: what queue, cores, tools and events call the place, and its limits. A static one
//            (the hosts of a [[route]]) or the domain itself, whose mail exchangers are looked up.
//   Finder   destination → hosts to connect to, in order, for as long as the answers hold; or why there are none.
//
// A reload makes a new Router; a name that the new one does not know (by_name) is a destination that no longer exists,
// and its mail is routed again by its recipients' domains.
//
// Thread: the Router may be read on any; a Finder and its searches belong to a core's.
#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "ringpost/base/address.h"
#include "ringpost/base/bytes.h"
#include "ringpost/base/list.h"
#include "ringpost/config.h"
#include "ringpost/dns.h"
#include "ringpost/message.h"
#include "ringpost/ring.h"

namespace ringpost::route {

// Bounds of what is looked up and tried for one destination.
inline constexpr std::size_t kMostExchangers = 20;  // MX hosts, the best first; further ones are left out
inline constexpr std::size_t kMostAddresses = 8;    // of one host
inline constexpr std::size_t kMostHosts = 40;       // host addresses in all
inline constexpr Duration kLeastHold = 1s;          // of a finding
inline constexpr Duration kHoldWithGaps = 5min;     // of one made while a host's addresses were not to be had
inline constexpr Duration kHoldOfAddresses = 24h;   // where nothing was looked up

// What the configuration says about some domains.
struct Route {
  // Of a static one: "127.0.0.1:2526", "mail.example.net:25,192.0.2.2:25"; routes with the same hosts and manners are
  // one destination. Empty: by MX, each domain is a destination of its own. Made of the configuration alone, so all
  // cores say the same.
  std::string name;
  std::vector<config::RouteHost> hosts;  // tried in order
  config::Manners manners;
  [[nodiscard]] bool by_mx() const { return hosts.empty(); }
};

// The destination of some mail.
struct Place {
  View name;  // of the route, or of the caller's scratch
  const Route* route = nullptr;
};

// A domain as destinations are called: lower case, international labels as A-labels (RFC 5890), no final dot; literals
// and what cannot be converted as they are, in lower case.
std::string domain_name(View domain);

class Router {
 public:
  explicit Router(const config::Config&);
  Router(const Router&) = delete;
  Router& operator=(const Router&) = delete;

  // The first route of the configuration that matches `domain`, in any case: the same name, a domain above it
  // (".example.net"), or "*"; else the one by MX with the manners of [deliver]. The bare postmaster's empty domain is
  // this relay's host name (RFC 5321 4.5.1). The Route lives as long as the Router.
  [[nodiscard]] const Route& find(View domain) const;
  // The destination of mail to `domain`. The name may be kept in `scratch`. Allocates nothing once that is large
  // enough, for a domain in ASCII.
  [[nodiscard]] Place place(View domain, std::string& scratch) const;
  // The route of the destination of that name; null: there is no such destination (any more).
  [[nodiscard]] const Route* by_name(View name) const;
  // All routes, those with the same destination once, the one for domains without a [[route]] last.
  [[nodiscard]] const std::deque<Route>& routes() const { return routes_; }

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
  [[nodiscard]] const Route& match(View domain) const;

  std::deque<Route> routes_;                      // addresses stay
  std::unordered_map<View, const Route*> names_;  // of the static ones: views of the names in routes_
  Table exact_;
  Table below_;  // ".example.net"
  std::optional<Match> any_;
  std::size_t longest_below_ = 0;  // octets of the longest key of below_
  std::string hostname_;
};

// One address to connect to.
struct Host {
  SocketAddress address;  // with its port
  std::string name;       // of the MX or of the route's host; empty: it was given as an address
  bool operator==(const Host&) const = default;
};

struct Hosts {
  std::vector<Host> list;  // in the order of trial; not empty
  Instant good_until;
};
using HostsPointer = std::shared_ptr<const Hosts>;

// What a connection needs to know of its destination.
struct Way {
  std::string name;  // the destination's
  HostsPointer hosts;
  config::Manners manners;
};

// What a search found.
struct Finding {
  HostsPointer hosts;  // null: none, and the rest says why
  // later: 4.4.3, DNS gave no answer; 4.4.4, a route's host does not exist. never: the domain does not exist 5.1.2,
  // takes no mail 556 5.1.10 (RFC 7505), has nothing usable 5.4.4, or leads back to this relay 5.4.6.
  message::Outcome::Kind kind = message::Outcome::Kind::later;
  std::uint16_t code = 0;  // 556 for a null MX, else 0
  smtp::EnhancedCode enhanced;
  std::string text;
  Instant good_until;  // the verdict
  [[nodiscard]] message::Outcome outcome() const { return {kind, code, enhanced, text}; }
};

// An address of a host, and the address that this machine would speak from; none: it has no way there.
struct Candidate {
  SocketAddress address;
  std::optional<SocketAddress> source;
};
// RFC 6724 6: the order in which a host's addresses are tried, best first; equals stay in their order. Pure.
void order_by_rules(std::vector<Candidate>& candidates);

// One search: a named member of who waits, at most one at a time. Destroying or cancelling it ends it.
class Search : public Link<Search> {
 public:
  using Handler = void (*)(void* owner, const Finding&);
  Search(void* owner, Handler handler);
  ~Search();
  [[nodiscard]] bool searching() const { return work_ != nullptr; }
  void cancel();

 private:
  friend class Finder;
  struct Work;
  void* owner_;
  Handler handler_;
  std::unique_ptr<Work> work_;
};

class Finder {
 public:
  // `lookup` and the ring outlive it.
  Finder(ring::Ring&, dns::Lookup& lookup, std::shared_ptr<const config::Config>);
  ~Finder();
  // The hosts of a destination; the handler is called once, never from inside. The route is copied.
  void find(const Route&, View name, Search&);
  void reconfigure(std::shared_ptr<const config::Config>);

 private:
  friend struct Search::Work;
  struct Parts;
  std::unique_ptr<Parts> parts_;
};

}  // namespace ringpost::route
