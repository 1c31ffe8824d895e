// docs/configuration.md, written from the key table. Changed only by changing the table: a test compares the two.
#include <fmt/format.h>

#include "keys.h"

namespace ringpost::config {
namespace {

constexpr View kHead =
    R"(<!-- Written by `ringpost config-reference` from the key table (src/config/keys.cpp). Edit that, not this. -->

# Configuration

Ringpost reads a TOML file: `ringpost serve --config FILE`. Every key is below, with its default; a file needs only a
`[[listener]]` and the keys that differ. Without `--config` an embedded configuration serves this machine alone and has
one route for all mail: `ringpost default-config` prints it, to begin a file with.

When the directory `conf.d` stands beside FILE, its files named `*.toml` are read as well, in the order of their names'
octets (`10-listeners.toml` before `20-routes.toml`). They are one configuration: a key counts where it stands last, and
the entries of `[[listener]]` and `[[route]]` follow each other in the order of reading.

- `ringpost check --config FILE` names every error as `file:line: key: what is wrong: what would be right`, then the keys
  that have no effect yet and the memory that the file asks for. It exits with 0, or 2 when there are errors.
- `ringpost check --config FILE --explain` prints the effective value of each key and the line it comes from.
- **Durations** are texts with a unit: `"500ms"`, `"30s"`, `"5m"`, `"4h"`, `"5d"`, or several added up: `"1h30m"`.
- **Sizes** are texts with a unit, `"64K"`, `"50M"`, `"2G"`, `"1T"` (powers of 1024), or a plain number of octets.
- **Addresses** are `"192.0.2.1:25"` or `"[2001:db8::1]:25"`; networks are `"10.0.0.0/8"` or `"2001:db8::/32"`.
- **Reload**: SIGHUP reads the file again and takes over the keys marked *reload*; it names those that changed and need a
  restart, and keeps their old value. A file with errors changes nothing.
)";

// What the table says of the default where it is not a fixed value: for a route, the key that it is taken from.
std::string default_of(const KeyFacts& key, const About& about) {
  if (key.required) return "required";
  if (about.default_text.empty()) return fmt::format("default `{}`", key.initial);
  return key.list.empty() ? fmt::format("default: {}", about.default_text)
                          : fmt::format("default: as `{}`", about.default_text);
}

template <class Owner>
KeyFacts facts_of(const Key<Owner>& key, View list) {
  const About& about = key.about;
  const bool fixed = !about.required && about.default_text.empty();
  auto [least, most] = bounds_of(key);
  return {.name = std::string(about.path),
          .list = std::string(list),
          .type = type_of(key),
          .initial = fixed ? text_of(key, Owner{}) : "",
          .least = std::move(least),
          .most = std::move(most),
          .text = std::string(about.text),
          .required = about.required,
          .reloadable = about.when == When::reload,
          .has_effect = about.effect == Effect::now};
}

std::string entry(const KeyFacts& key, const About& about) {
  std::string out = fmt::format("\n**`{}`** — {} · {}", key.name, key.type, default_of(key, about));
  if (!key.least.empty()) out += fmt::format(" · {} to {}", key.least, key.most);
  out += key.reloadable ? " · *reload*" : " · *restart*";
  if (!key.has_effect) out += " · **no effect yet**";
  return out + fmt::format("  \n{}\n", key.text);
}

std::string heading(const Section& section) {
  if (section.name.empty()) return "\n## The relay\n";
  return section.list ? fmt::format("\n## `[[{}]]`\n", section.name) : fmt::format("\n## `[{}]`\n", section.name);
}

// Calls `take(facts, about)` for each key of the section.
template <class Take>
void for_each_key(const Section& section, Take take) {
  const auto all = [&](const auto& table) {
    for (const auto& key : table) {
      if (section.list || section_of(key.about.path) == section.name) {
        take(facts_of(key, section.list ? section.name : View{}), key.about);
      }
    }
  };
  if (section.name == "listener") return all(listener_keys());
  if (section.name == "route") return all(route_keys());
  all(root_keys());
}

}  // namespace

std::vector<KeyFacts> keys() {
  std::vector<KeyFacts> all;
  for (const Section& section : sections()) {
    for_each_key(section, [&](KeyFacts facts, const About&) { all.push_back(std::move(facts)); });
  }
  return all;
}

std::string reference_page() {
  std::string page(kHead);
  for (const Section& section : sections()) {
    page += heading(section) + fmt::format("\n{}\n", section.text);
    for_each_key(section, [&](const KeyFacts& facts, const About& about) { page += entry(facts, about); });
  }
  return page;
}

}  // namespace ringpost::config
