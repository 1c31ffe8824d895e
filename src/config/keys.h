// The key table: each key of the configuration, described once. Everything that knows keys by name (reading, explain,
// diff, the reference page, the tests) walks these tables; nothing else lists them.
#pragma once

#include <cstdint>
#include <limits>
#include <span>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "ringpost/config.h"

namespace ringpost::config {

// Where a value lives in its owner: Config, or a Listener or Route of its lists. The type of the place says how the
// value is written: std::uint64_t is a size in octets, std::uint32_t a count, std::uint16_t a port.
template <class Owner, class T>
using Place = T& (*)(Owner&);

template <class Owner>
using Field = std::variant<
    Place<Owner, std::string>, Place<Owner, bool>, Place<Owner, std::uint16_t>, Place<Owner, std::uint32_t>,
    Place<Owner, std::uint64_t>, Place<Owner, Duration>, Place<Owner, SocketAddress>, Place<Owner, ListenerKind>,
    Place<Owner, PrivateAddresses>, Place<Owner, std::vector<std::string>>, Place<Owner, std::vector<Duration>>,
    Place<Owner, std::vector<SocketAddress>>, Place<Owner, std::vector<Network>>, Place<Owner, std::vector<RouteHost>>>;

// What a text must look like.
enum class Form : std::uint8_t { path, socket_path, hostname, domain, reply, mailbox, event_type };

enum class When : std::uint8_t { reload, restart };
enum class Effect : std::uint8_t { now, not_yet };

// Of one element where the value is a list: octets, nanoseconds or a count.
struct Bounds {
  std::uint64_t least = 0;
  std::uint64_t most = std::numeric_limits<std::uint64_t>::max();
};

// What all keys have, whoever owns them.
struct About {
  View path;  // "limits.memory"; of a list's entry without the list's name: "address"
  View text;  // what it means, for the reference page: sentences
  When when = When::reload;
  Effect effect = Effect::now;
  Bounds bounds{};
  Form form = Form::path;
  std::uint16_t default_port =
      0;  // addresses: taken where none is written; 0: one must be written, or is filled in later
  bool needs_port = false;
  bool any_port = false;    // ':0' may be written: the system chooses
  bool required = false;    // in an entry of a list
  bool needs_some = false;  // a list that must not be empty
  View default_text{};      // where the initialiser is not the default: how the default is found
};

template <class Owner>
struct Key {
  About about;
  Field<Owner> field;
};

std::span<const Key<Config>> root_keys();
std::span<const Key<Listener>> listener_keys();
std::span<const Key<Route>> route_keys();

// A heading of the reference page: the part of the path before the last dot, "" for the keys above all tables.
struct Section {
  View name;
  View text;
  bool list = false;  // [[name]]: its keys are those of the list's owner
};
std::span<const Section> sections();

// "receive.timeouts.data" → "receive.timeouts"; "cores" → "".
constexpr View section_of(View path) {
  const std::size_t dot = path.rfind('.');
  return dot == View::npos ? View{} : path.substr(0, dot);
}

// The names of the choices of an enum, in the order of its values.
std::span<const View> choices(ListenerKind);
std::span<const View> choices(PrivateAddresses);

// The value as it would stand in the file.
template <class Owner>
std::string text_of(const Key<Owner>& key, const Owner& owner);

// "size", "list of networks", "one of \"relay\", …".
template <class Owner>
std::string type_of(const Key<Owner>& key);

// The bounds as they would stand in the file, least and most; empty for a type without bounds.
template <class Owner>
std::pair<std::string, std::string> bounds_of(const Key<Owner>& key);

}  // namespace ringpost::config
