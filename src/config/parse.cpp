// From the texts of files to a Config or to all that is wrong with it: the walk over each file's tree by the key table,
// then what no single key can check. Owns nothing that outlives the call; never touches the disk.
#include <algorithm>
#include <numeric>
#include <tuple>

#include "reader.h"
#include "ringpost/base/limits.h"

namespace ringpost::config {

void Report::problem(unsigned line, std::string key, std::string what, std::string remedy) {
  problems.push_back({file, line, std::move(key), std::move(what), std::move(remedy)});
}

void Report::problem(const Spot& at, std::string key, std::string what, std::string remedy) {
  problems.push_back({at.file, at.line, std::move(key), std::move(what), std::move(remedy)});
}

void Report::note(const Spot& at, std::string key, std::string what, std::string remedy) {
  notes.push_back({at.file, at.line, std::move(key), std::move(what), std::move(remedy)});
}

namespace {

std::vector<std::string> known_paths() {
  std::vector<std::string> paths;
  for (const KeyFacts& key : keys()) paths.push_back(key.list.empty() ? key.name : key.list + "." + key.name);
  return paths;
}

// Levenshtein distance.
std::size_t distance(View a, View b) {
  std::vector<std::size_t> row(b.size() + 1);
  std::iota(row.begin(), row.end(), std::size_t{0});
  for (std::size_t i = 0; i < a.size(); ++i) {
    std::size_t diagonal = row[0];
    row[0] = i + 1;
    for (std::size_t j = 0; j < b.size(); ++j) {
      const std::size_t replaced = diagonal + (ascii_lower(a[i]) == ascii_lower(b[j]) ? 0 : 1);
      diagonal = row[j + 1];
      row[j + 1] = std::min({replaced, row[j] + 1, row[j + 1] + 1});
    }
  }
  return row[b.size()];
}

View last_part(View path) { return path.substr(path.rfind('.') + 1); }

constexpr std::size_t kMaxGuessed = 64;  // octets: a longer name was never meant to be one of ours

}  // namespace

std::string nearest_key(View path, const std::vector<std::string>& known) {
  if (path.size() > kMaxGuessed) return {};
  std::string best;
  std::size_t nearest = std::max<std::size_t>(2, last_part(path).size() / 3) + 1;
  for (const std::string& candidate : known) {
    // The right name in the wrong table is as near as one wrong letter.
    const std::size_t away = std::min(distance(path, candidate), distance(last_part(path), last_part(candidate)) + 1);
    if (away >= nearest) continue;
    nearest = away;
    best = candidate;
  }
  return best;
}

namespace {

template <class Owner>
const Key<Owner>* find_key(std::span<const Key<Owner>> keys, View path) {
  const auto found = std::find_if(keys.begin(), keys.end(), [&](const auto& key) { return key.about.path == path; });
  return found == keys.end() ? nullptr : &*found;
}

template <class Owner>
bool is_table_of_keys(std::span<const Key<Owner>> keys, View path) {
  const std::string below = std::string(path) + ".";
  return std::any_of(keys.begin(), keys.end(), [&](const auto& key) { return key.about.path.starts_with(below); });
}

bool is_list_name(View name) {
  return std::any_of(sections().begin(), sections().end(), [&](const Section& s) { return s.list && s.name == name; });
}

// One configuration being read: a file, and what stands behind it in conf.d.
class Reading {
 public:
  explicit Reading(const Surroundings& surroundings) : surroundings_(surroundings) {}

  Checked run(std::span<const Text> texts);

 private:
  void read(std::span<const Text> texts);
  std::unexpected<std::vector<Problem>> give_up(std::span<const Text> texts);
  template <class Owner>
  void read_table(const Node& table, const std::string& path, const std::string& shown,
                  std::span<const Key<Owner>> keys, Owner& owner, Lines& lines);
  template <class Owner>
  void read_member(const Member& member, const std::string& path, const std::string& shown,
                   std::span<const Key<Owner>> keys, Owner& owner, Lines& lines);
  template <class Owner>
  void read_entries(const Node& root, View name, std::span<const Key<Owner>> keys, std::vector<Owner>& owners,
                    const Owner& initial, std::vector<Lines>& lines);
  void unknown(const Member& member, const std::string& path, const std::string& shown);

  void fill_in();
  void check_whole();
  void check_control();
  void check_listeners();
  void check_routes();
  void note_keys_without_effect();
  void gather_settings();

  [[nodiscard]] Spot spot_of(View path) const {
    const auto found = lines_.find(path);
    return found == lines_.end() ? Spot{.file = loaded_.file} : found->second;
  }
  [[nodiscard]] static std::string origin(View path, const Lines& lines, bool inherits);

