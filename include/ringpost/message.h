// The plain structs that rooms hand on: envelope, recipients' state, outcome, facts of a content, and the two seams by
// which octets of a content move (BodySink, BodySource). RFC 5598 words: an envelope has a reverse-path and
// forward-paths; a content is header section and body, as one run of octets.
//
// Also the pure functions on them: the encodings that the spool keeps, the scan of a header section as it arrives, and
// the trace line. No I/O, no clock of its own, no threads: any thread, one owner at a time.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "ringpost/base/address.h"
#include "ringpost/base/bytes.h"
#include "ringpost/base/ids.h"
#include "ringpost/base/result.h"
#include "ringpost/base/time.h"
#include "ringpost/smtp.h"

namespace ringpost::message {

class Decoder;

enum class Protocol : std::uint8_t { smtp, esmtp, utf8smtp };  // RFC 3848, RFC 6531 4.3: the "with" of Received

// One forward-path with its parameters; views into the envelope that gave it, valid until that is changed.
struct Recipient {
  View forward_path;        // local-part@domain as the client wrote it, without brackets; "postmaster" may stand alone
  View domain;              // its domain; empty for the bare postmaster
  View orcpt;               // RFC 3461 4.2, as written (addr-type;xtext); empty: none
  std::uint8_t notify = 0;  // smtp::Notify bits; 0: the client said nothing (RFC 3461 4.1)
};

// Who sent what to whom, and how it came. Its text lies in one string and its recipients in one vector, both of which
// keep their memory over clear() up to kEnvelopeKeep, so that a pooled envelope stops allocating.
class Envelope {
 public:
  static constexpr std::size_t kEnvelopeKeep = 8192;      // octets of text kept over clear()
  static constexpr std::size_t kMaxRecipients = 100'000;  // what decode() takes; config limits what a client may give

  WallTime accepted;     // when the content was complete
  SocketAddress client;  // the peer that gave it to us
  Protocol protocol = Protocol::smtp;
  smtp::BodyType body = smtp::BodyType::seven_bit;
  smtp::DsnReturn ret = smtp::DsnReturn::unset;
  bool smtputf8 = false;

  void clear();
  void set_reverse_path(View path);  // without brackets; empty: the null reverse-path
  void set_envid(View xtext);        // RFC 3461 4.4, as written
  void set_helo(View name);          // what the client called itself
  void add_recipient(View forward_path, std::size_t domain_length, std::uint8_t notify, View orcpt);

  [[nodiscard]] View reverse_path() const { return piece(reverse_path_); }
  [[nodiscard]] View envid() const { return piece(envid_); }
  [[nodiscard]] View helo() const { return piece(helo_); }
  [[nodiscard]] std::size_t recipient_count() const { return recipients_.size(); }
  [[nodiscard]] Recipient recipient(std::size_t index) const;

  // Appends the octets that decode() understands (docs/spool-format.md).
  void encode(std::string& out) const;
  // Replaces this envelope; false when `octets` are not exactly one encoded envelope (this is cleared then).
  bool decode(View octets);

 private:
  struct Piece {
    std::uint32_t offset = 0;
    std::uint32_t length = 0;
  };
  struct Entry {
    Piece path;
    Piece orcpt;
    std::uint32_t domain_length = 0;
    std::uint8_t notify = 0;
  };
  [[nodiscard]] View piece(Piece at) const { return View{text_}.substr(at.offset, at.length); }
  Piece keep(View text);

