// The Router: patterns in hash tables, each with its place in the file so that the first match of the file wins
// whatever table it is found in. Called by dispatch for each recipient; built at start and at reload.
#include "ringpost/route.h"

#include <algorithm>

namespace ringpost::route {
namespace {

std::string joined(const std::vector<config::RouteHost>& hosts) {
  std::string names;
  for (const config::RouteHost& host : hosts) names += (names.empty() ? "" : ",") + host.text();
  return names;
}

bool is_ascii(View text) {
  return std::all_of(text.begin(), text.end(), [](char c) { return (c & 0x80) == 0; });
}

// Tells apart destinations with the same hosts: all of the manners, since any of them may differ.
std::string told(const config::Manners& manners) {
  std::string text = "/connections=" + std::to_string(manners.connections) +
                     "/messages_per_connection=" + std::to_string(manners.messages_per_connection);
  if (!manners.pipelining) text += "/no-pipelining";
  if (!manners.chunking) text += "/no-chunking";
  if (!manners.overlap) text += "/no-overlap";
  return text;
}

}  // namespace

// FNV-1a over the letters in lower case.
std::size_t Router::Hash::operator()(View domain) const {
  std::uint64_t sum = 0xcbf29ce484222325ULL;
  for (const char c : domain) sum = (sum ^ static_cast<unsigned char>(ascii_lower(c))) * 0x100000001b3ULL;
  return static_cast<std::size_t>(sum ^ (sum >> 32));
}

Router::Router(const config::Config& config) : hostname_(config.hostname) {
  for (std::size_t order = 0; order < config.routes.size(); ++order) {
    const config::Route& from = config.routes[order];
    const Match match{order, destination(from)};
    // try_emplace: an earlier route with the same pattern stays.
    if (from.domain == "*") {
      if (!any_) any_ = match;
    } else if (from.domain.starts_with('.')) {
      const std::string key = "." + domain_name(View(from.domain).substr(1));
      below_.try_emplace(key, match);
      longest_below_ = std::max(longest_below_, key.size());
    } else {
      exact_.try_emplace(domain_name(from.domain), match);
    }
  }
  add({{}, {}, config.deliver.manners});
}

// The first route of some hosts gives them their plain name, so that a reload that changes only manners keeps the name
// and with it the queue; another one with the same hosts and other manners says them in its name. Routes by MX have no
// name: a domain has one route, so the domain's name is enough.
const Route* Router::destination(const config::Route& from) {
  if (from.hosts.empty()) return add({{}, {}, from.manners});
  std::string name = joined(from.hosts);
  const auto known_as = [this](const std::string& wanted) {
    const auto found = names_.find(wanted);
    return found == names_.end() ? nullptr : found->second;
  };
  const Route* known = known_as(name);
  if (known != nullptr && known->manners != from.manners) {
    name += told(from.manners);
    known = known_as(name);
  }
  if (known != nullptr) return known;
  return add({std::move(name), from.hosts, from.manners});
}

const Route* Router::add(Route route) {
  const Route* added = &routes_.emplace_back(std::move(route));
  if (!added->by_mx()) names_.emplace(added->name, added);
  return added;
}

const Route& Router::find(View domain) const {
  if (domain.empty()) domain = hostname_;
  return is_ascii(domain) ? match(domain) : match(domain_name(domain));
}

const Route& Router::match(View domain) const {
  std::optional<Match> best = any_;
  const auto consider = [&best](const Table& table, View key) {
    if (table.empty()) return;
    const auto found = table.find(key);
    if (found != table.end() && (!best || found->second.order < best->order)) best = found->second;
  };
  consider(exact_, domain);
  if (!below_.empty()) {
    for (std::size_t dot = domain.find('.', 1); dot != View::npos; dot = domain.find('.', dot + 1)) {
      const View above = domain.substr(dot);
      if (above.size() <= longest_below_) consider(below_, above);
    }
  }
  return best ? *best->route : routes_.back();
}

Place Router::place(View domain, std::string& scratch) const {
  if (domain.empty()) domain = hostname_;
  const bool ascii = is_ascii(domain);
  if (!ascii) {
    scratch = domain_name(domain);
    domain = scratch;
  }
  const Route& route = match(domain);
  if (!route.by_mx()) return {route.name, &route};
  if (ascii) {
    if (domain.ends_with('.')) domain.remove_suffix(1);
    scratch.resize(domain.size());
    std::transform(domain.begin(), domain.end(), scratch.begin(), ascii_lower);
  }
  return {scratch, &route};
}

// Static names have a port, which no domain has, and no literal behind its bracket.
const Route* Router::by_name(View name) const {
  if (const auto found = names_.find(name); found != names_.end()) return found->second;
  if (name.empty() || (name.contains(':') && !name.ends_with(']'))) return nullptr;
  const Route& route = match(name);
  return route.by_mx() ? &route : nullptr;
}

}  // namespace ringpost::route
