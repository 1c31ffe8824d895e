// What people and machines see: one JSON line per event, the words of a DSN, and what is counted and measured, as
// Prometheus reads it.
//
// Events of one core go to one EventLog, and from there by a helper thread to the one EventFile of the process, which
// also rotates it: a slow or full event disk never blocks mail, lines that do not fit are dropped and counted.
//
// Thread: its core's, but for EventFile.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "ringpost/base/address.h"
#include "ringpost/base/counter.h"
#include "ringpost/base/ids.h"
#include "ringpost/config.h"
#include "ringpost/message.h"
#include "ringpost/ring.h"

namespace ringpost::report {

inline constexpr std::size_t kEventBuffer = 256 * 1024;  // octets waiting per core; a line that does not fit is dropped
inline constexpr std::size_t kEventLine =
    16 * 1024;  // octets of the longest line: texts are cut, and an octet may become six

// docs/events.md describes them; config::kEventTypes has their names, in the same order.
enum class EventType : std::uint8_t {
  reception,            // answered 250; one a message
  delivery,             // a peer took one recipient
  transient_failure,    // one recipient, will be tried again
  failure,              // one recipient, refused for good or expired
  refusal,              // we refused a client's command or content
  bounce,               // a DSN about `id` was queued (`report`), or is not to be sent (text says why)
  removal,              // an operator removed one recipient, or a message
  hold,                 // an operator holds recipients of a message
  release,              // an operator releases held recipients of a message
  reroute,              // an operator sends recipients of a message to `site`; empty: by their domains
  command,              // an operator's command has changed something; text: what and how much
  expiry,               // a message's time at one destination is over; its failures follow
  destination_paused,   // nobody reaches it; text: why
  destination_reached,  // again, after a pause
  session,              // a client's session is over (events.sessions)
  connection,           // a connection to a host is over (events.sessions)
  start,                // every core accepts; text: version, cores, messages recovered
  stop,                 // the process drains
  reload,               // a configuration came into force; text: the keys that changed
  trouble,              // something an operator should look at; text says what and what to do
};

// One event; all views live for the call. Peers' octets are given raw: the writer escapes them.
struct Event {
  EventType type = EventType::trouble;
  SpoolId id{};            // zero: none
  View from{};             // reverse-path
  bool has_from = false;   // an empty `from` is the null reverse-path
  View to{};               // forward-path
  SocketAddress peer{};    // client of a reception, host of a delivery
  View host{};             // the host's name, where it has one
  std::uint16_t code = 0;  // reply code; 0: none
  smtp::EnhancedCode enhanced{};
  View text{};                   // the reply, or ours
  std::uint32_t attempt = 0;     // 1 for the first
  SocketAddress source{};        // our side's address
  View site{};                   // the destination's name
  std::uint64_t size = 0;        // octets of the content
  std::uint32_t recipients = 0;  // reception, expiry
  std::uint32_t messages = 0;    // session, connection: how many it carried
  bool has_messages = false;
  Duration took{-1};    // delivery: of the attempt; negative: none
  Duration queued{-1};  // since acceptance; negative: none
  WallTime until{};     // a destination's pause; zero: none
  SpoolId report{};     // bounce: the DSN's own id
  View by{};            // command: who gave it
};

// Writes one JSON object in a line, appended to a string: the writer behind events and the control socket's answers.
// Texts are octets of peers: what is not printable ASCII leaves as \u escapes (well-formed UTF-8 by its code points,
// any other octet as
// \u00XX), so that a line is always ASCII, one line, and valid JSON. Keys are ours and plain.
class JsonLine {
 public:
  explicit JsonLine(std::string& out);                                  // opens the object
  JsonLine& text(View key, View octets, std::size_t limit = SIZE_MAX);  // of octets taken
  JsonLine& number(View key, std::int64_t value);
  JsonLine& number(View key, std::uint64_t value);
  JsonLine& flag(View key, bool value);
  JsonLine& time(View key, WallTime at);           // "2026-11-25T10:12:13.123Z"
  JsonLine& seconds(View key, Duration duration);  // with milliseconds: 1.234
  JsonLine& raw(View key, View json);              // a value that is JSON already
  void end();                                      // closes the object; no LF
 private:
  template <class Value>
  JsonLine& field(View name, std::size_t most, Value value);
  std::string& out_;
  bool first_ = true;
};

// Appends one line with its LF; keys in a fixed order, absent ones left out; at most kEventLine octets; always valid
// JSON in ASCII with octets that are no UTF-8 shown as \u00XX of the octet.
void write_event(std::string& out, const Event&, WallTime at, CoreId core);

// ---- Delivery status notifications (RFC 3464 in RFC 6522)

inline constexpr std::size_t kDsnRecipients = 1000;     // in one DSN; further ones get another
inline constexpr std::size_t kDsnHeader = 64 * 1024;    // octets returned of a header section, cut at a field's end
inline constexpr std::size_t kDsnRecipientsShown = 50;  // in the part for people; the part for machines has all

enum class DsnAction : std::uint8_t { failed, delayed, relayed };  // RFC 3464 2.3.3

// What became of one recipient. Texts are octets of peers: the writer makes them harmless.
struct DsnRecipient {
  View forward_path{};
  View orcpt{};  // as the client wrote it (type;xtext); empty: none
  DsnAction action = DsnAction::failed;
  smtp::EnhancedCode status{};  // its class is made to agree with the action
  std::uint16_t code = 0;       // the last reply's; 0: none
  View text{};                  // its words without the code, or our finding
  bool ours = false;            // the words are ours though there is a code
  View host{};                  // who said so: a name or an address literal; empty: nobody
  std::uint32_t attempts = 0;
  WallTime attempted{};    // the last time; zero: never
  WallTime retry_until{};  // delayed
};

// One DSN about one message. All views live for the call.
struct Dsn {
  SpoolId id{};     // its own
  SpoolId about{};  // the original's
  View hostname{};
  View from_name{};            // display name of the sender
  View to{};                   // whom it is for
  bool to_postmaster = false;  // the original has no sender: our own postmaster is told
  WallTime now{};
  const message::Envelope* original = nullptr;
  std::span<const DsnRecipient> recipients{};  // at least one, at most kDsnRecipients
  View content{};  // of the original, our trace line first: its beginning, with the header section as far as kDsnHeader
  bool return_content = false;  // `content` is all of it, and is to be returned whole
  std::uint64_t salt = 0;       // random: nobody can have written a content that holds the boundary
};

// What the envelope of a DSN must say of it.
struct DsnForm {
  bool eight_bit = false;  // BODY=8BITMIME
  bool smtputf8 = false;   // its own header section holds an address that is not ASCII (RFC 6531)
};

// Replaces `out` by the whole DSN, header section and body. RFC 6533 parts where an address is not ASCII or the
// original was SMTPUTF8. A content with lines over 998 octets or NULs is returned by its header section only.
DsnForm write_dsn(std::string& out, const Dsn&);

// Who is owed word of what became of a message: RFC 3461 4.1 and 5.2, RFC 5321 4.5.5. Pure.

// Whether the sender asked to be told of a delivery that nobody behind us will tell of (RFC 3461 5.2.2).
bool wants_relayed(const message::Envelope&, const message::Recipient&);
// What a DSN would tell of this recipient now; none: nothing is owed.
std::optional<DsnAction> owed(const message::Envelope&, const message::Recipient&, const message::RecipientState&,
                              const config::Config&, WallTime now);
// Why nobody is to be told that this recipient failed, in words; empty: somebody is.
View untold(const message::Envelope&, const message::Recipient&, const config::Config&);
// When a waiting recipient must be looked at though no attempt is due: to tell that it is late, or at its expiry.
WallTime deadline(const message::Envelope&, const message::Recipient&, const message::RecipientState&,
                  const config::Config&);
// Whom a DSN about the message goes to: its sender, or the postmaster; empty: nobody. A view into either.
View addressee(const message::Envelope&, const config::Config&);

// The event file of a process: one for all its cores. What blocks is for helper threads, and its lock keeps a rotation
// between the cores' lines: none is lost or torn by it. Size and age are looked at before each append.
class EventFile {
 public:
  static constexpr int kRotated = 1;
  struct Statistics {
    std::uint64_t rotations = 0;
    std::uint64_t errors = 0;           // of any kind
    std::uint64_t journal_dropped = 0;  // lines
  };