  std::string text_;
  std::vector<Entry> recipients_;
  Piece reverse_path_, envid_, helo_;
};

// Where one recipient of an accepted message stands.
enum class Status : std::uint8_t {
  open,       // waits for `due`, or is being attempted
  delivered,  // a peer took responsibility; nobody is to be told
  failed,     // refused for good, or expired, and whoever is to be told has not been told yet
  removed,    // by an operator's explicit command
  bounced,    // failed, and told, or nobody is to be told
  relayed,    // delivered to a peer without DSN, and the sender, who asked for it, has not been told yet
  held,       // as open, but not attempted and not expired until an operator releases it
};

// Nothing is left to do for a recipient that stands so, neither to deliver nor to tell.
constexpr bool is_over(Status status) {
  return status == Status::delivered || status == Status::removed || status == Status::bounced;
}

struct RecipientState {
  Status status = Status::open;
  std::uint16_t attempts = 0;     // that ended in an outcome
  WallTime due;                   // open: not before this
  std::uint16_t code = 0;         // the last reply code; 0: none was received
  View text;                      // the last error, for people; view into the State, valid until it is changed
  bool delay_told = false;        // a DSN has said that it is late
  bool ours = false;              // `text` is our own finding, no peer's words
  smtp::EnhancedCode enhanced{};  // of the last outcome
  WallTime attempted{};           // when the last attempt ended; zero: never, or not known
  View host{};                    // what it was made to: a name, or an address literal; as `text`
  View via{};                     // the destination that an operator sent it to; empty: by its domain; as `text`
};

// Where all recipients stand; index i is the envelope's recipient i.
class State {
 public:
  static constexpr std::size_t kTextLimit = 512;  // octets kept of one error text
  static constexpr std::size_t kHostLimit = 255;  // of a host's name (RFC 1035 2.3.4)
  static constexpr std::size_t kViaLimit = 1024;  // of a destination's name
  static constexpr std::size_t kFirstCompaction = 8192;

  // All open, due at `due`, no attempts.
  void reset(std::size_t recipients, WallTime due);
  void set(std::size_t index, const RecipientState& state);  // copies the texts, bounded
  [[nodiscard]] RecipientState at(std::size_t index) const;
  [[nodiscard]] std::size_t size() const { return entries_.size(); }
  [[nodiscard]] std::size_t count(Status status) const;
  // Nothing is left to do for any recipient, neither to deliver nor to tell: the message is over.
  [[nodiscard]] bool ended() const;

  // Runs of equal states are kept once, so that a thousand recipients of one destination cost as much as one.
  void encode(std::string& out) const;
  bool decode(View octets);  // as Envelope::decode

 private:
  struct Piece {
    std::uint32_t offset = 0;
    std::uint16_t length = 0;
    bool operator==(const Piece&) const = default;
  };
  struct Entry {
    WallTime due;
    WallTime attempted;
    Piece text;
    Piece host;
    Piece via;
    std::uint16_t attempts = 0;
    std::uint16_t code = 0;
    smtp::EnhancedCode enhanced;
    Status status = Status::open;
    bool delay_told = false;
    bool ours = false;
  };
  [[nodiscard]] View words(Piece piece) const { return View{texts_}.substr(piece.offset, piece.length); }
  [[nodiscard]] bool alike(const Entry& a, const Entry& b) const;
  [[nodiscard]] std::optional<Piece> find(View text) const;
  Piece keep(View text);
  void compact();
  Entry take_entry(Decoder&);
  Entry take_first_entry(Decoder&);  // of the form before this one
  Entry take_common(Decoder&);

