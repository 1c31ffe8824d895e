// Where the recipients of a message stand, and the form in which the spool keeps it:
//
//     octet    version, 2
//     number   recipients
//     runs until all are covered, each: number of recipients alike, octet status, octet flags, number attempts,
//              signed due (milliseconds since 1970), number code, text of the last error,
//              if flag kEnhanced: octet class, number subject, number detail of the enhanced code,
//              if flag kAttempt: signed time of the last attempt, text its host,
//              if flag kVia: text of the destination that an operator chose
//
// Version 1 had no flags and nothing behind the text. Numbers and texts are as codec.h says. A new field is a new
// version; old versions stay readable.
#include <algorithm>
#include <limits>
#include <optional>
#include <utility>

#include "codec.h"
#include "ringpost/base/check.h"
#include "ringpost/message.h"

namespace ringpost::message {
namespace {

constexpr std::uint8_t kFirstVersion = 1;
constexpr std::uint8_t kVersion = 2;
constexpr unsigned kDelayTold = 1;
constexpr unsigned kOurs = 2;
constexpr unsigned kEnhanced = 4;
constexpr unsigned kAttempt = 8;
constexpr unsigned kVia = 16;
constexpr unsigned kFlagsEnd = 32;
constexpr std::uint64_t kMost16 = std::numeric_limits<std::uint16_t>::max();

}  // namespace

void State::reset(std::size_t recipients, WallTime due) {
  CHECK(recipients <= Envelope::kMaxRecipients);
  Entry fresh;
  fresh.due = due;
  entries_.assign(recipients, fresh);
  texts_.clear();
  compact_at_ = kFirstCompaction;
}

void State::set(std::size_t index, const RecipientState& state) {
  CHECK(index < entries_.size());
  const View text = state.text.substr(0, kTextLimit);
  const View host = state.host.substr(0, kHostLimit);
  const View via = state.via.substr(0, kViaLimit);
  std::optional<Piece> text_there = find(text);
  std::optional<Piece> host_there = find(host);
  std::optional<Piece> via_there = find(via);
  if (!text_there || !host_there || !via_there) {
    // They may be words of this very State, and texts_ is about to move.
    const std::string text_copy(text), host_copy(host), via_copy(via);
    if (texts_.size() + text.size() + host.size() + via.size() > compact_at_) compact();
    text_there = keep(text_copy);
    host_there = keep(host_copy);
    via_there = keep(via_copy);
  }
  Entry& entry = entries_[index];
  entry.text = *text_there;
  entry.host = *host_there;
  entry.via = *via_there;
  entry.due = state.due;
  entry.attempted = state.attempted;
  entry.attempts = state.attempts;
  entry.code = state.code;
  entry.enhanced = state.enhanced;
  entry.status = state.status;
  entry.delay_told = state.delay_told;
  entry.ours = state.ours;
}

// Recipients of one attempt mostly get the same words one after another: those are among the last that were kept.
std::optional<State::Piece> State::find(View text) const {
  if (text.empty()) return Piece{};
  const std::size_t recent = texts_.size() - std::min(texts_.size(), kTextLimit + kHostLimit);
  const std::size_t at = View{texts_}.find(text, recent);
  if (at == View::npos) return std::nullopt;
  return Piece{static_cast<std::uint32_t>(at), static_cast<std::uint16_t>(text.size())};
}

State::Piece State::keep(View text) {
  if (const auto there = find(text)) return *there;
  texts_.append(text);
  return {static_cast<std::uint32_t>(texts_.size() - text.size()), static_cast<std::uint16_t>(text.size())};
}

// Texts that no entry uses any more go; the next compaction comes when as much again has gathered.
void State::compact() {
  const std::string before = std::exchange(texts_, {});
  const auto move = [&](Piece& piece) { piece = keep(View{before}.substr(piece.offset, piece.length)); };
  for (Entry& entry : entries_) {
    move(entry.text);
    move(entry.host);
    move(entry.via);
  }
  compact_at_ = std::max(kFirstCompaction, texts_.size() * 2);
}

RecipientState State::at(std::size_t index) const {
  CHECK(index < entries_.size());
  const Entry& entry = entries_[index];
  return {.status = entry.status,
          .attempts = entry.attempts,
          .due = entry.due,
          .code = entry.code,
          .text = words(entry.text),
          .delay_told = entry.delay_told,
          .ours = entry.ours,
          .enhanced = entry.enhanced,
          .attempted = entry.attempted,
          .host = words(entry.host),
          .via = words(entry.via)};
}

std::size_t State::count(Status status) const {
  return static_cast<std::size_t>(
      std::ranges::count_if(entries_, [&](const Entry& entry) { return entry.status == status; }));
}

bool State::ended() const {
  return std::ranges::all_of(entries_, [](const Entry& entry) { return is_over(entry.status); });
}

bool State::alike(const Entry& a, const Entry& b) const {
  return a.status == b.status && a.attempts == b.attempts && a.due == b.due && a.code == b.code &&
         a.enhanced == b.enhanced && a.attempted == b.attempted && a.delay_told == b.delay_told && a.ours == b.ours &&
         words(a.text) == words(b.text) && words(a.host) == words(b.host) && words(a.via) == words(b.via);
}

void State::encode(std::string& out) const {
  put_octet(out, kVersion);
  put_number(out, entries_.size());
  for (auto run = entries_.begin(); run != entries_.end();) {
    const auto end = std::find_if(run, entries_.end(), [&](const Entry& entry) { return !alike(*run, entry); });
    const View host = words(run->host);
    const bool attempt = run->attempted != WallTime{} || !host.empty();
    put_number(out, static_cast<std::uint64_t>(end - run));
    put_octet(out, static_cast<unsigned>(run->status));
    put_octet(out, (run->delay_told ? kDelayTold : 0U) | (run->ours ? kOurs : 0U) |
                       (run->enhanced.given() ? kEnhanced : 0U) | (attempt ? kAttempt : 0U) |
                       (run->via.length != 0 ? kVia : 0U));
    put_number(out, run->attempts);
    put_signed(out, run->due.milliseconds);
    put_number(out, run->code);
    put_text(out, words(run->text));
    if (run->enhanced.given()) {
      put_octet(out, run->enhanced.kind);
      put_number(out, run->enhanced.subject);
      put_number(out, run->enhanced.detail);
    }
    if (attempt) {
      put_signed(out, run->attempted.milliseconds);
      put_text(out, host);
    }
    if (run->via.length != 0) put_text(out, words(run->via));
    run = end;
  }
}

bool State::decode(View octets) {
  reset(0, {});
  Decoder from(octets);
  const std::uint8_t version = from.octet();
  if (version != kVersion && version != kFirstVersion) from.fail();
  const auto count = static_cast<std::size_t>(from.number(Envelope::kMaxRecipients));
  while (from.good() && entries_.size() < count) {
    const auto length = static_cast<std::size_t>(from.number(count - entries_.size()));
    const Entry entry = version == kVersion ? take_entry(from) : take_first_entry(from);
    if (length == 0) from.fail();
    if (!from.good()) break;
    entries_.insert(entries_.end(), length, entry);
  }
  if (from.good_to_the_end()) return true;
  reset(0, {});
  return false;
}

State::Entry State::take_entry(Decoder& from) {
  const std::uint8_t status = from.octet();
  const std::uint8_t flags = from.octet();
  if (status > static_cast<std::uint8_t>(Status::held) || flags >= kFlagsEnd) from.fail();
  Entry entry = take_common(from);
  if ((flags & kEnhanced) != 0) {
    entry.enhanced.kind = from.octet();
    entry.enhanced.subject = static_cast<std::uint16_t>(from.number(kMost16));
    entry.enhanced.detail = static_cast<std::uint16_t>(from.number(kMost16));
  }
  if ((flags & kAttempt) != 0) {
    entry.attempted.milliseconds = from.signed_number();
    entry.host = keep(from.text(kHostLimit));
  }
  if ((flags & kVia) != 0) entry.via = keep(from.text(kViaLimit));
  entry.delay_told = (flags & kDelayTold) != 0;
  entry.ours = (flags & kOurs) != 0;
  if (from.good()) entry.status = static_cast<Status>(status);
  return entry;
}

State::Entry State::take_first_entry(Decoder& from) {
  const std::uint8_t status = from.octet();
  if (status > static_cast<std::uint8_t>(Status::removed)) from.fail();
  Entry entry = take_common(from);
  if (from.good()) entry.status = static_cast<Status>(status);
  return entry;
}

State::Entry State::take_common(Decoder& from) {
  Entry entry;
  entry.attempts = static_cast<std::uint16_t>(from.number(kMost16));
  entry.due.milliseconds = from.signed_number();
  entry.code = static_cast<std::uint16_t>(from.number(kMost16));
  entry.text = keep(from.text(kTextLimit));
  return entry;
}

}  // namespace ringpost::message