  // `files` outlives it.
  EventFile(ring::Files& files, config::Events options, std::string journal_socket = "/run/systemd/journal/socket");
  ~EventFile();  // no call is under way
  // Called from any thread, under the lock, when events cannot be written and when they can again.
  void on_trouble(std::function<void(const std::string&)> say);

  // ---- these block
  // Opens the file, once; the error names it.
  Result<void> open();
  // Appends whole lines, all or none, and sends them to the journal if that is wanted. 0; kRotated, when the file
  // before was set aside: tidy() is due; -EBUSY: another thread is at it, ask again; or -errno: the lines are lost to
  // the file.
  int append(View lines, WallTime now);
  // Takes other options, or the same file anew.
  int reopen(const config::Events& options);
  // Compresses what was set aside and deletes the oldest beyond events.keep. 0 or -errno.
  int tidy();

  // ---- any thread, at once
  void hurry();                       // tidy() ends soon, at a place from which another process can go on
  [[nodiscard]] bool wanted() const;  // lines go anywhere
  [[nodiscard]] Statistics statistics() const;

 private:
  struct Parts;
  std::unique_ptr<Parts> parts_;
  std::atomic<bool> wanted_ = false;
};

struct Statistics {
  std::uint64_t written = 0;
  std::uint64_t dropped = 0;
  std::uint64_t errors = 0;
};

// One core's lines on their way to the file.
class EventLog {
 public:
  EventLog(ring::Ring&, std::shared_ptr<EventFile>, const config::Events&);
  ~EventLog();  // idle() first