  const Surroundings& surroundings_;
  Report report_;
  Loaded loaded_;
  Lines lines_;
  std::vector<Lines> listener_lines_;  // one for each of config.listeners; the entry's own line stands under ""
  std::vector<Lines> route_lines_;
};

Checked Reading::run(std::span<const Text> texts) {
  loaded_.file = texts.front().name;
  read(texts);
  if (report_.problems.empty()) {
    fill_in();
    check_whole();
  }
  if (!report_.problems.empty()) return give_up(texts);
  gather_settings();
  loaded_.notes = std::move(report_.notes);
  return std::move(loaded_);
}

// Every file's keys come before any file's entries: an entry starts with what the keys say, wherever they stand.
void Reading::read(std::span<const Text> texts) {
  Config& config = loaded_.config;
  std::vector<std::pair<std::string, Node>> trees;
  for (const Text& text : texts) {
    report_.file = text.name;
    if (auto root = read_toml(text.text)) {
      read_table(*root, "", "", root_keys(), config, lines_);
      trees.emplace_back(text.name, *std::move(root));
    } else {
      report_.problem(root.error().line, "", root.error().what, "");
    }
  }
  Route route;
  route.manners = config.deliver.manners;
  for (const auto& [name, root] : trees) {
    report_.file = name;
    read_entries(root, "listener", listener_keys(), config.listeners, Listener{}, listener_lines_);
    read_entries(root, "route", route_keys(), config.routes, route, route_lines_);
  }
}

std::unexpected<std::vector<Problem>> Reading::give_up(std::span<const Text> texts) {
  const auto number_of = [&](const std::string& file) {
    return std::find_if(texts.begin(), texts.end(), [&](const Text& text) { return text.name == file; }) -
           texts.begin();
  };
  std::sort(report_.problems.begin(), report_.problems.end(), [&](const Problem& a, const Problem& b) {
    return std::tuple(number_of(a.file), a.line, View(a.key), View(a.what)) <
           std::tuple(number_of(b.file), b.line, View(b.key), View(b.what));
  });
  return std::unexpected(std::move(report_.problems));
}

template <class Owner>
void Reading::read_table(const Node& table, const std::string& path, const std::string& shown,
                         std::span<const Key<Owner>> keys, Owner& owner, Lines& lines) {
  for (const Member& member : table.members) {
    const std::string dot = path.empty() ? "" : ".";
    const std::string shown_dot = shown.empty() ? "" : ".";
    read_member(member, path + dot + member.name, shown + shown_dot + member.name, keys, owner, lines);
  }
}

template <class Owner>
void Reading::read_member(const Member& member, const std::string& path, const std::string& shown,
                          std::span<const Key<Owner>> keys, Owner& owner, Lines& lines) {
  if (const Key<Owner>* key = find_key(keys, path)) {
    lines[path] = {report_.file, member.line};
    read_value(*key, member.value, shown, owner, report_);
  } else if (is_table_of_keys(keys, path)) {
    if (member.value.kind == Node::Kind::table) {
      read_table(member.value, path, shown, keys, owner, lines);
    } else {
      report_.problem(member.line, shown, "is " + std::string(kind_name(member.value)),
                      "expected a table: write its keys below [" + path + "]");
    }
  } else if (!std::is_same_v<Owner, Config> || !is_list_name(path)) {
    unknown(member, path, shown);
  }
}

void Reading::unknown(const Member& member, const std::string& path, const std::string& shown) {
  // An entry's key is looked for with its list's name in front: "listener[2].adress" as "listener.adress".
  const std::string whole = shown == path ? path : shown.substr(0, shown.find('[')) + "." + path;
  const std::string near = nearest_key(whole, known_paths());
  report_.problem(member.line, shown, "is unknown",
                  near.empty() ? "the keys are listed in docs/configuration.md" : "did you mean " + near + "?");
}

template <class Owner>
void Reading::read_entries(const Node& root, View name, std::span<const Key<Owner>> keys, std::vector<Owner>& owners,
                           const Owner& initial, std::vector<Lines>& lines) {
  const auto found =
      std::find_if(root.members.begin(), root.members.end(), [&](const Member& m) { return m.name == name; });
  if (found == root.members.end()) return;
  const std::string heading = "[[" + std::string(name) + "]]";
  if (found->value.kind != Node::Kind::list) {
    report_.problem(found->line, found->name, "is " + std::string(kind_name(found->value)),
                    "expected a list of tables: write " + heading);
    return;
  }
  for (const Node& entry : found->value.items) {
    const std::string shown = found->name + "[" + std::to_string(owners.size() + 1) + "]";
    owners.push_back(initial);
    Lines& set = lines.emplace_back();
    set[""] = {report_.file, entry.line};
    if (entry.kind != Node::Kind::table) {
      report_.problem(entry.line, shown, "is " + std::string(kind_name(entry)), "expected a table: write " + heading);
      continue;
    }
    read_table(entry, "", shown, keys, owners.back(), set);
    for (const Key<Owner>& key : keys) {
      if (!key.about.required || set.contains(key.about.path)) continue;
      report_.problem(entry.line, shown + "." + std::string(key.about.path), "is missing", expected_value(key));
    }
  }
}

// What the file leaves to the system or to other keys.
void Reading::fill_in() {
  Config& config = loaded_.config;
  if (config.hostname.empty()) {
    const bool usable =
        is_domain(surroundings_.hostname) && std::all_of(surroundings_.hostname.begin(), surroundings_.hostname.end(),
                                                         [](char c) { return (c & 0x80) == 0; });
    config.hostname = usable ? surroundings_.hostname : "localhost";
  }
  if (!lines_.contains("limits.sessions")) {
    const std::uint64_t beside = std::min(config.limits.memory, kMemoryBesideSessions);
    const std::uint64_t room = (config.limits.memory - beside) / kMemoryOfSession;
    config.limits.sessions =
        static_cast<std::uint32_t>(std::clamp<std::uint64_t>(room, kFewestSessions, config.limits.sessions));
  }
  for (Route& route : config.routes) {
    for (RouteHost& host : route.hosts) {
      if (host.address.port == 0) host.address.port = config.deliver.port;
    }
  }
  if (config.dns.servers.empty()) config.dns.servers = name_servers(surroundings_.resolv_conf);
  config.hosts = named_addresses(surroundings_.hosts);
  config.own_addresses = surroundings_.own_addresses;
}

// Whether any mail goes to hosts that are not written as addresses.
bool looks_up_names(const Config& config) {
  const bool all =
      std::any_of(config.routes.begin(), config.routes.end(), [](const Route& r) { return r.domain == "*"; });
  return !all || std::any_of(config.routes.begin(), config.routes.end(), [](const Route& route) {
    return route.hosts.empty() || std::any_of(route.hosts.begin(), route.hosts.end(),
                                              [](const RouteHost& host) { return !host.name.empty(); });
  });
}

// Only a relay that hands everything to this very machine does not.
bool delivers_elsewhere(const Config& config) {
  const bool all =
      std::any_of(config.routes.begin(), config.routes.end(), [](const Route& r) { return r.domain == "*"; });
  return !all || std::any_of(config.routes.begin(), config.routes.end(), [](const Route& route) {
    return route.hosts.empty() || std::any_of(route.hosts.begin(), route.hosts.end(),
                                              [](const RouteHost& host) { return !host.address.is_loopback(); });
  });
}

void Reading::check_whole() {
  const Config& config = loaded_.config;
  check_listeners();
  check_routes();
  if (config.spool.segment_size % kDiskBlock != 0) {
    report_.problem(spot_of("spool.segment_size"), "spool.segment_size", "is not a multiple of 4K",
                    "expected whole disk blocks, such as \"64M\"");
  }
  if (config.tls.certificate.size() != config.tls.key.size()) {
    report_.problem(spot_of(lines_.contains("tls.certificate") ? "tls.certificate" : "tls.key"), "tls.certificate",
                    "names " + std::to_string(config.tls.certificate.size()) + " files and tls.key " +
                        std::to_string(config.tls.key.size()),
                    "expected one key for each certificate");
  }
  check_control();
  if (!config.hostname.contains('.') && delivers_elsewhere(config)) {
    report_.note(spot_of("hostname"), "hostname", "is \"" + config.hostname + "\", which is no full name",
                 "other servers refuse such an EHLO: set hostname to the name of this machine on the Internet");
  }
  if (config.retry.expire < config.retry.schedule.front()) {
    report_.note(spot_of("retry.expire"), "retry.expire", "is shorter than the first wait of retry.schedule",
                 "mail that fails once will not be tried again");
  }
  if (config.dns.servers.empty() && looks_up_names(config)) {
    report_.note(spot_of("dns.servers"), "dns.servers", "is empty, and /etc/resolv.conf names no server",
                 "mail exchangers cannot be looked up: mail waits until there is one");
  }
  note_keys_without_effect();
}

// Whoever may command may drop mail.
void Reading::check_control() {
  const Control& control = loaded_.config.control;
  if (!control.http.known()) return;
  if (!control.http.is_loopback())
    report_.problem(spot_of("control.http"), "control.http", "is not on loopback",
                    "expected an address like 127.0.0.1:9026; for others, a proxy with TLS in front of it");
  if (control.tokens.empty())
    report_.problem(spot_of("control.http"), "control.http", "is open to every user of this machine",
                    "expected control.tokens beside it, or control.http_socket instead");
}

void Reading::check_listeners() {
  const std::vector<Listener>& listeners = loaded_.config.listeners;
  if (listeners.empty()) {
    report_.problem(Spot{.file = loaded_.file}, "listener", "is missing",
                    "expected at least one [[listener]] with an address");
  }
  for (std::size_t i = 0; i < listeners.size(); ++i) {
    const std::string shown = "listener[" + std::to_string(i + 1) + "]";
    for (std::size_t j = 0; j < i; ++j) {
      if (listeners[i].address != listeners[j].address || listeners[i].address.port == 0) continue;
      report_.problem(listener_lines_[i]["address"], shown + ".address",
                      "is the same as that of listener[" + std::to_string(j + 1) + "]",
                      "expected another address or port");
    }
    if (listeners[i].kind != ListenerKind::relay) {
      report_.note(listener_lines_[i]["kind"], shown + ".kind", "has no effect yet: this listener is not opened",
                   "submission needs AUTH and TLS, which come later");
    }
  }
}

// True where every domain that `later` matches is matched by `earlier` as well.
bool covers(View earlier, View later) {
  if (earlier == "*" || earlier == later) return true;
  return earlier.starts_with('.') && later.size() > earlier.size() && later.ends_with(earlier);
}

void Reading::check_routes() {
  const Config& config = loaded_.config;
  for (std::size_t i = 0; i < config.routes.size(); ++i) {
    const Route& route = config.routes[i];
    const std::string shown = "route[" + std::to_string(i + 1) + "]";
    for (std::size_t j = 0; j < i; ++j) {
      if (!covers(config.routes[j].domain, route.domain)) continue;
      report_.note(route_lines_[i]["domain"], shown + ".domain",
                   "is never reached: route[" + std::to_string(j + 1) + "] matches the same domains",
                   "put the narrower route first");
      break;
    }
    for (const Listener& listener : config.listeners) {
      const RouteHost itself{listener.address, {}};
      if (std::find(route.hosts.begin(), route.hosts.end(), itself) == route.hosts.end()) continue;
      report_.note(route_lines_[i]["host"], shown + ".host", "is a listener of this relay",
                   "mail on this route goes round until receive.max_received ends it");
    }
  }
}

void Reading::note_keys_without_effect() {
  for (const Key<Config>& key : root_keys()) {
    const auto line = lines_.find(key.about.path);
    if (key.about.effect == Effect::now || line == lines_.end()) continue;
    report_.note(line->second, std::string(key.about.path), "has no effect yet", "");
  }
}

std::string Reading::origin(View path, const Lines& lines, bool inherits) {
  const auto found = lines.find(path);
  if (found != lines.end()) return found->second.file + ":" + std::to_string(found->second.line);
  if (inherits && path != "host") return "[deliver]";
  return path == "hostname" || path == "dns.servers" ? "system" : "default";
}

void Reading::gather_settings() {
  const auto add = [&](const auto& key, const auto& owner, const Lines& lines, const std::string& list) {
    const std::string path(key.about.path);
    const bool inherits = !list.empty() && !key.about.default_text.empty();
    const auto found = lines.find(path);
    const Spot spot = found == lines.end() ? Spot{.file = "", .line = 0} : found->second;
    loaded_.settings.push_back({list + path, text_of(key, owner), origin(path, lines, inherits), spot.file, spot.line});
  };
  const auto add_entries = [&](const Section& section, const auto& keys, const auto& owners, const auto& lines) {
    for (std::size_t i = 0; i < owners.size(); ++i) {
      const std::string list = std::string(section.name) + "[" + std::to_string(i + 1) + "].";
      for (const auto& key : keys) add(key, owners[i], lines[i], list);
    }
  };
  for (const Section& section : sections()) {
    if (section.name == "listener") {
      add_entries(section, listener_keys(), loaded_.config.listeners, listener_lines_);
    } else if (section.name == "route") {
      add_entries(section, route_keys(), loaded_.config.routes, route_lines_);
    } else {
      for (const Key<Config>& key : root_keys()) {
        if (section_of(key.about.path) == section.name) add(key, loaded_.config, lines_, "");
      }
    }
  }
}

}  // namespace

Checked parse(std::span<const Text> texts, const Surroundings& surroundings) {
  return Reading(surroundings).run(texts);
}

Checked parse(View text, View name, const Surroundings& surroundings) {
  const Text only{std::string(name), std::string(text)};
  return parse(std::span(&only, 1), surroundings);
}

}  // namespace ringpost::config
