// What an operator is told: problems, effective values, and what a reload changes.
#include <algorithm>

#include "keys.h"

namespace ringpost::config {

std::string Problem::text() const {
  std::string out = file + ":" + std::to_string(line) + ": ";
  if (!key.empty()) out += key + ": ";
  out += what;
  if (!remedy.empty()) out += ": " + remedy;
  return out;
}

std::string explain(std::span<const Setting> settings) {
  constexpr std::size_t kMaxValueColumn = 40;  // a longer value pushes only its own origin aside
  std::size_t key_width = 0;
  std::size_t value_width = 0;
  for (const Setting& setting : settings) {
    key_width = std::max(key_width, setting.key.size());
    if (setting.value.size() <= kMaxValueColumn) value_width = std::max(value_width, setting.value.size());
  }
  std::string out;
  const auto padded = [&out](const std::string& text, std::size_t width) {
    out += text;
    if (text.size() < width) out.append(width - text.size(), ' ');
  };
  for (const Setting& setting : settings) {
    padded(setting.key, key_width);
    out += " = ";
    padded(setting.value, value_width);
    out += "  # " + setting.origin + "\n";
  }
  return out;
}

namespace {

template <class Owner>
void compare(std::span<const Key<Owner>> keys, const Owner& before, const Owner& after, const std::string& list,
             std::vector<Change>& changes) {
  for (const Key<Owner>& key : keys) {
    std::string old_text = text_of(key, before);
    std::string new_text = text_of(key, after);
    if (old_text == new_text) continue;
    changes.push_back(
        {list + std::string(key.about.path), std::move(old_text), std::move(new_text), key.about.when == When::reload});
  }
}

template <class Owner>
void compare_lists(View name, std::span<const Key<Owner>> keys, const std::vector<Owner>& before,
                   const std::vector<Owner>& after, std::vector<Change>& changes) {
  for (std::size_t i = 0; i < std::min(before.size(), after.size()); ++i) {
    compare(keys, before[i], after[i], std::string(name) + "[" + std::to_string(i + 1) + "].", changes);
  }
  if (before.size() == after.size()) return;
  const bool reloadable =
      std::all_of(keys.begin(), keys.end(), [](const Key<Owner>& key) { return key.about.when == When::reload; });
  changes.push_back({std::string(name), std::to_string(before.size()) + " entries",
                     std::to_string(after.size()) + " entries", reloadable});
}

}  // namespace

std::vector<Change> diff(const Config& before, const Config& after) {
  std::vector<Change> changes;
  compare(root_keys(), before, after, "", changes);
  compare_lists("listener", listener_keys(), before.listeners, after.listeners, changes);
  compare_lists("route", route_keys(), before.routes, after.routes, changes);
  return changes;
}

Config reloaded(const Config& before, const Config& after) {
  Config result = after;
  result.listeners = before.listeners;  // each key of a listener needs a restart
  Config source = before;
  for (const Key<Config>& key : root_keys()) {
    if (key.about.when == When::reload) continue;
    std::visit([&](auto place) { place(result) = place(source); }, key.field);
  }
  return result;
}

std::vector<Network> loopback_networks() {
  SocketAddress six;
  six.family = Family::v6;
  six.octets.back() = 1;
  return {{SocketAddress::v4(127, 0, 0, 0, 0), 8}, {six, 128}};
}

}  // namespace ringpost::config