  void write(const Event&);
  // Whether an event of this type would be written: for who must gather what it says first.
  [[nodiscard]] bool wants(EventType) const;
  // Other types from now on. `first`: this core also has the file opened again; in the background, lines wait
  // meanwhile.
  void reconfigure(const config::Events&, bool first);
  // Has what an earlier process left compressed; one core, once.
  void tidy();
  // The process ends: what is being compressed is left for the next one.
  void hurry();
  // Whether write() would take a line now: who has many of them to tell waits for it between them.
  [[nodiscard]] bool has_room() const;
  // Nothing waits to be written and no operation is in the kernel.
  [[nodiscard]] bool idle() const;
  [[nodiscard]] const Statistics& statistics() const;
  [[nodiscard]] EventFile::Statistics file_statistics() const;

 private:
  struct Parts;
  std::unique_ptr<Parts> parts_;
};

// ---- Metrics ----

// What is counted, in the order of the page and of docs/metrics.md. Each is described once, in the table of
// src/report/metric_table.cpp; names there.
enum class Metric : std::uint8_t {
  messages_accepted,
  octets_accepted,
  sessions_begun,
  sessions,
  transactions_in,
  replies_4,
  replies_5,
  recipients_delivered,
  recipients_deferred,
  recipients_failed,
  bounces,
  octets_delivered,
  connections_made,
  connect_failures,
  connections,
  transactions_out,
  queue_messages,
  queue_entries,
  messages_failed,
  destinations_healthy,
  destinations_failing,
  destinations_paused,
  waiting_healthy,
  waiting_failing,
  waiting_paused,
  oldest_due,
  destinations_known,
  dns_lookups,
  dns_cached,
  dns_joined,
  dns_sent,
  dns_timeouts,
  dns_failures,
  dns_ignored,
  dns_entries,
  dns_octets,
  spool_commits,
  spool_batches,
  spool_log_octets,
  spool_large_octets,
  spool_segments,
  spool_recycled,
  spool_index_octets,
  spool_damaged,
  refusing_disk,
  refusing_memory,
  refusing_queue,
  refusing_stopped,
  chunks_used,
  chunks_total,
  ring_turns,
  ring_completions,
  ring_submissions,
  ring_operations,
  ring_buffers,
  ring_parked,
  ring_exhausted,
  ring_overflows,
  events_written,
  events_dropped,
  events_errors,
  events_rotations,
  cores,
  memory_resident,
  memory_limit,
  started,
};
inline constexpr std::size_t kMetrics = static_cast<std::size_t>(Metric::started) + 1;

// What is measured. The unit in which a value is recorded stands behind it.
enum class Measure : std::uint8_t {
  accept_time,     // ns: from the end of a content to its 250
  queue_time,      // ms: from the acceptance to the delivery of a recipient
  connect_time,    // ns: an attempt's phases; TCP
  greeting_time,   // ns: from connected to ready for mail
  envelope_time,   // ns: from MAIL to the last reply to the envelope
  content_time,    // ns: from there to the final reply
  batch_time,      // ns: one durable write of the log
  batch_octets,    // octets of it
  batch_messages,  // new messages in it
};
inline constexpr std::size_t kMeasures = static_cast<std::size_t>(Measure::batch_messages) + 1;

// A destination with much mail, by its name.
struct Crowded {
  std::string name;
  std::uint64_t waiting = 0;      // recipients' entries
  std::uint64_t connections = 0;  // now
};

// What one core, or several, have counted at one moment. Sums: gauges of all cores add up too, but for oldest_due,
// where the largest counts.
class Metrics {
 public:
  void set(Metric metric, std::uint64_t value) { values_[static_cast<std::size_t>(metric)] = value; }
  void add(Metric metric, std::uint64_t value) { values_[static_cast<std::size_t>(metric)] += value; }
  void set(Measure measure, const Histogram& seen) { seen_[static_cast<std::size_t>(measure)] = seen; }
  // Keeps the `most` with the most waiting; those with the same name add up.
  void crowded(std::vector<Crowded> found, std::size_t most);
  void merge(const Metrics& other);
  [[nodiscard]] std::uint64_t get(Metric metric) const { return values_[static_cast<std::size_t>(metric)]; }
  [[nodiscard]] const Histogram& get(Measure measure) const { return seen_[static_cast<std::size_t>(measure)]; }
  [[nodiscard]] const std::vector<Crowded>& crowded() const { return crowded_; }
  // The text format of Prometheus, version 0.0.4. `version` is the program's.
  [[nodiscard]] std::string text(View version) const;

 private:
  std::array<std::uint64_t, kMetrics> values_{};
  std::array<Histogram, kMeasures> seen_;
  std::vector<Crowded> crowded_;
};

// docs/metrics.md, whole, from the table. A test holds the file against it.
std::string metrics_page();

}  // namespace ringpost::report
