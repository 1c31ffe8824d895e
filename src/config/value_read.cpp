// Values from a file: one reader for each type of place, with the word of help that belongs to it.
#include <algorithm>
#include <charconv>
#include <optional>

#include "reader.h"
#include "ringpost/smtp.h"
#include "units.h"

namespace ringpost::config {
namespace {

constexpr std::size_t kMaxPath = 4095;         // octets: PATH_MAX less the terminator
constexpr std::size_t kMaxSocketPath = 107;    // octets: sun_path less the terminator
constexpr std::size_t kMaxBanner = 200;        // octets: leaves room for the host name in RFC 5321 4.5.3.1.5's 512
constexpr std::size_t kMaxDomain = 255;        // octets, RFC 5321 4.5.3.1.2
constexpr std::size_t kMaxLabel = 63;          // octets, RFC 1035 2.3.4
constexpr std::size_t kMaxListLength = 10000;  // elements of one list value

// What is wrong with a value; the remedy is the type's own.
using Wrong = std::optional<std::string>;

bool is_control(char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; }

Wrong unfit(const Node& node) { return "is " + std::string(kind_name(node)); }

Wrong outside(View shown) { return std::string(shown) + " is outside the range"; }

// ---- One function a type: `to` is changed only when all is well. ----

Wrong read_path(View text, std::size_t most) {
  if (std::any_of(text.begin(), text.end(), is_control)) return "contains a control character";
  if (text.size() > most) return "is longer than " + std::to_string(most) + " octets";
  return std::nullopt;
}

Wrong read_hostname(View text) {
  if (text.starts_with('[')) {
    const auto literal = SocketAddress::parse(text);
    return literal && literal->port == 0 && text.ends_with(']') ? Wrong{} : quoted(text) + " is no address literal";
  }
  if (!is_domain(text) || !std::all_of(text.begin(), text.end(), [](char c) { return (c & 0x80) == 0; })) {
    return quoted(text) + " is no host name";
  }
  return std::nullopt;
}

// "*", "*.example.net" (kept as ".example.net"), ".example.net", "example.net", "[192.0.2.1]"; kept in lower case.
Wrong read_domain(View text, std::string& to) {
  View name = text;
  if (name.starts_with("*.")) name.remove_prefix(1);
  const View labels = name.starts_with('.') ? name.substr(1) : name;
  if (text != "*" && (text.starts_with('[') ? read_hostname(text).has_value() : !is_domain(labels))) {
    return quoted(text) + " is no domain";
  }
  to.assign(name);
  std::transform(to.begin(), to.end(), to.begin(), ascii_lower);
  return std::nullopt;
}

Wrong read_reply(View text) {
  if (std::any_of(text.begin(), text.end(), [](char c) { return c < 0x20 || c > 0x7e; })) {
    return "contains something else than printable ASCII";
  }
  if (text.size() > kMaxBanner) return "is longer than " + std::to_string(kMaxBanner) + " octets";
  return std::nullopt;
}

Wrong read_mailbox(View text) {
  if (text.empty()) return std::nullopt;
  const auto address = smtp::parse_mailbox(text);
  return address && !address->utf8 ? Wrong{} : quoted(text) + " is no mail address in ASCII";
}

Wrong read(const Node& node, const About& about, std::string& to) {
  if (node.kind != Node::Kind::text) return unfit(node);
  if (about.needs_some && node.text.empty()) return "is empty";
  if (about.form == Form::domain) return read_domain(node.text, to);
  Wrong wrong;
  switch (about.form) {
    case Form::path:
      wrong = read_path(node.text, kMaxPath);
      break;
    case Form::socket_path:
      wrong = read_path(node.text, kMaxSocketPath);
      break;
    case Form::hostname:
      wrong = read_hostname(node.text);
      break;
    case Form::reply:
      wrong = read_reply(node.text);
      break;
    case Form::mailbox:
      wrong = read_mailbox(node.text);
      break;
    case Form::event_type:
      if (std::ranges::find(kEventTypes, View{node.text}) == std::end(kEventTypes))
        wrong = quoted(node.text) + " is no type of event";
      break;
    case Form::domain:
      break;
  }
  if (!wrong) to = node.text;
  return wrong;
}

Wrong read(const Node& node, const About&, bool& to) {
  if (node.kind != Node::Kind::boolean) return unfit(node);
  to = node.on;
  return std::nullopt;
}

bool within(std::uint64_t value, const Bounds& bounds) { return value >= bounds.least && value <= bounds.most; }

template <class Integer>
Wrong read_integer(const Node& node, const About& about, Integer& to) {
  if (node.kind != Node::Kind::integer) return unfit(node);
  const auto value = static_cast<std::uint64_t>(node.integer);
  if (node.integer < 0 || !within(value, about.bounds) || value > std::numeric_limits<Integer>::max()) {
    return outside(std::to_string(node.integer));
  }
  to = static_cast<Integer>(value);
  return std::nullopt;
}
Wrong read(const Node& node, const About& about, std::uint16_t& to) { return read_integer(node, about, to); }
Wrong read(const Node& node, const About& about, std::uint32_t& to) { return read_integer(node, about, to); }

Wrong read(const Node& node, const About& about, std::uint64_t& to) {
  if (node.kind == Node::Kind::integer) return read_integer(node, about, to);
  if (node.kind != Node::Kind::text) return unfit(node);
  const auto octets = parse_size(node.text);
  if (!octets) return octets.error().text;
  if (!within(*octets, about.bounds)) return outside(quoted(node.text));
  to = *octets;
  return std::nullopt;
}

Wrong read(const Node& node, const About& about, Duration& to) {
  if (node.kind == Node::Kind::integer) return std::to_string(node.integer) + " lacks a unit";
  if (node.kind != Node::Kind::text) return unfit(node);
  const auto duration = parse_duration(node.text);
  if (!duration) return duration.error().text;
  if (!within(static_cast<std::uint64_t>(duration->count()), about.bounds)) return outside(quoted(node.text));
  to = *duration;
  return std::nullopt;
}

Wrong read(const Node& node, const About& about, SocketAddress& to) {
  if (node.kind != Node::Kind::text) return unfit(node);
  if (node.text.empty() && !about.required) {
    to = {};
    return std::nullopt;
  }
  const auto address = SocketAddress::parse(node.text, about.default_port);
  if (!address) return address.error().text;
  if (address->port == 0) {
    const bool written = node.text.ends_with(":0");
    if (written ? !about.any_port : about.needs_port) return quoted(node.text) + " has no port";
  }
  to = *address;
  return std::nullopt;
}

// "mail.example.net", "mail.example.net:2525". A last label of digits alone is an address that went wrong.
std::optional<RouteHost> read_host_name(View text) {
  RouteHost host;
  const std::size_t colon = text.find(':');
  const View name = text.substr(0, colon);
  const View last = name.substr(name.rfind('.') + 1);
  if (!is_domain(name) || std::all_of(last.begin(), last.end(), is_digit)) return std::nullopt;
  if (colon != View::npos) {
    const View port = text.substr(colon + 1);
    const auto [end, error] = std::from_chars(port.data(), port.data() + port.size(), host.address.port);
    if (error != std::errc{} || end != port.data() + port.size() || host.address.port == 0) return std::nullopt;
  }
  host.name.assign(name);
  std::transform(host.name.begin(), host.name.end(), host.name.begin(), ascii_lower);
  return host;
}

Wrong read(const Node& node, const About& about, RouteHost& to) {
  if (node.kind == Node::Kind::text) {
    if (auto host = read_host_name(node.text)) {
      to = *std::move(host);
      return std::nullopt;
    }
  }
  return read(node, about, to.address);
}

Wrong read(const Node& node, const About&, Network& to) {
  if (node.kind != Node::Kind::text) return unfit(node);
  const auto network = Network::parse(node.text);
  if (!network) return network.error().text;
  to = *network;
  return std::nullopt;
}

template <class Enum>
Wrong read_choice(const Node& node, Enum& to) {
  if (node.kind != Node::Kind::text) return unfit(node);
  const auto names = choices(to);
  const auto found = std::find(names.begin(), names.end(), node.text);
  if (found == names.end()) return quoted(node.text) + " is unknown";
  to = static_cast<Enum>(found - names.begin());
  return std::nullopt;
}
Wrong read(const Node& node, const About&, ListenerKind& to) { return read_choice(node, to); }
Wrong read(const Node& node, const About&, PrivateAddresses& to) { return read_choice(node, to); }

// Text, where each element is reported at its own line. A single value stands for a list of one.
template <class T>
bool read_list(const Node& node, const About& about, const std::string& name, const std::string& remedy,
               std::vector<T>& to, Report& report) {
  const std::span<const Node> items =
      node.kind == Node::Kind::list ? std::span<const Node>(node.items) : std::span<const Node>(&node, 1);
  if (items.empty() && about.needs_some) {
    report.problem(node.line, name, "is an empty list", remedy);
    return false;
  }
  if (items.size() > kMaxListLength) {
    report.problem(node.line, name, "has more than " + std::to_string(kMaxListLength) + " elements", remedy);
    return false;
  }
  About element = about;
  element.required = element.needs_some = true;
  std::vector<T> values(items.size());
  bool good = true;
  for (std::size_t i = 0; i < items.size(); ++i) {
    if (const Wrong wrong = read(items[i], element, values[i])) {
      report.problem(items[i].line, name, *wrong, remedy);
      good = false;
    }
  }
  if (good) to = std::move(values);
  return good;
}

std::string example(const std::string&, Form form) {
  switch (form) {
    case Form::path:
      return "a path such as \"/var/spool/ringpost\"";
    case Form::socket_path:
      return "a path of at most " + std::to_string(kMaxSocketPath) + " octets";
    case Form::hostname:
      return "a name such as \"mx1.example.net\"";
    case Form::domain:
      return "a domain such as \"example.net\" or \"*.example.net\", or \"*\"";
    case Form::reply:
      return "a text of at most " + std::to_string(kMaxBanner) + " printable characters";
    case Form::mailbox:
      return "an address such as \"postmaster@example.net\"";
    case Form::event_type: {
      std::string all = "one of";
      for (const View name : kEventTypes) all.append(all.ends_with("of") ? " " : ", ").append(quoted(name));
      return all;
    }
  }
  return "a text";
}
std::string example(bool, Form) { return "true or false"; }
std::string example(std::uint16_t, Form) { return "a port"; }
std::string example(std::uint32_t, Form) { return "a number"; }
std::string example(std::uint64_t, Form) { return "a size such as \"512K\", \"64M\" or \"2G\""; }
std::string example(Duration, Form) { return "a duration such as \"500ms\", \"30s\", \"5m\", \"1h30m\" or \"2d\""; }
std::string example(const SocketAddress&, Form) { return "an address such as \"127.0.0.1:2525\" or \"[::1]:2525\""; }
std::string example(const std::vector<std::string>&, Form form) {
  return example(std::string{}, form) + ", or a list of them";
}
std::string example(const std::vector<Duration>&, Form) { return "a list such as [\"5m\", \"1h\"]"; }
std::string example(const std::vector<SocketAddress>&, Form) {
  return "an address such as \"192.0.2.1:25\" or \"[2001:db8::1]:25\", or a list of them";
}
std::string example(const std::vector<RouteHost>&, Form) {
  return "an address or a name such as \"192.0.2.1:25\", \"[2001:db8::1]:25\" or \"mail.example.net\", or a list of "
         "them";
}
std::string example(const std::vector<Network>&, Form) { return "a list such as [\"10.0.0.0/8\", \"2001:db8::/32\"]"; }

}  // namespace

template <class Owner>
std::string expected_value(const Key<Owner>& key) {
  Owner owner;
  const auto [least, most] = bounds_of(key);
  const std::string what = std::visit(
      [&](auto place) -> std::string {
        if constexpr (requires { example(place(owner), key.about.form); }) {
          return example(place(owner), key.about.form);
        } else {
          return type_of(key);  // a choice: the names are the example
        }
      },
      key.field);
  return "expected " + what + (least.empty() ? "" : " (" + least + " to " + most + ")");
}

template <class Owner>
void read_value(const Key<Owner>& key, const Node& node, const std::string& name, Owner& owner, Report& report) {
  const auto read_into = [&]<class T>(T& to) {
    if constexpr (requires { to.push_back(to.front()); } && !std::is_same_v<T, std::string>) {
      read_list(node, key.about, name, expected_value(key), to, report);
    } else if (const Wrong wrong = read(node, key.about, to)) {
      report.problem(node.line, name, *wrong, expected_value(key));
    }
  };
  std::visit([&](auto place) { read_into(place(owner)); }, key.field);
}

template void read_value(const Key<Config>&, const Node&, const std::string&, Config&, Report&);
template void read_value(const Key<Listener>&, const Node&, const std::string&, Listener&, Report&);
template void read_value(const Key<Route>&, const Node&, const std::string&, Route&, Report&);
template std::string expected_value(const Key<Config>&);
template std::string expected_value(const Key<Listener>&);
template std::string expected_value(const Key<Route>&);

bool is_domain(View text) {
  if (text.empty() || text.size() > kMaxDomain) return false;
  while (true) {
    const View label = text.substr(0, text.find('.'));
    if (label.empty() || label.size() > kMaxLabel || label.front() == '-' || label.back() == '-') return false;
    const bool good = std::all_of(label.begin(), label.end(), [](char c) {
      const char lower = ascii_lower(c);
      return is_digit(c) || (lower >= 'a' && lower <= 'z') || c == '-' || (c & 0x80) != 0;
    });
    if (!good) return false;
    if (label.size() == text.size()) return true;
    text.remove_prefix(label.size() + 1);
  }
}

}  // namespace ringpost::config
