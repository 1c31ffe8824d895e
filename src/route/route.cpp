// The Router: patterns in hash tables, each with its place in the file so that the first match of the file wins
// whatever table it is found in. Called by dispatch for each recipient; built at start and at reload.
#include "ringpost/route.h"

#include <algorithm>

namespace ringpost::route {
namespace {

std::string joined(const std::vector<SocketAddress>& hosts) {
  std::string names;
  for (const SocketAddress& host : hosts) names += (names.empty() ? "" : ",") + host.text();
  return names;
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

std::string no_route_text(View domain) {
  return "no route for domain " + std::string(domain) + ": MX delivery is not available yet";
}

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
      below_.try_emplace(from.domain, match);
      longest_below_ = std::max(longest_below_, from.domain.size());
    } else {
      exact_.try_emplace(from.domain, match);
    }
  }
  add({std::string(kNoRouteName), {}, config.deliver.manners});
}

// The first route of some hosts gives them their plain name, so that a reload that changes only manners keeps the name
// and with it the queue; another one with the same hosts and other manners says them in its name.
const Route* Router::destination(const config::Route& from) {
  std::string name = joined(from.hosts);
  const Route* known = by_name(name);
  if (known != nullptr && known->manners != from.manners) {
    name += told(from.manners);
    known = by_name(name);
  }
  if (known != nullptr) return known;
  return add({std::move(name), from.hosts, from.manners});
}

const Route* Router::add(Route route) {
  const Route* added = &destinations_.emplace_back(std::move(route));
  names_.emplace(added->name, added);
  return added;
}

const Route& Router::find(View domain) const {
  if (domain.empty()) domain = hostname_;
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
  return best ? *best->route : destinations_.back();
}

const Route* Router::by_name(View name) const {
  const auto found = names_.find(name);
  return found == names_.end() ? nullptr : found->second;
}

}  // namespace ringpost::route
