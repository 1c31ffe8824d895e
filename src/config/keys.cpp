// The key table itself: path, meaning, bounds, and the place in the tree that holds the value. The default is what the
// tree is initialised with. Add a key here, and reading, explain, diff and the reference page know it.
#include <array>

#include "keys.h"

namespace ringpost::config {
namespace {

// Bounds of a duration.
constexpr Bounds from(Duration least, Duration most) {
  return {static_cast<std::uint64_t>(least.count()), static_cast<std::uint64_t>(most.count())};
}

constexpr Key<Config> kRootKeys[] = {
    {{.path = "hostname",
      .text = "The name this relay calls itself: in its greeting, in EHLO to others and in Received. It "
              "should be a name that the Internet resolves to this machine.",
      .form = Form::hostname,
      .default_text = "the system's host name"},
     [](Config& c) -> auto& { return c.hostname; }},
    {{.path = "cores",
      .text = "How many CPU cores work; 0: each one this process may run on. A core has its own listeners, "
              "spool log and connections.",
      .when = When::restart,
      .bounds = {0, 1024}},
     [](Config& c) -> auto& { return c.cores; }},
    {{.path = "pin",
      .text = "Whether each core's thread is kept on one CPU of those this process may run on. For a machine that is "
              "the relay's alone, with the network card's interrupts spread the same way; elsewhere the scheduler "
              "knows better.",
      .when = When::restart},
     [](Config& c) -> auto& { return c.pin; }},
    {{.path = "drain",
      .text = "How long SIGTERM waits: no new session, 421 to idle ones, transactions and attempts are "
              "finished. What is not done by then is cut off; nothing that got its 250 is lost.",
      .bounds = from(0s, 24h)},
     [](Config& c) -> auto& { return c.drain; }},
    {{.path = "relay.networks",
      .text = "Who may send mail to any recipient without authenticating: addresses and networks, IPv4 and "
              "IPv6. An empty list: nobody."},
     [](Config& c) -> auto& { return c.relay.networks; }},
    {{.path = "receive.banner", .text = "What the greeting says after 220 and the host name.", .form = Form::reply},
     [](Config& c) -> auto& { return c.receive.banner; }},
    {{.path = "receive.errors",
      .text = "After this many refused commands in one session it gets 421 and is closed.",
      .bounds = {1, 1000000}},
     [](Config& c) -> auto& { return c.receive.errors; }},
    {{.path = "receive.max_received",
      .text = "A message that carries more Received fields than this is taken for a loop and refused with "
              "554 5.4.6. RFC 5321 6.3 asks for at least 100.",
      .bounds = {1, 100000}},
     [](Config& c) -> auto& { return c.receive.max_received; }},
    {{.path = "receive.flow_delay",
      .text = "How long a 250 may be held back while deliverable mail comes in faster than it goes out, so that it is "
              "delivered from memory instead of being read back from the disk. 0ms: never.",
      .bounds = from(0ms, 10s)},
     [](Config& c) -> auto& { return c.receive.flow_delay; }},
    {{.path = "receive.timeouts.command",
      .text = "How long a session waits for the next command to be complete. RFC 5321 4.5.3.2.7 asks for at "
              "least five minutes.",
      .bounds = from(100ms, 24h)},
     [](Config& c) -> auto& { return c.receive.timeouts.command; }},
    {{.path = "receive.timeouts.data",
      .text = "How long a session waits for the next octets of a message.",
      .bounds = from(100ms, 24h)},
     [](Config& c) -> auto& { return c.receive.timeouts.data; }},
    {{.path = "receive.timeouts.message",
      .text = "How long one message may take to arrive, however steadily it drips.",
      .bounds = from(100ms, 7 * 24h)},
     [](Config& c) -> auto& { return c.receive.timeouts.message; }},
    {{.path = "spool.directory",
      .text = "Where accepted mail is kept: a directory on a local disk that honours a sync, of this relay "
              "alone. It is made if it is missing.",
      .when = When::restart,
      .form = Form::path,
      .needs_some = true},
     [](Config& c) -> auto& { return c.spool.directory; }},
    {{.path = "spool.segment_size",
      .text = "Size of one log file. Files are filled one after the other and recycled when nothing in them "
              "is needed any more.",
      .when = When::restart,
      .bounds = {8 * kMebi, 4 * kGibi}},
     [](Config& c) -> auto& { return c.spool.segment_size; }},
    {{.path = "spool.reserve",
      .text = "When the file system of the spool has less free space than this, new mail is answered 452 "
              "until there is more. Outcomes of what is queued are still written.",
      .when = When::restart,
      .bounds = {0, 1024 * kGibi}},
     [](Config& c) -> auto& { return c.spool.reserve; }},
    {{.path = "dns.servers",
      .text = "Name servers to ask, in order of preference: recursive ones. One on this machine keeps answers for all "
              "programs and validates them. An empty list: those of /etc/resolv.conf, read anew at SIGHUP.",
      .default_port = 53,
      .default_text = "those of /etc/resolv.conf"},
     [](Config& c) -> auto& { return c.dns.servers; }},
    {{.path = "dns.cache",
      .text = "Memory for answers of name servers, all cores together; those used least recently make room. A domain "
              "takes 1K to 2K. 0: a thirty-second part of limits.memory.",
      .bounds = {0, 64 * kGibi}},
     [](Config& c) -> auto& { return c.dns.cache; }},
    {{.path = "deliver.port",
      .text = "The port of mail exchangers, and of a route's host that names none.",
      .bounds = {1, 65535}},
     [](Config& c) -> auto& { return c.deliver.port; }},
    {{.path = "deliver.connections",
      .text = "Connections to one destination at once, all cores together. A route may say otherwise.",
      .bounds = {1, 100000}},
     [](Config& c) -> auto& { return c.deliver.manners.connections; }},
    {{.path = "deliver.messages_per_connection",
      .text = "Messages sent over one connection before it is closed. A route may say otherwise.",
      .bounds = {1, 1000000}},
     [](Config& c) -> auto& { return c.deliver.manners.messages_per_connection; }},
    {{.path = "deliver.pipelining",
      .text = "Send commands in groups to a server that offers PIPELINING (RFC 2920). A route may say "
              "otherwise."},
     [](Config& c) -> auto& { return c.deliver.manners.pipelining; }},
    {{.path = "deliver.chunking",
      .text = "Send messages by BDAT to a server that offers CHUNKING (RFC 3030). A route may say "
              "otherwise."},
     [](Config& c) -> auto& { return c.deliver.manners.chunking; }},
    {{.path = "deliver.overlap",
      .text = "Send the next envelope together with the end of the message before it (RFC 2920 3.1), to a "
              "server that offers PIPELINING. It saves a round trip a message; turn it off for a server "
              "that loses input after the final dot. A route may say otherwise."},
     [](Config& c) -> auto& { return c.deliver.manners.overlap; }},
    {{.path = "deliver.private_addresses",
      .text = "Whether an MX in loopback, unspecified or link-local space is used. Hosts of a route are "
              "always used."},
     [](Config& c) -> auto& { return c.deliver.private_addresses; }},
    {{.path = "deliver.timeouts.connect", .text = "For a TCP connection to be made.", .bounds = from(1ms, 1h)},
     [](Config& c) -> auto& { return c.deliver.timeouts.connect; }},
    {{.path = "deliver.timeouts.banner", .text = "For the greeting (RFC 5321 4.5.3.2.1).", .bounds = from(1ms, 24h)},
     [](Config& c) -> auto& { return c.deliver.timeouts.banner; }},
    {{.path = "deliver.timeouts.helo", .text = "For the reply to EHLO or HELO.", .bounds = from(1ms, 24h)},
     [](Config& c) -> auto& { return c.deliver.timeouts.helo; }},
    {{.path = "deliver.timeouts.mail", .text = "For the reply to MAIL (RFC 5321 4.5.3.2.2).", .bounds = from(1ms, 24h)},
     [](Config& c) -> auto& { return c.deliver.timeouts.mail; }},
    {{.path = "deliver.timeouts.rcpt", .text = "For the reply to RCPT (RFC 5321 4.5.3.2.3).", .bounds = from(1ms, 24h)},
     [](Config& c) -> auto& { return c.deliver.timeouts.rcpt; }},
    {{.path = "deliver.timeouts.data_init",
      .text = "For the reply to DATA (RFC 5321 4.5.3.2.4).",
      .bounds = from(1ms, 24h)},
     [](Config& c) -> auto& { return c.deliver.timeouts.data_init; }},
    {{.path = "deliver.timeouts.data_block",
      .text = "For a part of the message to leave (RFC 5321 4.5.3.2.5).",
      .bounds = from(1ms, 24h)},
     [](Config& c) -> auto& { return c.deliver.timeouts.data_block; }},
    {{.path = "deliver.timeouts.data_done",
      .text = "For the reply to the final dot or BDAT LAST (RFC 5321 4.5.3.2.6). A short one makes "
              "duplicates.",
      .bounds = from(1ms, 24h)},
     [](Config& c) -> auto& { return c.deliver.timeouts.data_done; }},
    {{.path = "deliver.timeouts.quit", .text = "For the reply to QUIT, and to RSET.", .bounds = from(1ms, 1h)},
     [](Config& c) -> auto& { return c.deliver.timeouts.quit; }},
    {{.path = "deliver.timeouts.idle",
      .text = "How long a connection without work is kept for the next message.",
      .bounds = from(0s, 1h)},
     [](Config& c) -> auto& { return c.deliver.timeouts.idle; }},
    {{.path = "retry.schedule",
      .text = "How long to wait before each further attempt; the last one repeats. Each wait is up to a tenth longer, "
              "by another "
              "part for each message, so that what failed together does not come back together.",
      .bounds = from(100ms, 30 * 24h),
      .needs_some = true},
     [](Config& c) -> auto& { return c.retry.schedule; }},
    {{.path = "retry.expire",
      .text = "A message that is not delivered this long after it was accepted has failed. RFC 5321 4.5.4.1 "
              "asks for four to five days.",
      .bounds = from(1s, 365 * 24h)},
     [](Config& c) -> auto& { return c.retry.expire; }},
    {{.path = "bounce.from_name",
      .text = "The name that stands in the From of a DSN, before MAILER-DAEMON@ and the host name.",
      .form = Form::reply},
     [](Config& c) -> auto& { return c.bounce.from_name; }},
    {{.path = "bounce.postmaster",
      .text = "Who is told of the failure of a message without a sender (another system's DSN, an automatic answer): "
              "an address. Empty: nobody, such a failure is an event only.",
      .form = Form::mailbox},
     [](Config& c) -> auto& { return c.bounce.postmaster; }},
    {{.path = "bounce.delay_after",
      .text = "A sender is told once of a message that is still not delivered this long after it was accepted, unless "
              "its NOTIFY excludes it. 0s: never.",
      .bounds = from(0s, 365 * 24h)},
     [](Config& c) -> auto& { return c.bounce.delay_after; }},
    {{.path = "bounce.full_content",
      .text = "Largest message that a DSN returns whole where RET=FULL asks for it; otherwise its header fields are "
              "returned.",
      .bounds = {0, 16 * kMebi}},
     [](Config& c) -> auto& { return c.bounce.full_content; }},
    {{.path = "limits.memory",
      .text = "Ceiling of the process's memory. Pools are sized from it at start; `ringpost check` prints "
              "the sum. When they are used up, new mail is answered 452 and new sessions 421.",
      .when = When::restart,
      .bounds = {16 * kMebi, 4096 * kGibi}},
     [](Config& c) -> auto& { return c.limits.memory; }},
    {{.path = "limits.queue_messages",
      .text = "Messages in the queue; above it new mail is answered 452. Memory is touched only as it "
              "fills.",
      .when = When::restart,
      .bounds = {100, 1000000000}},
     [](Config& c) -> auto& { return c.limits.queue_messages; }},
    {{.path = "limits.message_size",
      .text = "Largest message, as SIZE announces it (RFC 1870).",
      .bounds = {kKibi, 16 * kGibi}},
     [](Config& c) -> auto& { return c.limits.message_size; }},
    {{.path = "limits.recipients",
      .text = "Recipients in one transaction; further ones are answered 452 and the client sends them in "
              "another. RFC 5321 4.5.3.1.8 asks for at least 100.",
      .bounds = {1, 100000}},
     [](Config& c) -> auto& { return c.limits.recipients; }},
    {{.path = "limits.sessions",
      .text = "Sessions of clients at once, all cores together; further ones are answered 421.",
      .when = When::restart,
      .bounds = {1, 10000000},
      .default_text = "120000, but no more than one for each 16K of limits.memory above 48M"},
     [](Config& c) -> auto& { return c.limits.sessions; }},
    {{.path = "limits.sessions_per_client",
      .text = "Sessions at once from one client address; 0: as many as there are.",
      .bounds = {0, 10000000}},
     [](Config& c) -> auto& { return c.limits.sessions_per_client; }},
    {{.path = "control.socket",
      .text = "Unix socket of ringpostctl. Empty: none.",
      .when = When::restart,
      .form = Form::socket_path},
     [](Config& c) -> auto& { return c.control.socket; }},
    {{.path = "control.http",
      .text = "Where the operator's commands are served over HTTP: an address of loopback and a port. Empty: nowhere. "
              "It needs control.tokens.",
      .when = When::restart,
      .needs_port = true},
     [](Config& c) -> auto& { return c.control.http; }},
    {{.path = "control.http_socket",
      .text = "Unix socket where the same is served over HTTP, mode 0660. Without control.tokens who may open it may "
              "command. Empty: none.",
      .when = When::restart,
      .form = Form::socket_path},
     [](Config& c) -> auto& { return c.control.http_socket; }},
    {{.path = "control.tokens",
      .text = "File of the tokens that HTTP is used with, each in a line: its role (admin or read-only), a name, and "
              "the token itself. Nobody but the relay's user and group may read it. It is read anew for each request.",
      .when = When::restart,
      .form = Form::path},
     [](Config& c) -> auto& { return c.control.tokens; }},
    {{.path = "metrics.address",
      .text = "Where /metrics (Prometheus text) and /healthz are served over HTTP; what they say is no secret but no "
              "business of strangers either. Empty: nowhere.",
      .when = When::restart,
      .needs_port = true,
      .any_port = true},
     [](Config& c) -> auto& { return c.metrics.address; }},
    {{.path = "metrics.destinations",
      .text = "So many destinations, those with the most mail queued, are told by name; all others in classes only.",
      .bounds = {0, 1000}},
     [](Config& c) -> auto& { return c.metrics.destinations; }},
    {{.path = "events.file",
      .text = "One JSON line for each event is appended here. SIGHUP opens it again, so another program may rotate it "
              "too. Empty: none.",
      .form = Form::path},
     [](Config& c) -> auto& { return c.events.file; }},
    {{.path = "events.types",
      .text = "Only events of these types are written (docs/events.md lists them). Empty: all.",
      .form = Form::event_type},
     [](Config& c) -> auto& { return c.events.types; }},
    {{.path = "events.sessions",
      .text = "Write also an event at the end of each session with a client and of each connection to a host, "
              "whatever it carried."},
     [](Config& c) -> auto& { return c.events.sessions; }},
    {{.path = "events.rotate_size",
      .text =
          "A file of this size is set aside as `FILE.<UTC time>`, compressed to `.zst`, and a new one begun. 0: its "
          "size does not matter.",
      .bounds = {0, 1024 * kGibi}},
     [](Config& c) -> auto& { return c.events.rotate_size; }},
    {{.path = "events.rotate_age",
      .text = "The same for a file whose first line is this old. 0: its age does not matter.",
      .bounds = from(0s, 365 * 24h)},
     [](Config& c) -> auto& { return c.events.rotate_age; }},
    {{.path = "events.keep",
      .text = "So many files that were set aside are kept, the oldest are deleted. 0: all are kept.",
      .bounds = {0, 100000}},
     [](Config& c) -> auto& { return c.events.keep; }},
    {{.path = "events.journal",
      .text = "Send each event to systemd's journal too, as a line of JSON with its type and spool id as fields "
              "(RINGPOST_TYPE, RINGPOST_ID)."},
     [](Config& c) -> auto& { return c.events.journal; }},
    {{.path = "tls.certificate",
      .text = "Certificate chains (PEM files): one, or a list for SNI.",
      .when = When::restart,
      .effect = Effect::not_yet,
      .form = Form::path},
     [](Config& c) -> auto& { return c.tls.certificate; }},
    {{.path = "tls.key",
      .text = "Private keys (PEM files), one for each certificate, in the same order.",
      .when = When::restart,
      .effect = Effect::not_yet,
      .form = Form::path},
     [](Config& c) -> auto& { return c.tls.key; }},
    {{.path = "auth.users",
      .text = "File of users and their password hashes.",
      .when = When::restart,
      .effect = Effect::not_yet,
      .form = Form::path},
     [](Config& c) -> auto& { return c.auth.users; }},
    {{.path = "hardening.landlock",
      .text =
          "Restrict the process to its own directories (Landlock, Linux 5.13): it writes to those of the spool, the "
          "events and the control sockets, reads besides them those of its configuration and control.tokens, /etc and "
          "the time zones, and executes nothing. Turn it off where what it needs lies elsewhere than at start, such as "
          "an event directory that is mounted later.",
      .when = When::restart},
     [](Config& c) -> auto& { return c.hardening.landlock; }},
    {{.path = "hardening.io_uring",
      .text = "Restrict each core's io_uring to the operations that the relay uses. Turn it off for a kernel that "
              "refuses it.",
      .when = When::restart},
     [](Config& c) -> auto& { return c.hardening.io_uring; }},
};

constexpr Key<Listener> kListenerKeys[] = {
    {{.path = "address",
      .text = "Address and port to listen on; port 0 is one that the system chooses.",
      .when = When::restart,
      .needs_port = true,
      .any_port = true,
      .required = true},
     [](Listener& l) -> auto& { return l.address; }},
    {{.path = "kind",
      .text = "relay: port 25, for other servers and trusted networks. submission (587) and submissions "
              "(465, TLS from the first octet) need AUTH and TLS: they are accepted here and not opened "
              "yet.",
      .when = When::restart},
     [](Listener& l) -> auto& { return l.kind; }},
};

constexpr Key<Route> kRouteKeys[] = {
    {{.path = "domain",
      .text = "Which recipients: a domain, \".example.net\" or \"*.example.net\" for all domains below one, \"*\" "
              "for all. The first route that matches counts.",
      .form = Form::domain,
      .required = true},
     [](Route& r) -> auto& { return r.domain; }},
    {{.path = "host",
      .text = "Where they are delivered: an address or a name, with or without a port, or a list of them, tried in "
              "order. \"192.0.2.1:25\", \"[2001:db8::1]:25\", \"mail.example.net:2525\". A name has the addresses of "
              "/etc/hosts, else of its A and AAAA records. Without this key: the domain's MX, with what else the route "
              "says.",
      .needs_some = true,
      .default_text = "the domain's MX"},
     [](Route& r) -> auto& { return r.hosts; }},
    {{.path = "connections",
      .text = "Connections to this destination at once, all cores together.",
      .bounds = {1, 100000},
      .default_text = "deliver.connections"},
     [](Route& r) -> auto& { return r.manners.connections; }},
    {{.path = "messages_per_connection",
      .text = "Messages sent over one connection before it is closed.",
      .bounds = {1, 1000000},
      .default_text = "deliver.messages_per_connection"},
     [](Route& r) -> auto& { return r.manners.messages_per_connection; }},
    {{.path = "pipelining",
      .text = "Send commands in groups where PIPELINING is offered.",
      .default_text = "deliver.pipelining"},
     [](Route& r) -> auto& { return r.manners.pipelining; }},
    {{.path = "chunking",
      .text = "Send messages by BDAT where CHUNKING is offered.",
      .default_text = "deliver.chunking"},
     [](Route& r) -> auto& { return r.manners.chunking; }},
    {{.path = "overlap",
      .text = "Send the next envelope together with the end of the message before it.",
      .default_text = "deliver.overlap"},
     [](Route& r) -> auto& { return r.manners.overlap; }},
};

constexpr Section kSections[] = {
    {"", "Above all tables: the relay as a whole."},
    {"listener", "Where clients connect; at least one. Each `[[listener]]` is one address.", true},
    {"relay", "Whom the relay serves."},
    {"receive", "How client sessions are held."},
    {"receive.timeouts", "A session that lets one of these pass gets 421 and is closed."},
    {"spool", "Where mail is kept from its 250 to its end."},
    {"dns", "The resolver."},
    {"route",
     "Which hosts take the mail of which domains, and how they are talked to. Mail for a domain without a route goes "
     "to "
     "its mail exchangers (MX).",
     true},
    {"deliver", "How other servers are talked to."},
    {"deliver.timeouts", "How long to wait at each step of a delivery. The whole reply must be there in time."},
    {"retry", "What happens to mail that could not be delivered at once."},
    {"bounce", "What senders are told of mail that fails or is late: [bounces](bounces.md)."},
    {"limits", "What the process may use and a client may ask for."},
    {"control", "The operator's way in."},
    {"metrics", "Counters for monitoring."},
    {"events", "What happened to each message."},
    {"tls", "Encryption."},
    {"auth", "Who may submit."},
    {"hardening", "What the process gives up at start, so that a fault in it reaches no further."},
};

constexpr View kListenerKinds[] = {"relay", "submission", "submissions"};
constexpr View kPrivateAddresses[] = {"refuse", "allow"};

}  // namespace

std::span<const Key<Config>> root_keys() { return kRootKeys; }
std::span<const Key<Listener>> listener_keys() { return kListenerKeys; }
std::span<const Key<Route>> route_keys() { return kRouteKeys; }
std::span<const Section> sections() { return kSections; }
std::span<const View> choices(ListenerKind) { return kListenerKinds; }
std::span<const View> choices(PrivateAddresses) { return kPrivateAddresses; }

}  // namespace ringpost::config