  std::vector<Entry> entries_;
  std::string texts_;
  std::size_t compact_at_ = kFirstCompaction;  // octets of texts_ at which the dead ones are thrown away
};

// What one pass over an arriving content found out; kept with the message so that nobody has to look again.
struct ContentFacts {
  std::uint64_t size = 0;         // octets as they came, stuffing removed, without our trace line
  std::uint32_t dot_lines = 0;    // lines that begin with a dot: 0 lets the sender skip stuffing
  std::uint32_t received = 0;     // Received fields in the header section (loops: RFC 5321 6.3)
  bool eight_bit = false;         // some octet above 127
  bool eight_bit_header = false;  // the same, in the header section (RFC 6532)
  bool ends_with_crlf = false;    // or is empty
};

// What came of one attempt for one recipient. `text` lives for the call that hands it on.
struct Outcome {
  enum class Kind : std::uint8_t { delivered, later, never };
  Kind kind = Kind::later;
  std::uint16_t code = 0;       // the peer's reply code; 0: our own finding (no connection, timeout, expiry)
  smtp::EnhancedCode enhanced;  // the peer's, or ours
  View text;                    // the peer's words, or ours: raw octets, to be escaped where they are shown
  bool ours = false;            // with a code: nevertheless no peer said it
  bool dsn_passed_on = false;   // delivered: the peer knows DSN and was given the parameters; telling is its duty now
};

// The way of an arriving content into memory and disk. Implemented by spool, filled by receive, bound by core.
class BodySink {
 public:
  enum class State {
    ok,      // go on
    full,    // all octets were taken, but push no more until `drained` is called
    failed,  // no memory or disk: octets are dropped from here on; the message will be refused with a 452
  };
  virtual ~BodySink() = default;
  // Takes a copy of all of `octets`.
  virtual State push(View octets) = 0;
  // Who to call, once, when a full sink can take octets again (or has failed). Set before the first push.
  virtual void on_drained(void* owner, void (*drained)(void* owner)) = 0;
};

// The way of a kept content (our trace line first) out to a peer. Implemented by spool, pulled by deliver.
class BodySource {
 public:
  struct Pull {
    enum class State { ready, wait, end, failed };
    State state = State::end;
    View piece;  // ready: never empty; valid until release() of it, rewind() or the source's end
  };
  virtual ~BodySource() = default;
  [[nodiscard]] virtual std::uint64_t size() const = 0;  // of all pieces together
  // The next piece in order. wait: `ready` will be called once. failed: the disk gave an error or a wrong checksum.
  virtual Pull next() = 0;
  // The oldest pieces given out, `octets` in sum, were sent and may be reused. A source that holds all of its content
  // in memory never says wait, so pulling it to its end without release() is fine; another holds a bounded window.
  virtual void release(std::size_t octets) = 0;
  virtual void rewind() = 0;  // from the first octet again; nothing pulled before is in use any more
  virtual void on_ready(void* owner, void (*ready)(void* owner)) = 0;
};

// A message while it is received: what receive fills and core has the spool commit.
struct Draft {
  SpoolId id;  // final from the start: it stands in the trace line and in the 250
  Envelope envelope;
  ContentFacts facts;
  std::string trace;  // our Received field with its CRLF, to stand before the content
  BodySink* content = nullptr;
};

// Scans a header section as it arrives, for what we must know of it. Feed it each run of content octets in order; once
// the section is complete, the rest passes at no cost. It ends at its empty line, or before the first line that is no
// field (RFC 5322 2.2), as every relay reads it: a content without header has no Received field in its text.
class HeaderScan {
 public:
  void reset() { *this = {}; }
  void feed(View octets);
  [[nodiscard]] bool complete() const { return place_ == Place::complete; }
  [[nodiscard]] std::uint32_t received() const { return received_; }  // Received fields until now
  [[nodiscard]] bool eight_bit() const { return eight_bit_; }         // some octet above 127 until now

 private:
  enum class Place : std::uint8_t { line_start, name, blank_behind_name, value, empty_line, complete };
  static constexpr std::uint8_t kOther = 255;

  void take(char c);
  void begin_line(char c);
  void take_slice(View slice, bool has_eight_bit);
  std::size_t take_line(View octets, bool has_eight_bit);
  std::size_t take_value(View octets, bool has_eight_bit);
  std::size_t take_name(View octets);
  void end_name(char c);

  std::uint32_t received_ = 0;
  Place place_ = Place::line_start;
  std::uint8_t matched_ = 0;  // octets of "received" that the name has so far, or kOther
  bool field_seen_ = false;   // a folded line needs a field to belong to
  bool eight_bit_ = false;
};

// RFC 5321 4.4: "Received: from helo ([address]) by hostname (Ringpost) with ESMTP id ID for <x>; date", folded below
// 78 octets where words allow, "for" only with exactly one recipient. The client's words were checked by the grammar
// and hold no control octets. Replaces `out`.
void write_trace(std::string& out, const Envelope& envelope, SpoolId id, View hostname);

// RFC 5322 3.3, in UTC: "Wed, 25 Nov 2026 10:12:13 +0000" (RFC 5322 date-time). Appends to `out`.
void write_date(std::string& out, WallTime at);

}  // namespace ringpost::message
