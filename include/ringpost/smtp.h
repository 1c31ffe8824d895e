// The words of SMTP: lines, commands, addresses, replies, and the body between DATA and the final dot.
// Pure functions and small machines over views: no I/O, no allocation, no clock, no configuration.
// receive and deliver feed it what the network gave; message, report, tools and tests use the same words.
// It never decides whether a client may do what it asks: it says what was written, or how it is malformed.
//
// Everything here is reentrant; an object belongs to one thread at a time. Views that come out point into the
// views that went in (or at static text, where said) and live as long as those.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <expected>
#include <optional>
#include <span>

#include "ringpost/base/address.h"
#include "ringpost/base/bytes.h"

namespace ringpost::smtp {

// ---- Limits ------------------------------------------------------------------------------------------------
// All in octets unless said. RFC 5321 4.5.3.1 names minima that must be taken; ours are what the field needs.

// RFC 5321 4.5.3.1.4 says 512 with CRLF; extensions add: SIZE 26, BODY 16, SMTPUTF8 10 plus longer addresses,
// AUTH 500, and RFC 3461 5: ENVID, RET, NOTIFY, ORCPT some 630. Their sum fits in this.
inline constexpr std::size_t kCommandLine = 2048;
// RFC 5321 4.5.3.1.5 says 512; large EHLO lines and chatty policy texts exceed it.
inline constexpr std::size_t kReplyLine = 4096;
inline constexpr std::size_t kReplyTextLine = 512;  // kept of one line's text, the rest is dropped
inline constexpr std::size_t kReplyText = 1024;     // kept of a whole reply's text
inline constexpr std::size_t kReplyLines = 100;     // lines; a longer reply is nonsense
inline constexpr std::size_t kReplyOctets = 32768;  // a longer reply is nonsense
inline constexpr std::size_t kHelloName = 255;      // RFC 5321 4.5.3.1.2
// RFC 5321 4.5.3.1.1 says 64; VERP and SRS senders put a whole rewritten address in there.
inline constexpr std::size_t kLocalPart = 255;
inline constexpr std::size_t kDomain = 255;                     // RFC 5321 4.5.3.1.2
inline constexpr std::size_t kPath = kLocalPart + 1 + kDomain;  // RFC 5321 4.5.3.1.3 says 256; a route not counted
inline constexpr std::size_t kEnvid = 100;                      // RFC 3461 4.4, counted before the xtext encoding
inline constexpr std::size_t kOrcpt = 500;                      // RFC 3461 4.2
inline constexpr std::size_t kWrittenReplyLine = 512;           // RFC 5321 4.5.3.1.5: what we write obeys the letter

// ---- Codes -------------------------------------------------------------------------------------------------

// RFC 3463: class.subject.detail. Class 0 is "none given".
struct EnhancedCode {
  static constexpr std::size_t kTextLength = 9;  // "5.123.456": the longest

  std::uint8_t kind = 0;  // 2 done, 4 later, 5 never
  std::uint16_t subject = 0;
  std::uint16_t detail = 0;
  bool operator==(const EnhancedCode&) const = default;

  [[nodiscard]] constexpr bool given() const { return kind != 0; }
  // Writes "5.1.1" into `room` (at least kTextLength) and gives the view of it; empty when none is given.
  [[nodiscard]] View write(Room room) const;
  // Reads one that fills `text` exactly; none otherwise.
  static EnhancedCode parse(View text);
};

// What to answer to a malformed command. `text` is static.
struct Refusal {
  std::uint16_t code = 0;
  EnhancedCode enhanced;
  View text;
};

template <class T>
using Parsed = std::expected<T, Refusal>;

// ---- Lines -------------------------------------------------------------------------------------------------

enum class LineKind : std::uint8_t {
  incomplete,  // no line yet: keep what was not consumed, call again with more behind it
  complete,    // `text` is the line without its CRLF; it may hold any octet but CR and LF
  bare_cr,     // a CR without LF in the line
  bare_lf,     // an LF without CR in the line
  too_long,    // more octets than the limit, CRLF counted, without a line end
};

struct Line {
  LineKind kind = LineKind::incomplete;
  View text;                 // for complete only
  std::size_t consumed = 0;  // octets to drop from the front of the input, now
};

// Finds the lines of a command stream. Only CRLF ends a line (RFC 5321 2.3.8). A wrong line is reported once, as
// soon as it is known to be wrong, and everything up to and with its CRLF is then dropped by this scanner: so it
// gets one 500 5.5.2 and what stands behind its bare CR or LF never becomes a second command.
class LineScanner {
 public:
  explicit LineScanner(std::size_t limit = kCommandLine) : limit_(limit) {}

