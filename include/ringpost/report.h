// What people and machines see: one JSON line per event, and the words of a DSN. Events of one core go to one EventLog;
// every core appends to the same file (O_APPEND, whole lines in one write), through the ring: a slow or full event disk
// never blocks mail, lines that do not fit are dropped and counted.
//
// Thread: its core's.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>

#include "ringpost/base/address.h"
#include "ringpost/base/ids.h"
#include "ringpost/message.h"
#include "ringpost/ring.h"

namespace ringpost::report {

inline constexpr std::size_t kEventBuffer = 256 * 1024;  // octets waiting per core; a line that does not fit is dropped
inline constexpr std::size_t kEventLine =
    16 * 1024;  // octets of the longest line: texts are cut, and an octet may become six

// docs/events.md lists them with their keys; the "type" of a line is the name in the comment.
enum class EventType : std::uint8_t {
  reception,          // "reception": answered 250; one a message
  delivery,           // "delivery": a peer took one recipient
  transient_failure,  // "transient_failure": one recipient, will be tried again
  failure,            // "failure": one recipient, refused for good or expired
  refusal,            // "refusal": we refused a client's command or content
  bounce,             // "bounce": a DSN about `id` was queued (`report`), or is not to be sent (text says why)
  removal,            // "removal": an operator removed one recipient
  start,              // "start": every core accepts; text: version, cores, messages recovered
  stop,               // "stop": the process drains
  reload,             // "reload": a configuration came into force; text: the keys that changed
  trouble,            // "trouble": something an operator should look at; text says what and what to do
};

// One event; all views live for the call. Peers' octets are given raw: the writer escapes them.
struct Event {
  EventType type = EventType::trouble;
  SpoolId id{};            // zero: none
  View from{};             // reverse-path
  bool has_from = false;   // an empty `from` is the null reverse-path
  View to{};               // forward-path
  SocketAddress peer{};    // client of a reception, host of a delivery
  std::uint16_t code = 0;  // reply code; 0: none
  smtp::EnhancedCode enhanced{};
  View text{};                   // the reply, or ours
  std::uint32_t attempt = 0;     // 1 for the first
  SocketAddress source{};        // our side's address
  View site{};                   // the destination's name
  std::uint64_t size = 0;        // octets of the content
  std::uint32_t recipients = 0;  // reception
  Duration took{-1};             // delivery: of the attempt; negative: none
  Duration queued{-1};           // since acceptance; negative: none
  SpoolId report{};              // bounce: the DSN's own id
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

struct Statistics {
  std::uint64_t written = 0;
  std::uint64_t dropped = 0;
  std::uint64_t errors = 0;
};

class EventLog {
 public:
  // `path` empty: events are counted and go nowhere.
  EventLog(ring::Ring&, std::string path);
  ~EventLog();  // idle() first

  // Opens the file; the error names it. Blocks: before the loop.
  Result<void> open();
  // Another file, or the same anew after a rotation; in the background, lines wait meanwhile.
  void reopen(std::string path);
  void write(const Event&);
  // Nothing waits to be written and no operation is in the kernel.
  [[nodiscard]] bool idle() const;
  [[nodiscard]] const Statistics& statistics() const;

 private:
  struct Parts;
  std::unique_ptr<Parts> parts_;
};

}  // namespace ringpost::report
