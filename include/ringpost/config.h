// The configuration: a TOML file and its conf.d → an immutable, checked Config, or the list of everything that is wrong
// with it.
//
// Each key is described once, in the table of src/config/keys.cpp. From that table come reading and checking, `ringpost
// check --explain`, what SIGHUP may change, and docs/configuration.md. The defaults are the initialisers below.
//
// Everything here is a pure function of its arguments except load() and Surroundings::of_this_system(), which block on
// the disk: they run before the loops start or on a helper thread. Nothing throws. A Config is never changed once it is
// shared; a reload makes a new one, and who holds the old one goes on with it to the end of what it does.
#pragma once

#include <cstdint>
#include <expected>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "ringpost/base/address.h"
#include "ringpost/base/bytes.h"
#include "ringpost/base/result.h"
#include "ringpost/base/time.h"

namespace ringpost::config {

constexpr std::uint64_t kKibi = 1024;
constexpr std::uint64_t kMebi = 1024 * kKibi;
constexpr std::uint64_t kGibi = 1024 * kMebi;

// ---- What the file says. Sizes are octets (std::uint64_t), counts are std::uint32_t, an empty text is "not set". ----

enum class ListenerKind : std::uint8_t {
  relay,        // port 25: other servers and trusted networks
  submission,   // port 587; not opened yet, needs AUTH and TLS
  submissions,  // port 465; not opened yet, needs AUTH and TLS
};

struct Listener {
  SocketAddress address;
  ListenerKind kind = ListenerKind::relay;
};

std::vector<Network> loopback_networks();  // 127.0.0.0/8 and ::1

struct Relay {
  std::vector<Network> networks = loopback_networks();
};

// RFC 5321 4.5.3.2.7 asks a server for at least five minutes.
struct ReceiveTimeouts {
  Duration command = 5min;  // from the last reply to the end of the next command line
  Duration data = 5min;     // between two octets of content
  Duration message = 1h;    // from 354, or the first BDAT, to the end of the content
};

struct Receive {
  std::string banner = "ESMTP Ringpost";  // after "220 <hostname> "
  std::uint32_t errors = 20;              // 4xx and 5xx replies to one session before it gets 421
  std::uint32_t max_received = 100;       // RFC 5321 6.3: at least 100 Received fields before a loop is assumed
  Duration flow_delay = 100ms;            // a 250 is held back so long while mail comes in faster than it goes out
  ReceiveTimeouts timeouts;
};

struct Spool {
  std::string directory = "/var/spool/ringpost";
  std::uint64_t segment_size = 64 * kMebi;
  std::uint64_t reserve = 32 * kMebi;  // free space below which new mail gets 452
};

struct Dns {
  std::vector<SocketAddress> servers;  // once checked: as the file says, else those of /etc/resolv.conf; may be empty
  std::uint64_t cache = 0;             // octets of answers, all cores together; 0: see cache_of()
};

// How one destination is talked to. In Deliver the general case; in Route what holds for that route, already resolved.
struct Manners {
  std::uint32_t connections = 20;  // at once, to one destination, by the whole process
  std::uint32_t messages_per_connection = 100;
  bool pipelining = true;  // use PIPELINING where offered (RFC 2920)
  bool chunking = true;    // use CHUNKING where offered (RFC 3030)
  bool overlap = true;     // send the next envelope with the body (RFC 2920 3.1); only with pipelining
  auto operator<=>(const Manners&) const = default;
};

enum class PrivateAddresses : std::uint8_t { refuse, allow };

// RFC 5321 4.5.3.2: the client's timeouts, one for each step; a reply must be complete within its time.
struct DeliverTimeouts {
  Duration connect = 30s;
  Duration banner = 5min;      // 4.5.3.2.1
  Duration helo = 5min;        // the RFC names none: as for MAIL
  Duration mail = 5min;        // 4.5.3.2.2
  Duration rcpt = 5min;        // 4.5.3.2.3
  Duration data_init = 2min;   // 4.5.3.2.4
  Duration data_block = 3min;  // 4.5.3.2.5
  Duration data_done = 10min;  // 4.5.3.2.6
  Duration quit = 5s;
  Duration idle = 10s;  // a cached connection without work is closed after this long
};

struct Deliver {
  std::uint16_t port = 25;
  Manners manners;
  PrivateAddresses private_addresses = PrivateAddresses::refuse;
  DeliverTimeouts timeouts;
};

// A host of a route: an address, or a name to be looked up. A port that the file does not say is filled in.
struct RouteHost {
  SocketAddress address;  // of a name: family none, and the port
  std::string name;       // lower case; empty: it is an address
  [[nodiscard]] std::uint16_t port() const { return address.port; }
  [[nodiscard]] std::string text() const;  // "192.0.2.1:25", "mail.example.net:25"
  bool operator==(const RouteHost&) const = default;
};

struct Route {
  std::string domain;            // lower case: "example.net", ".example.net" (its subdomains), "*"
  std::vector<RouteHost> hosts;  // in order of trial; empty: by the domain's MX
  Manners manners;               // what the route does not say itself is taken from [deliver]
};

// A line of /etc/hosts, for one of its names.
struct NamedAddress {
  std::string name;  // lower case
  SocketAddress address;
  bool operator==(const NamedAddress&) const = default;
};

struct Retry {
  std::vector<Duration> schedule{5min, 15min, 1h, 4h};  // waits between attempts; the last one repeats; never empty
  Duration expire = 5 * 24h;                            // RFC 5321 4.5.4.1: at least 4-5 days
};

// What senders are told of mail that fails or is late (RFC 3461, RFC 3464).
struct Bounce {
  std::string from_name = "Mail Delivery System";
  std::string postmaster;                   // told of failures of mail without a sender; empty: nobody
  Duration delay_after = 4h;                // a sender is told of mail that is late after this; 0: never
  std::uint64_t full_content = 64 * kKibi;  // a larger message is returned by its header section, also for RET=FULL
};

// Where limits.sessions is not set: what limits.memory leaves for sessions, and the octets of it for each.
constexpr std::uint64_t kMemoryBesideSessions = 48 * kMebi;
constexpr std::uint64_t kMemoryOfSession = 16 * kKibi;
constexpr std::uint32_t kFewestSessions = 256;

struct Limits {
  std::uint64_t memory = 2 * kGibi;
  std::uint32_t queue_messages = 10'000'000;
  std::uint64_t message_size = 50 * kMebi;
  std::uint32_t recipients = 1000;        // in one transaction; RFC 5321 4.5.3.1.8: at least 100
  std::uint32_t sessions = 120'000;       // unless the file says so: fewer in a small limits.memory
  std::uint32_t sessions_per_client = 0;  // 0: as many as there are
};

struct Control {
  std::string socket = "/run/ringpost/control";
  SocketAddress http;       // not known(): none
  std::string http_socket;  // empty: none
  std::string tokens;       // file of who may use HTTP; empty: none
};

struct Metrics {
  SocketAddress address;            // not known(): none
  std::uint32_t destinations = 10;  // with the most queued mail, told by name
};

// The types of events, as their lines have them (docs/events.md); in the order of report::EventType.
inline constexpr View kEventTypes[] = {
    "reception",
    "delivery",
    "transient_failure",
    "failure",
    "refusal",
    "bounce",
    "removal",
    "hold",
    "release",
    "reroute",
    "command",
    "expiry",
    "destination_paused",
    "destination_reached",
    "session",
    "connection",
    "start",
    "stop",
    "reload",
    "trouble",
};

struct Events {
  std::string file;                       // empty: none
  std::vector<std::string> types;         // empty: all but what `sessions` adds
  bool sessions = false;                  // a line for the end of each session and of each connection too
  std::uint64_t rotate_size = 1 * kGibi;  // octets; 0: whatever its size
  Duration rotate_age = 24h;              // of the oldest line; 0: whatever its age
  std::uint32_t keep = 30;                // files beside the one that is written; 0: all
  bool journal = false;
};

// Pairs: the n-th key belongs to the n-th certificate.
struct Tls {
  std::vector<std::string> certificate;
  std::vector<std::string> key;
};

struct Auth {
  std::string users;
};

// What the process takes from itself at start, so that a mistake in it reaches no further.
struct Hardening {
  bool landlock = true;
  bool io_uring = true;
};

struct Config {
  std::string hostname;     // never empty once checked: what the file says, else the system's name
  std::uint32_t cores = 0;  // 0: each one this process may run on
  bool pin = false;         // the n-th core's thread to the n-th CPU
  Duration drain = 30s;
  std::vector<Listener> listeners;  // never empty once checked
  Relay relay;
  Receive receive;
  Spool spool;
  Dns dns;
  std::vector<Route> routes;
  Deliver deliver;
  Retry retry;
  Bounce bounce;
  Limits limits;
  Control control;
  Metrics metrics;
  Events events;
  Tls tls;
  Auth auth;
  Hardening hardening;
  // What the file does not say: read from the system together with it.
  std::vector<NamedAddress> hosts;           // /etc/hosts
  std::vector<SocketAddress> own_addresses;  // of this machine's interfaces, without ports
};

// dns.cache, where it is 0 by what limits.memory has for it.
std::uint64_t cache_of(const Config&);

// ---- Reading ----

// One thing that is wrong, or worth a word. text() is "file:line: key: what: what would be right".
struct Problem {
  std::string file;
  unsigned line = 1;
  std::string key;  // dotted, list entries counted from 1: "listener[2].address"; empty for a syntax error
  std::string what;
  std::string remedy;  // may be empty
  [[nodiscard]] std::string text() const;
};

// The effective value of one key and where it came from.
struct Setting {
  std::string key;     // "listener[2].address"
  std::string value;   // as it would stand in the file
  std::string origin;  // "default", "system", "[deliver]" or "file:line"
  std::string file;    // that sets it; empty: none does
  unsigned line = 0;   // there; 0: no file sets it
};

// Why a Config is as it is.
struct Loaded {
  Config config;
  std::string file;               // the main one, as problems name it
  std::vector<Setting> settings;  // each key, in the table's order
  std::vector<Problem> notes;     // no errors: keys without effect yet, routes never reached, …
};

// What a default may depend on outside the file.
struct Surroundings {
  std::string hostname;       // of the machine, as gethostname has it; replaced if it is no domain name
  std::string home;           // $HOME
  std::string state;          // $XDG_STATE_HOME
  std::string resolv_conf{};  // what /etc/resolv.conf holds
  std::string hosts{};        // what /etc/hosts holds
  std::vector<SocketAddress> own_addresses{};  // of this machine's interfaces
  static Surroundings of_this_system();
};

using Checked = std::expected<Loaded, std::vector<Problem>>;

// What one file holds. `name` stands in problems and origins.
struct Text {
  std::string name;
  std::string text;
};

// Reads and checks texts as one configuration, the main file's first: a key counts where it stands last, and the
// entries of lists follow each other. All problems are returned, file by file, by line. At least one text.
Checked parse(std::span<const Text> texts, const Surroundings& surroundings);
Checked parse(View text, View name, const Surroundings& surroundings);  // of one

// parse() of a file and of those named *.toml in the directory conf.d beside it, in the order of their names' octets.
// Each that cannot be read is one Problem.
Checked load(const std::string& path, const Surroundings& surroundings);

// The configuration of a relay that was given none: loopback listener on 2525, relay from loopback, everything to
// 127.0.0.1:2526, spool, control socket and events below the user's state directory.
std::string embedded_text(const Surroundings& surroundings);
Checked embedded(const Surroundings& surroundings);

// ---- Telling ----

// A key whose value differs. One that is not reloadable keeps its old value until a restart.
struct Change {
  std::string key;
  std::string before;
  std::string after;
  bool reloadable = false;
};
std::vector<Change> diff(const Config& before, const Config& after);

// `after` with every key that needs a restart as in `before`: what a running process may take at SIGHUP.
Config reloaded(const Config& before, const Config& after);

// `ringpost check --explain`: one line a key.
std::string explain(std::span<const Setting> settings);

// One key as the table describes it. Values are written as they stand in a file.
struct KeyFacts {
  std::string name;     // "limits.memory"; of an entry's key: "address"
  std::string list;     // "listener" or "route" where entries own the key, else empty
  std::string type;     // "size", "count", "list of networks", …
  std::string initial;  // the default; empty: none, or not a fixed one
  std::string least;    // bounds of the value, or of each of its elements; empty: none
  std::string most;
  std::string text;       // what it means
  bool required = false;  // in an entry of its list
  bool reloadable = false;
  bool has_effect = false;
};
std::vector<KeyFacts> keys();

// docs/configuration.md, whole: what keys() says, for people.
std::string reference_page();

// One pool that is sized at start. Rooms that own pools name them so; core gathers the lines.
struct MemoryLine {
  std::string what;
  std::uint64_t count = 0;
  std::uint64_t octets_each = 0;
  std::string reason;
  [[nodiscard]] std::uint64_t octets() const;  // saturates
};

std::uint64_t total_octets(std::span<const MemoryLine> lines);
// The visible sum: a line a pool, the total, and what limits.memory leaves or lacks.
std::string memory_plan_text(std::span<const MemoryLine> lines, std::uint64_t ceiling);
// What is wrong with limits.memory, if the plan does not fit into it: a relay must not start then.
std::optional<Problem> memory_problem(const Loaded&, std::span<const MemoryLine> plan);

// "250ms", "30s", "5m", "4h", "5d", or several of them added up ("1h30m"). No sign, no fraction, no space.
Result<Duration> parse_duration(View text);

// "64M", "1536", "5m", "1h30m": as they stand in the file.
std::string size_text(std::uint64_t octets);
std::string duration_text(Duration duration);

}  // namespace ringpost::config