  // Looks at the line that begins at input[0]; `input` is what was not consumed before, and more. An octet is
  // looked at once, however often an unfinished line is offered.
  Line next(View input);
  // Forgets an unfinished or wrong line; for a new stream (after STARTTLS).
  void reset() {
    looked_at_ = 0;
    dropping_ = false;
  }
  // Another limit from the next line on (AUTH).
  void limit(std::size_t octets) { limit_ = octets; }

 private:
  Line look(View input);
  Line wrong(LineKind kind, View input, std::size_t from);
  std::size_t drop(View input);

  std::size_t limit_;
  std::size_t looked_at_ = 0;  // octets of the unfinished line that hold no line end
  bool dropping_ = false;      // inside a wrong line that was reported
};

// ---- Addresses ---------------------------------------------------------------------------------------------

// A mailbox as it was written: never rewritten, unquoted or case-folded (RFC 5321 2.4: the local part belongs to
// its domain's hosts alone).
struct Address {
  View text;          // local@domain; "postmaster" alone has no domain; empty: the null reverse-path
  View local_part;    // with its quotes
  View domain;        // a literal with its brackets; empty for <postmaster> and <>
  bool utf8 = false;  // holds octets above 127, well-formed UTF-8: needs SMTPUTF8 on the way

  [[nodiscard]] bool null() const { return text.empty(); }
};

// RFC 5321 4.1.2 Mailbox, filling `text` exactly: dot-string or quoted string, "@", domain or address literal.
// Octets above 127 are taken as well-formed UTF-8 only (RFC 6531 3.3), and said. Nothing else than these: no
// comment, no blank, no control octet. For envelopes, routes and configuration.
std::optional<Address> parse_mailbox(View text);

// RFC 5321 2.3.5 letters, digits, hyphens (never at an end of a label), and underscores, which the field uses;
// labels up to 63, no empty one. ASCII only.
bool domain_valid(View text);
// The same, with UTF-8 labels (RFC 6531 3.3).
bool domain_valid_utf8(View text);
// RFC 3629: shortest forms, no surrogates, nothing above U+10FFFF.
bool utf8_valid(View text);

// RFC 5321 4.1.3: "[192.0.2.1]" or "[IPv6:2001:db8::1]", brackets included; the port is 0.
std::optional<SocketAddress> parse_literal(View text);

// RFC 3461 4: xtext. "+" two upper-case hexadecimal digits stands for an octet that may not be written.
bool xtext_valid(View text);
// Writes the decoded / encoded form and gives its length; nothing when `text` is malformed or `room` too small.
std::optional<std::size_t> xtext_decode(View text, Room room);
std::optional<std::size_t> xtext_encode(View text, Room room);

// ---- Commands ----------------------------------------------------------------------------------------------

enum class Verb : std::uint8_t {
  unknown,
  ehlo,
  helo,
  mail,
  rcpt,
  data,
  bdat,
  rset,
  noop,
  quit,
  vrfy,
  expn,
  help,
  starttls,
  auth,
};

// "EHLO" … for logs and replies; "?" for unknown. Static.
View verb_name(Verb verb);

// A line taken apart at its first blank, blanks at both ends of the argument cut. An unknown verb gets 500 5.5.2
// or 502 5.5.1; an argument behind DATA, RSET, QUIT or STARTTLS gets 501 5.5.4.
struct Command {
  Verb verb = Verb::unknown;
  View word;      // the verb as written
  View argument;  // may hold any octet but CR and LF; the functions below refuse what has no place there
};
Command split_command(View line);

// RFC 5321 4.1.1.1. Names that are no domain but harmless (graphic ASCII) are taken, as every large receiver does:
// what a client calls itself proves nothing. Control octets and 8-bit are refused.
struct Hello {
  View name;
  bool valid = false;  // a domain or an address literal by the letter
};
Parsed<Hello> parse_hello(View argument);

enum class BodyType : std::uint8_t { seven_bit, eight_bit_mime };
enum class DsnReturn : std::uint8_t { unset, full, headers };  // RFC 3461 4.3

// MAIL FROM:<path> [parameters]; RFC 5321 4.1.1.2, 1870, 6152, 6531, 3461, 4954.
struct MailCommand {
  Address from;
  std::optional<std::uint64_t> size;    // SIZE=, octets
  BodyType body = BodyType::seven_bit;  // BODY=; 7BIT when not given
  bool smtputf8 = false;
  DsnReturn ret = DsnReturn::unset;
  View envid;  // ENVID= as xtext, valid; empty when not given
  View auth;   // AUTH= as xtext or "<>", valid; empty when not given
};
// The argument of MAIL. Unknown parameters: 555 5.5.4; doubled or malformed ones: 501 5.5.4; BODY=BINARYMIME,
// which is not offered: 504 5.5.4; octets above 127 without SMTPUTF8: 553 5.6.7; a malformed path: 501 5.1.7.
Parsed<MailCommand> parse_mail(View argument);

// RFC 3461 4.1: NOTIFY= as bits; 0 when not given.
enum Notify : std::uint8_t { kNotifyNever = 1, kNotifySuccess = 2, kNotifyFailure = 4, kNotifyDelay = 8 };

// RCPT TO:<path> [parameters]; RFC 5321 4.1.1.3, 3461.
struct RcptCommand {
  Address to;  // never null; without a domain only as <postmaster>, any case (RFC 5321 4.5.1)
  std::uint8_t notify = 0;
  View orcpt;  // ORCPT= as written, "type;xtext", valid; empty when not given
};
// The argument of RCPT; `smtputf8` when this transaction's MAIL had it. Codes as above; a malformed path: 501 5.1.3.
Parsed<RcptCommand> parse_rcpt(View argument, bool smtputf8);

// BDAT size [LAST]; RFC 3030 2. After a refusal the place of the next command is unknown: answer and close.
struct BdatCommand {
  std::uint64_t size = 0;
  bool last = false;
};
Parsed<BdatCommand> parse_bdat(View argument);

// ---- Replies, written --------------------------------------------------------------------------------------

// Writes "250-first\r\n250 last\r\n" into `room`, the enhanced code (if given) at the head of each line as RFC 2034
// wants, and gives the octets written; 0 and nothing usable in `room` when it does not fit. CR, LF and NUL in a
// text become "?", so no text can end a line; a line over kWrittenReplyLine is cut.
std::size_t write_reply(Room room, std::uint16_t code, EnhancedCode enhanced, std::span<const View> lines);
std::size_t write_reply(Room room, std::uint16_t code, EnhancedCode enhanced, View text);

// ---- Replies, read -----------------------------------------------------------------------------------------

// What an EHLO reply offers. Keywords in any case; unknown ones are passed over.
struct Capabilities {
  bool pipelining = false;
  bool eight_bit_mime = false;
  bool smtputf8 = false;
  bool chunking = false;
  bool binary_mime = false;
  bool dsn = false;
  bool enhanced_codes = false;
  bool starttls = false;
  bool size = false;
  std::uint64_t size_limit = 0;  // octets; 0: none fixed (RFC 1870 4)
  bool auth_plain = false;
  bool auth_login = false;
  bool auth_cram_md5 = false;
  bool auth_scram_sha_1 = false;
  bool auth_scram_sha_256 = false;
  bool auth_external = false;

