// docs/configuration.md, written from the key table. Changed only by changing the table: a test compares the two.
#include <fmt/format.h>

#include "tables.h"

namespace ringpost::config {
namespace {

constexpr View kHead =
    R"(<!-- Written by `ringpost config-reference` from the key table (src/config/keys.cpp). Edit that, not this. -->

# Configuration

Ringpost reads one TOML file: `ringpost serve --config FILE`. Every key is below, with its default; a file needs only a
`[[listener]]`, a `[[route]]` and the keys that differ. Without `--config` an embedded configuration serves this machine
alone: `ringpost check --explain` prints it key by key.

- `ringpost check --config FILE` names every error as `file:line: key: what is wrong: what would be right`, then the keys
  that have no effect yet and the memory that the file asks for. It exits with 0, or 2 when there are errors.
- `ringpost check --config FILE --explain` prints the effective value of each key and the line it comes from.
- **Durations** are texts with a unit: `"500ms"`, `"30s"`, `"5m"`, `"4h"`, `"5d"`, or several added up: `"1h30m"`.
- **Sizes** are texts with a unit, `"64K"`, `"50M"`, `"2G"`, `"1T"` (powers of 1024), or a plain number of octets.
- **Addresses** are `"192.0.2.1:25"` or `"[2001:db8::1]:25"`; networks are `"10.0.0.0/8"` or `"2001:db8::/32"`.
- **Reload**: SIGHUP reads the file again and takes over the keys marked *reload*; it names those that changed and need a
  restart, and keeps their old value. A file with errors changes nothing.
)";

template <class Owner>
std::string default_of(const Key<Owner>& key) {
  if (key.about.required) return "required";
  if (key.about.default_text.empty()) return fmt::format("default `{}`", text_of(key, Owner{}));
  const bool is_key = std::is_same_v<Owner, Route>;
  return is_key ? fmt::format("default: as `{}`", key.about.default_text)
                : fmt::format("default: {}", key.about.default_text);
}

template <class Owner>
std::string entry(const Key<Owner>& key) {
  const About& about = key.about;
  const std::string range = range_of(key);
  std::string out = fmt::format("\n**`{}`** — {} · {}", about.path, type_of(key), default_of(key));
  if (!range.empty()) out += fmt::format(" · {}", range);
  out += about.when == When::kReload ? " · *reload*" : " · *restart*";
  if (about.effect == Effect::kNotYet) out += " · **no effect yet**";
  return out + fmt::format("  \n{}\n", about.text);
}

std::string heading(const Section& section) {
  if (section.name.empty()) return "\n## The relay\n";
  return section.list ? fmt::format("\n## `[[{}]]`\n", section.name) : fmt::format("\n## `[{}]`\n", section.name);
}

}  // namespace

std::string reference_page() {
  std::string page(kHead);
  const auto add_all = [&page](const auto& keys) {
    for (const auto& key : keys) page += entry(key);
  };
  for (const Section& section : sections()) {
    page += heading(section) + fmt::format("\n{}\n", section.text);
    if (section.name == "listener") {
      add_all(listener_keys());
    } else if (section.name == "route") {
      add_all(route_keys());
    } else {
      for (const Key<Config>& key : root_keys()) {
        if (section_of(key.about.path) == section.name) page += entry(key);
      }
    }
  }
  return page;
}

}  // namespace ringpost::config
