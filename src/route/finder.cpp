// The Finder: mail exchangers and their addresses, by the rules of RFC 5321 5.1.
//
//   MX of the domain ── none ──> the domain itself (implicit MX)
//        │ hosts, by preference, equals shuffled; ours and what is no better dropped
//        v
//   A and AAAA of each host, all at once ──> filtered, ordered (RFC 6724), joined in the hosts' order
//
// A static destination begins at the second step, without the filters.
#include <algorithm>
#include <array>
#include <deque>
#include <utility>

#include <fmt/format.h>

#include "ringpost/base/check.h"
#include "ringpost/route.h"

namespace ringpost::route {
namespace {

using message::Outcome;

constexpr std::uint16_t kNullMx = 556;  // RFC 7504
constexpr smtp::EnhancedCode kNoSuchDomain{5, 1, 2};
constexpr smtp::EnhancedCode kTakesNoMail{5, 1, 10};
constexpr smtp::EnhancedCode kNothingUsable{5, 4, 4};
constexpr smtp::EnhancedCode kLeadsBack{5, 4, 6};
constexpr smtp::EnhancedCode kNoAnswer{4, 4, 3};
constexpr smtp::EnhancedCode kNoRoute{4, 4, 4};
constexpr std::uint16_t kDiscard = 9;  // the port of a socket that sends nothing (RFC 863)

bool is_literal(View name) { return name.starts_with('['); }

bool is_private(const SocketAddress& address) {
  return address.is_loopback() || address.is_unspecified() || address.is_link_local();
}

}  // namespace

struct Finder::Parts {
  Parts(ring::Ring& on, dns::Lookup& by, std::shared_ptr<const config::Config> with)
      : ring(on), lookup(by), config(std::move(with)) {}

  void finish_all();

  ring::Ring& ring;
  dns::Lookup& lookup;
  std::shared_ptr<const config::Config> config;
  List<Search, Search> ended;  // with their findings, to be told at the end of the turn
  ring::Deferred telling{this, ring::call<&Parts::finish_all>};
};

struct Search::Work {
  Work(Finder::Parts& finder, Search& search, const Route& from, View named)
      : my(finder), owner(search), hosts(from.hosts), name(named), by_mx(from.by_mx()) {}

  // A host and its two questions.
  struct Exchanger {
    explicit Exchanger(Work& of) : work(of) {}
    void on_a(const dns::AnswerPointer& answer) { (a_answer = answer), work.on_address(); }
    void on_aaaa(const dns::AnswerPointer& answer) { (aaaa_answer = answer), work.on_address(); }

    Work& work;
    std::string name;
    std::uint16_t preference = 0;
    std::uint16_t port = 0;
    SocketAddress given;               // it is an address
    std::vector<SocketAddress> known;  // of /etc/hosts: nothing is asked
    dns::AnswerPointer a_answer, aaaa_answer;
    dns::Query a{this, dns::answered<&Exchanger::on_a>};
    dns::Query aaaa{this, dns::answered<&Exchanger::on_aaaa>};
  };

  void begin();
  void on_mx(const dns::AnswerPointer& answer);
  void on_address();

  Finder::Parts& my;
  Search& owner;
  std::vector<config::RouteHost> hosts;
  std::string name;
  bool by_mx;
  Finding finding;

 private:
  void begin_static();
  void begin_literal();
  void take_exchangers(const dns::Answer& answer);
  void drop_ours();
  void ask_addresses();
  void conclude();
  std::vector<SocketAddress> usable(Exchanger& exchanger);
  void add_addresses(const Exchanger& exchanger, const std::vector<SocketAddress>& addresses, Hosts& found);
  [[nodiscard]] std::vector<SocketAddress> addresses_of(const Exchanger& exchanger);
  [[nodiscard]] bool is_ours(const SocketAddress& address) const;
  void say(Outcome::Kind kind, smtp::EnhancedCode enhanced, std::string text, Instant until, std::uint16_t code = 0);
  void hold_until(Instant when) { good_until = std::min(good_until, when); }
  void end();