  // Takes in the text of one line (behind "250-"); the first line of the reply is the greeting, not a keyword.
  void take(View line);
};

// One whole reply. `text` points into its reader and lives until the reader's next feed or reset.
struct Reply {
  std::uint16_t code = 0;
  EnhancedCode enhanced;  // of the first line that has one, if its class agrees with the code; taken off the text
  View text;              // lines joined by one blank, control octets as "?": fit for a log; cut at kReplyText
  std::uint16_t lines = 0;

  [[nodiscard]] bool done() const { return code / 100 == 2; }
  [[nodiscard]] bool go_on() const { return code / 100 == 3; }
  [[nodiscard]] bool later() const { return code / 100 == 4; }
  [[nodiscard]] bool never() const { return code / 100 == 5; }
};

// Reads replies from a stream in pieces of any size (RFC 5321 4.2). It keeps what it needs of an unfinished line
// itself, so every octet offered is consumed, up to the end of one reply. A bare LF ends a reply line too: Postfix
// and Exim read it so, and no harm can come of it in this direction.
class ReplyReader {
 public:
  enum class State : std::uint8_t {
    more,      // all consumed, no whole reply yet
    complete,  // reply() holds one; the next feed begins the next one
    nonsense,  // not SMTP (no code, codes that differ between lines, over a limit): give the connection up
  };
  struct Progress {
    State state = State::more;
    std::size_t consumed = 0;
  };

  Progress feed(View input);
  [[nodiscard]] const Reply& reply() const { return reply_; }
  // Between two replies: nothing of the next one has come. False inside a reply (an unexpected one, too).
  [[nodiscard]] bool idle() const { return finished_ || octets_ == 0; }
  // The next reply answers EHLO: its keywords are put into `into`, which lives until that reply is complete.
  void expect_capabilities(Capabilities& into) { capabilities_ = &into; }
  // Forgets an unfinished reply; for a new connection or after STARTTLS.
  void reset();

 private:
  static constexpr std::size_t kHead = 4;  // "250-"

  State advance(View piece);
  void keep_piece(View piece);
  View whole_line(View piece) const;
  bool head_fits(View line) const;
  bool take_line(View line);
  void keep_text(View text);

