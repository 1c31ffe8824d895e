// Putting what a file says into its places, and collecting what is wrong with it.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "keys.h"
#include "toml_source.h"

namespace ringpost::config {

// Where something stands.
struct Spot {
  std::string file;
  unsigned line = 1;
};

// All that is said about files while they are read.
struct Report {
  std::string file;  // the one being read
  std::vector<Problem> problems;
  std::vector<Problem> notes;

  void problem(unsigned line, std::string key, std::string what, std::string remedy);
  void problem(const Spot& at, std::string key, std::string what, std::string remedy);
  void note(const Spot& at, std::string key, std::string what, std::string remedy);
};

// Which keys of one owner are set, by path, and where: the last place, which is the one that counts.
using Lines = std::map<std::string, Spot, std::less<>>;

// Sets the place of `key` from `node`; what does not fit goes to `report` under `name` and leaves the place as it was.
template <class Owner>
void read_value(const Key<Owner>& key, const Node& node, const std::string& name, Owner& owner, Report& report);

// "a size such as \"64M\" (16M to 4T)": what would have been right.
template <class Owner>
std::string expected_value(const Key<Owner>& key);

// True for what may stand as a host name or a mail domain: labels of letters, digits and hyphens (RFC 5321 4.1.2), or
// of UTF-8 (RFC 6531), of 1 to 63 octets, 255 in all (4.5.3.1.2).
bool is_domain(View text);

// The name servers that the text of a resolv.conf names (resolv.conf(5)); port 53.
std::vector<SocketAddress> name_servers(View resolv_conf);

// The lines of a hosts file (hosts(5)), a name each; what cannot be read is passed over.
std::vector<NamedAddress> named_addresses(View hosts);

// The known path that `path` was most likely meant to be; empty when none is near.
std::string nearest_key(View path, const std::vector<std::string>& known);

}  // namespace ringpost::config
