// Files of the system that the configuration leans on: who answers questions about names, and the names that nobody has
// to be asked about. Pure functions of their texts; what cannot be read is passed over, as libc does.
#include <algorithm>

#include "reader.h"

namespace ringpost::config {
namespace {

constexpr std::uint16_t kDnsPort = 53;
constexpr std::size_t kMostServers = 8;      // libc takes three
constexpr std::size_t kMostNames = 100'000;  // of a hosts file

bool is_blank(char c) { return c == ' ' || c == '\t' || c == '\r'; }

// Calls each(words) for each line that has some; a comment ends it.
template <class Each>
void for_each_line(View text, View comments, Each&& each) {
  std::vector<View> words;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    View line = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    line = line.substr(0, line.find_first_of(comments));
    words.clear();
    while (!line.empty()) {
      const auto begin = std::find_if_not(line.begin(), line.end(), is_blank);
      const auto stop = std::find_if(begin, line.end(), is_blank);
      if (begin != stop) words.emplace_back(begin, stop);
      line.remove_prefix(static_cast<std::size_t>(stop - line.begin()));
    }
    if (!words.empty()) each(words);
  }
}

// As these files have it: without brackets; a scope id makes it nothing for us.
SocketAddress address_of(View word, std::uint16_t port) {
  const std::string bracketed = word.contains(':') ? "[" + std::string(word) + "]" : std::string(word);
  return SocketAddress::parse(bracketed, port).value_or(SocketAddress{});
}

}  // namespace

std::vector<SocketAddress> name_servers(View resolv_conf) {
  std::vector<SocketAddress> servers;
  for_each_line(resolv_conf, "#;", [&](const std::vector<View>& words) {
    if (words.size() < 2 || words[0] != "nameserver" || servers.size() == kMostServers) return;
    const SocketAddress server = address_of(words[1], kDnsPort);
    if (server.known() && std::find(servers.begin(), servers.end(), server) == servers.end()) servers.push_back(server);
  });
  return servers;
}

std::vector<NamedAddress> named_addresses(View hosts) {
  std::vector<NamedAddress> all;
  for_each_line(hosts, "#", [&](const std::vector<View>& words) {
    const SocketAddress address = address_of(words[0], 0);
    if (!address.known()) return;
    for (std::size_t i = 1; i < words.size() && all.size() < kMostNames; ++i) {
      std::string name(words[i]);
      if (name.ends_with('.')) name.pop_back();
      std::transform(name.begin(), name.end(), name.begin(), ascii_lower);
      if (is_domain(name)) all.push_back({std::move(name), address});
    }
  });
  return all;
}

}  // namespace ringpost::config