  dns::Query mx{this, dns::answered<&Work::on_mx>};
  std::deque<Exchanger> exchangers;  // stay where they are
  std::size_t unanswered = 0;
  Instant good_until;
  std::string unknown;      // why addresses of a host were not to be had
  std::string refused;      // an address that is not used, and why
  bool missing = false;     // a host does not exist, or has no address
  bool leads_back = false;  // a host is this relay
};

// ---- begin

void Search::Work::begin() {
  good_until = my.ring.now() + kHoldOfAddresses;
  if (!by_mx) return begin_static();
  if (is_literal(name)) return begin_literal();
  if (dns::normal_name(name).empty())
    return say(Outcome::Kind::never, kNoSuchDomain, fmt::format("\"{}\" is no domain name", name), good_until);
  my.lookup.lookup(mx, name, dns::Type::mx);
}

void Search::Work::begin_static() {
  for (const config::RouteHost& host : hosts) {
    Exchanger& made = exchangers.emplace_back(*this);
    made.given = host.address;
    made.port = host.port();
    if (host.address.known()) continue;
    made.name = domain_name(host.name);
    for (const config::NamedAddress& line : my.config->hosts)
      if (line.name == made.name) made.known.push_back(line.address);
  }
  ask_addresses();
}

// RFC 5321 4.1.3: mail to user@[192.0.2.1] goes to that address.
void Search::Work::begin_literal() {
  const auto address = SocketAddress::parse(name, my.config->deliver.port);
  if (!address || !name.ends_with(']'))
    return say(Outcome::Kind::never, kNoSuchDomain, fmt::format("{} is no address", name), good_until);
  Exchanger& made = exchangers.emplace_back(*this);
  made.given = *address;
  made.port = address->port;
  ask_addresses();
}

// ---- mail exchangers

void Search::Work::on_mx(const dns::AnswerPointer& answer) {
  const dns::Answer& said = *answer;
  good_until = std::min(good_until, said.expires);
  switch (said.status) {
    case dns::Status::temporary:
      return say(Outcome::Kind::later, kNoAnswer, said.text, said.expires);
    case dns::Status::no_name:
      // RFC 5321 5.1: a name that does not exist cannot be delivered to.
      return say(Outcome::Kind::never, kNoSuchDomain, said.text, said.expires);
    case dns::Status::no_data: {
      // RFC 5321 5.1: without MX records the domain is its own one.
      Exchanger& itself = exchangers.emplace_back(*this);
      itself.name = said.name.empty() ? name : said.name;
      break;
    }
    case dns::Status::found:
      // RFC 7505 3: "." alone says that the domain takes no mail.
      if (said.mx.size() == 1 && said.mx.front().host.empty())
        return say(Outcome::Kind::never, kTakesNoMail,
                   fmt::format("{} takes no mail: it says so by a null MX record", name), said.expires, kNullMx);
      take_exchangers(said);
      break;
  }
  drop_ours();
  if (exchangers.empty()) return conclude();
  ask_addresses();
}

void Search::Work::take_exchangers(const dns::Answer& answer) {
  std::vector<dns::Mx> all = answer.mx;
  // RFC 5321 5.1: equals in random order, so that many senders spread over them.
  for (std::size_t left = all.size(); left > 1; --left)
    std::swap(all[left - 1], all[static_cast<std::size_t>(my.ring.random().below(left))]);
  std::stable_sort(all.begin(), all.end(),
                   [](const dns::Mx& a, const dns::Mx& b) { return a.preference < b.preference; });
  for (const dns::Mx& each : all) {
    const bool known = std::any_of(exchangers.begin(), exchangers.end(),
                                   [&](const Exchanger& other) { return other.name == each.host; });
    if (each.host.empty() || known || exchangers.size() == kMostExchangers) continue;
    Exchanger& made = exchangers.emplace_back(*this);
    made.name = each.host;
    made.preference = each.preference;
  }
  if (exchangers.empty()) missing = true;
}

// RFC 5321 5.1: a relay that is in the list itself drops that record and all that are no better, else mail goes round.
void Search::Work::drop_ours() {
  const std::string own = domain_name(my.config->hostname);
  const auto ours =
      std::find_if(exchangers.begin(), exchangers.end(), [&](const Exchanger& each) { return each.name == own; });
  if (ours == exchangers.end()) return;
  leads_back = true;
  const std::uint16_t preference = ours->preference;
  while (!exchangers.empty() && exchangers.back().preference >= preference) exchangers.pop_back();
}

// ---- addresses

void Search::Work::ask_addresses() {
  for (Exchanger& each : exchangers) {
    if (by_mx && !each.given.known()) each.port = my.config->deliver.port;
    if (each.given.known() || !each.known.empty()) continue;
    unanswered += 2;
    my.lookup.lookup(each.a, each.name, dns::Type::a);
    my.lookup.lookup(each.aaaa, each.name, dns::Type::aaaa);
  }
  if (unanswered == 0) conclude();
}

void Search::Work::on_address() {
  if (--unanswered == 0) conclude();
}

std::vector<SocketAddress> Search::Work::addresses_of(const Exchanger& exchanger) {
  if (exchanger.given.known()) return {exchanger.given};
  if (!exchanger.known.empty()) return exchanger.known;
  std::vector<SocketAddress> all;
  bool failed = false;
  for (const dns::AnswerPointer& answer : {exchanger.aaaa_answer, exchanger.a_answer}) {
    if (answer->status == dns::Status::temporary) {
      failed = true;
      unknown = answer->text;
      continue;
    }
    hold_until(answer->expires);
    all.insert(all.end(), answer->addresses.begin(), answer->addresses.end());
  }
  // A host of which a part is not known is used as far as it is, but asked about again before long.
  if (failed) hold_until(my.ring.now() + kHoldWithGaps);
  if (!failed && all.empty()) missing = true;
  return all;
}

bool Search::Work::is_ours(const SocketAddress& address) const {
  const auto& own = my.config->own_addresses;
  const bool local = std::any_of(own.begin(), own.end(),
                                 [&](const SocketAddress& each) { return each.with_port(0) == address.with_port(0); });
  return std::any_of(my.config->listeners.begin(), my.config->listeners.end(), [&](const config::Listener& listener) {
    if (listener.address.port != address.port) return false;
    const bool everywhere = listener.address.is_unspecified() && listener.address.family == address.family;
    return listener.address == address || (everywhere && (local || address.is_loopback()));
  });
}

// What may be connected to, of a host of an MX; a route's hosts are the operator's own words.
std::vector<SocketAddress> Search::Work::usable(Exchanger& exchanger) {
  std::vector<SocketAddress> good;
  for (SocketAddress address : addresses_of(exchanger)) {
    address.port = exchanger.port;
    if (!by_mx) {
      good.push_back(address);
    } else if (is_ours(address)) {
      leads_back = true;
    } else if (is_private(address) && my.config->deliver.private_addresses == config::PrivateAddresses::refuse) {
      refused = fmt::format("{} has the address {}, which is not of the Internet",
                            exchanger.name.empty() ? name : exchanger.name, address.address_text());
    } else {
      good.push_back(address);
    }
  }
  return good;
}

void Search::Work::add_addresses(const Exchanger& exchanger, const std::vector<SocketAddress>& addresses,
                                 Hosts& found) {
  if (found.list.size() >= kMostHosts) return;
  // A zone may have hundreds, and each is a question to the kernel: some of each family, at random.
  std::vector<SocketAddress> some = addresses;
  for (std::size_t left = some.size(); left > 1; --left)
    std::swap(some[left - 1], some[static_cast<std::size_t>(my.ring.random().below(left))]);
  std::array<std::size_t, 2> taken{};
  std::erase_if(some, [&taken](const SocketAddress& each) {
    return ++taken[each.family == Family::v6 ? 1 : 0] > kMostAddresses;
  });
  std::vector<Candidate> candidates;
  for (const SocketAddress& address : some) {
    Candidate& made = candidates.emplace_back(Candidate{address, std::nullopt});
    if (some.size() == 1) continue;
    const auto socket = my.ring.datagram_to(address.with_port(kDiscard));
    if (!socket) continue;
    if (const auto source = my.ring.local_address(*socket)) made.source = *source;
    my.ring.close(*socket);
  }
  // Equals in random order here too: an address is not better for being the first in a packet.
  for (std::size_t left = candidates.size(); left > 1; --left)
    std::swap(candidates[left - 1], candidates[static_cast<std::size_t>(my.ring.random().below(left))]);
  order_by_rules(candidates);
  if (candidates.size() > kMostAddresses) candidates.resize(kMostAddresses);
  for (const Candidate& each : candidates) {
    const bool known = std::any_of(found.list.begin(), found.list.end(),
                                   [&](const Host& other) { return other.address == each.address; });
    if (!known && found.list.size() < kMostHosts) found.list.push_back({each.address, exchanger.name});
  }
}

// ---- the end

void Search::Work::conclude() {
  auto found = std::make_shared<Hosts>();
  for (Exchanger& each : exchangers) {
    const bool before = leads_back;
    const std::vector<SocketAddress> addresses = usable(each);
    // By address too, this relay and what is no better are dropped (RFC 5321 5.1).
    if (by_mx && leads_back && !before) {
      const std::uint16_t preference = each.preference;
      std::erase_if(found->list, [&](const Host& host) {
        return std::any_of(exchangers.begin(), exchangers.end(), [&](const Exchanger& other) {
          return other.name == host.name && other.preference >= preference;
        });
      });
      break;
    }
    add_addresses(each, addresses, *found);
  }
  const Instant least = my.ring.now() + kLeastHold;
  const Instant until = std::max(good_until, least);
  if (!found->list.empty()) {
    found->good_until = until;
    finding.hosts = std::move(found);
    return end();
  }
  if (!unknown.empty()) return say(Outcome::Kind::later, kNoAnswer, unknown, least + dns::kFailureTtl);
  if (!by_mx)
    return say(Outcome::Kind::later, kNoRoute, fmt::format("no host of the route {} has an address", name), until);
  if (leads_back)
    return say(Outcome::Kind::never, kLeadsBack,
               fmt::format("the mail exchanger of {} is this relay, which has no other way for it", name), until);
  if (!refused.empty()) return say(Outcome::Kind::never, kNothingUsable, refused, until);
  say(Outcome::Kind::never, kNothingUsable, fmt::format("no mail exchanger of {} has an address", name), until);
}

void Search::Work::say(Outcome::Kind kind, smtp::EnhancedCode enhanced, std::string text, Instant until,
                       std::uint16_t code) {
  finding.kind = kind;
  finding.code = code;
  finding.enhanced = enhanced;
  finding.text = std::move(text);
  finding.good_until = until;
  end();
}

void Search::Work::end() {
  if (finding.hosts) finding.good_until = finding.hosts->good_until;
  my.ended.push_back(owner);
  my.ring.defer(my.telling);
}

void Finder::Parts::finish_all() {
  while (!ended.empty()) {
    Search& search = ended.pop_front();
    const auto work = std::move(search.work_);
    search.handler_(search.owner_, work->finding);
  }
}

// ---- the face

Search::Search(void* owner, Handler handler) : owner_(owner), handler_(handler) {}
Search::~Search() = default;

void Search::cancel() {
  unlink();
  work_.reset();
}

Finder::Finder(ring::Ring& ring, dns::Lookup& lookup, std::shared_ptr<const config::Config> config)
    : parts_(std::make_unique<Parts>(ring, lookup, std::move(config))) {}

Finder::~Finder() = default;

void Finder::find(const Route& route, View name, Search& search) {
  CHECK(!search.searching());
  search.work_ = std::make_unique<Search::Work>(*parts_, search, route, name);
  search.work_->begin();
}

void Finder::reconfigure(std::shared_ptr<const config::Config> config) { parts_->config = std::move(config); }

}  // namespace ringpost::route
