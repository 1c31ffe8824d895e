// Values as text: how each type of key is written in a file, and how its type and bounds are told to a reader.
#include <array>

#include "keys.h"
#include "toml_source.h"

namespace ringpost::config {

// Control octets cannot stand in one as they are.
std::string quoted(View text) {
  constexpr View kHex = "0123456789abcdef";
  std::string out = "\"";
  for (const char c : text) {
    const auto octet = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\') {
      out += '\\';
      out += c;
    } else if (octet < 0x20 || octet == 0x7f) {
      out += "\\u00";
      out += kHex[octet >> 4];
      out += kHex[octet & 15];
    } else {
      out += c;
    }
  }
  return out + "\"";
}

namespace {

// A listener's port says itself; a route's is deliver.port where none is written, and then known only after filling in.
std::string text(const SocketAddress& address) {
  if (!address.known()) return quoted("");
  return quoted(address.port == 0 ? address.literal() : address.text());
}
std::string text(const RouteHost& host) {
  if (host.name.empty()) return text(host.address);
  return quoted(host.port() == 0 ? host.name : host.text());
}
std::string text(const std::string& value) { return quoted(value); }
std::string text(bool value) { return value ? "true" : "false"; }
std::string text(std::uint16_t value) { return std::to_string(value); }
std::string text(std::uint32_t value) { return std::to_string(value); }
std::string text(std::uint64_t value) { return quoted(size_text(value)); }
std::string text(Duration value) { return quoted(duration_text(value)); }
std::string text(const Network& value) { return quoted(value.text()); }
std::string text(ListenerKind value) { return quoted(choices(value)[static_cast<std::size_t>(value)]); }
std::string text(PrivateAddresses value) { return quoted(choices(value)[static_cast<std::size_t>(value)]); }

template <class T>
std::string text(const std::vector<T>& values) {
  std::string out = "[";
  for (const T& value : values) {
    if (out.size() > 1) out += ", ";
    out += text(value);
  }
  return out + "]";
}

std::string one_of(std::span<const View> names) {
  std::string out;
  for (const View name : names) out += (out.empty() ? "" : ", ") + quoted(name);
  return "one of " + out;
}

std::string type_name(const std::string&, Form form) {
  switch (form) {
    case Form::path:
      return "path";
    case Form::socket_path:
      return "path of a socket";
    case Form::hostname:
      return "host name";
    case Form::domain:
      return "domain";
    case Form::reply:
      return "text";
    case Form::mailbox:
      return "mail address";
    case Form::event_type:
      return "event type";
  }
  return "text";
}
std::string type_name(bool, Form) { return "switch"; }
std::string type_name(std::uint16_t, Form) { return "port"; }
std::string type_name(std::uint32_t, Form) { return "count"; }
std::string type_name(std::uint64_t, Form) { return "size"; }
std::string type_name(Duration, Form) { return "duration"; }
std::string type_name(const SocketAddress&, Form) { return "address"; }
std::string type_name(ListenerKind kind, Form) { return one_of(choices(kind)); }
std::string type_name(PrivateAddresses value, Form) { return one_of(choices(value)); }
std::string type_name(const std::vector<std::string>&, Form form) {
  const std::string one = type_name(std::string{}, form);
  return one + " or list of " + one + "s";
}
std::string type_name(const std::vector<Duration>&, Form) { return "list of durations"; }
std::string type_name(const std::vector<SocketAddress>&, Form) { return "address or list of addresses"; }
std::string type_name(const std::vector<RouteHost>&, Form) { return "address or name, or list of them"; }
std::string type_name(const std::vector<Network>&, Form) { return "list of networks"; }

// One bound in the type's own unit; texts and addresses have none.
template <class T>
std::string bound_text(const T&, std::uint64_t) {
  return {};
}
std::string bound_text(std::uint16_t, std::uint64_t bound) { return std::to_string(bound); }
std::string bound_text(std::uint32_t, std::uint64_t bound) { return std::to_string(bound); }
std::string bound_text(std::uint64_t, std::uint64_t bound) { return quoted(size_text(bound)); }
std::string bound_text(Duration, std::uint64_t bound) {
  return quoted(duration_text(Duration{static_cast<std::int64_t>(bound)}));
}
std::string bound_text(const std::vector<Duration>&, std::uint64_t bound) { return bound_text(Duration{}, bound); }

}  // namespace

std::string RouteHost::text() const {
  return name.empty() ? address.text() : name + ":" + std::to_string(address.port);
}

template <class Owner>
std::string text_of(const Key<Owner>& key, const Owner& owner) {
  // A Place gives the address of a member and changes nothing; there is one for reading and writing.
  return std::visit([&](auto place) { return text(place(const_cast<Owner&>(owner))); }, key.field);
}

template <class Owner>
std::string type_of(const Key<Owner>& key) {
  Owner owner;
  return std::visit([&](auto place) { return type_name(place(owner), key.about.form); }, key.field);
}

template <class Owner>
std::pair<std::string, std::string> bounds_of(const Key<Owner>& key) {
  Owner owner;
  const Bounds& bounds = key.about.bounds;
  return std::visit(
      [&](auto place) {
        return std::pair{bound_text(place(owner), bounds.least), bound_text(place(owner), bounds.most)};
      },
      key.field);
}

template std::string text_of(const Key<Config>&, const Config&);
template std::string text_of(const Key<Listener>&, const Listener&);
template std::string text_of(const Key<Route>&, const Route&);
template std::string type_of(const Key<Config>&);
template std::string type_of(const Key<Listener>&);
template std::string type_of(const Key<Route>&);
template std::pair<std::string, std::string> bounds_of(const Key<Config>&);
template std::pair<std::string, std::string> bounds_of(const Key<Listener>&);
template std::pair<std::string, std::string> bounds_of(const Key<Route>&);

}  // namespace ringpost::config