  Reply reply_;
  Capabilities* capabilities_ = nullptr;
  std::size_t octets_ = 0;                               // of this reply so far
  std::size_t line_octets_ = 0;                          // of the current line, kept or not
  std::size_t line_kept_ = 0;                            // octets in line_
  std::size_t text_kept_ = 0;                            // octets in text_
  bool finished_ = false;                                // reply_ was handed out
  std::array<char, kHead + kReplyTextLine + 2> line_{};  // an unfinished line, its CRLF included
  std::array<char, kReplyText> text_{};
};

// ---- Bodies, read ------------------------------------------------------------------------------------------

// What one pass over a body finds out.
struct BodyFacts {
  std::uint64_t octets = 0;     // of the clean body
  std::uint64_t dot_lines = 0;  // lines of the clean body that begin with a dot; 0: it may be sent unstuffed
  bool bare_cr = false;         // smuggling or damage: 550 5.6.0 once the real end of data has come
  bool bare_lf = false;
  bool nul = false;
  bool eight_bit = false;
  bool ends_with_crlf = false;

  [[nodiscard]] bool bare() const { return bare_cr || bare_lf; }
};

// The instruction sets that the scanners know. `best`: what this CPU has. The others are for tests and bench.
enum class Simd : std::uint8_t { best, avx2, sse2, scalar };
bool simd_available(Simd simd);

namespace detail {
struct Classifier;  // one per instruction set; src/smtp/classify.h
const Classifier& classifier(Simd simd);

// Where a scanner stands between two octets, and what it found.
struct BodyState {
  BodyFacts facts;
  bool after_cr = false;
  bool line_start = true;
};
}  // namespace detail

// Reads what follows the 354 of DATA: removes stuffed dots (RFC 5321 4.5.2) and finds the end, which is CRLF.CRLF or a
// first line of ".CRLF", and nothing else: LF.LF, LF.CRLF, CR.CR, CRLF.LF and their like never end it.
//
//     while (!input.empty() && !ended) {
//       BodyScanner::Run run = scanner.next(input);
//       sink(run.clean); input.remove_prefix(run.consumed); ended = run.ended;
//     }
class BodyScanner {
 public:
  struct Run {
    View clean;                // clean body octets, in order; may be empty. Into `input`, or static
    std::size_t consumed = 0;  // octets of `input` done with; 0 only where `clean` holds an octet of an earlier input
    bool ended = false;        // the end of data was consumed; what follows is the next command
  };

  explicit BodyScanner(Simd simd = Simd::best);
  // Input may be cut at any octet. After `ended`: reset() first.
  Run next(View input);
  [[nodiscard]] const BodyFacts& facts() const { return state_.facts; }  // whole once ended
  void reset();

 private:
  enum class Place : std::uint8_t { text, dot, dot_cr, ended };  // dot, dot_cr: of a line that begins so

  Run after_dot(View input);
  Run after_dot_cr(View input);

  detail::BodyState state_;
  const detail::Classifier* classifier_;
  Place place_ = Place::text;
};

// The same facts for octets that come as they are: BDAT chunks (RFC 3030: unchanged; a message runs over all its
// chunks), stored bodies, files. It finds no end and removes nothing.
class BodyCounter {
 public:
  explicit BodyCounter(Simd simd = Simd::best);
  void take(View octets);
  // Of what was taken until now, as if it ended here: a CR at the end is bare.
  [[nodiscard]] BodyFacts facts() const;
  void reset();

 private:
  detail::BodyState state_;
  const detail::Classifier* classifier_;
};

// ---- Bodies, written ---------------------------------------------------------------------------------------

// Turns a body, given in pieces, into what DATA wants, copying nothing: pieces of the body with a "." between them
// where a line begins with one.
//
//     while (!piece.empty()) send(stuffer.next(piece));
//     send(stuffer.end());
class DotStuffer {
 public:
  // With dot_lines == 0 (BodyFacts) each piece passes whole, unlooked at but for its end.
  explicit DotStuffer(bool has_dot_lines = true, Simd simd = Simd::best);
  // Takes the next segment to send off the front of `piece`, which is not empty. Never empty; may be static.
  View next(View& piece);
  // The end of data, by what went before: ".\r\n" after a CRLF or an empty body, else "\r\n.\r\n". Static.
  [[nodiscard]] View end() const;
  void reset(bool has_dot_lines);

 private:
  void pass(View piece);

  detail::BodyState state_;
  const detail::Classifier* classifier_;
  bool has_dot_lines_;
  bool dot_sent_ = false;  // the "." for this line is out, the line follows
};

}  // namespace ringpost::smtp
