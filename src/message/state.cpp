// Where the recipients of a message stand, and the form in which the spool keeps it:
//
//     octet    version, 1
//     number   recipients
//     runs until all are covered, each: number of recipients alike, octet status, number attempts,
//              signed due (milliseconds since 1970), number code, text of the last error
//
// Numbers and texts are as codec.h says. A new field is a new version; old versions stay readable.
#include <algorithm>
#include <limits>

#include "codec.h"
#include "ringpost/base/check.h"
#include "ringpost/message.h"

namespace ringpost::message {
namespace {

constexpr std::uint8_t kVersion = 1;
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
  Entry& entry = entries_[index];
  entry.due = state.due;
  entry.attempts = state.attempts;
  entry.code = state.code;
  entry.status = state.status;
  keep_text(entry, state.text.substr(0, kTextLimit));
}

// Recipients of one attempt mostly get the same words one after another: these are kept once.
void State::keep_text(Entry& entry, View text) {
  if (!texts_.ends_with(text)) {
    entry.text_length = 0;
    // The words may be those of another entry, and texts_ is about to move.
    const std::string copy(text);
    if (texts_.size() + copy.size() > compact_at_) compact();
    texts_.append(copy);
  }
  entry.text_offset = static_cast<std::uint32_t>(texts_.size() - text.size());
  entry.text_length = static_cast<std::uint16_t>(text.size());
}

// Texts that no entry uses any more go; the next compaction comes when as much again has gathered.
void State::compact() {
  std::string kept;
  for (Entry& entry : entries_) {
    const View words = text(entry);
    if (!kept.ends_with(words)) kept.append(words);
    entry.text_offset = static_cast<std::uint32_t>(kept.size() - words.size());
  }
  texts_ = std::move(kept);
  compact_at_ = std::max(kFirstCompaction, texts_.size() * 2);
}

RecipientState State::at(std::size_t index) const {
  CHECK(index < entries_.size());
  const Entry& entry = entries_[index];
  return {entry.status, entry.attempts, entry.due, entry.code, text(entry)};
}

std::size_t State::count(Status status) const {
  return static_cast<std::size_t>(
      std::ranges::count_if(entries_, [&](const Entry& entry) { return entry.status == status; }));
}

void State::encode(std::string& out) const {
  const auto alike = [&](const Entry& a, const Entry& b) {
    return a.status == b.status && a.attempts == b.attempts && a.due == b.due && a.code == b.code && text(a) == text(b);
  };
  put_octet(out, kVersion);
  put_number(out, entries_.size());
  for (auto run = entries_.begin(); run != entries_.end();) {
    const auto end = std::find_if(run, entries_.end(), [&](const Entry& entry) { return !alike(*run, entry); });
    put_number(out, static_cast<std::uint64_t>(end - run));
    put_octet(out, static_cast<unsigned>(run->status));
    put_number(out, run->attempts);
    put_signed(out, run->due.milliseconds);
    put_number(out, run->code);
    put_text(out, text(*run));
    run = end;
  }
}

bool State::decode(View octets) {
  reset(0, {});
  Decoder from(octets);
  if (from.octet() != kVersion) from.fail();
  const auto count = static_cast<std::size_t>(from.number(Envelope::kMaxRecipients));
  while (from.good() && entries_.size() < count) {
    const auto length = static_cast<std::size_t>(from.number(count - entries_.size()));
    const std::uint8_t status = from.octet();
    Entry entry;
    entry.attempts = static_cast<std::uint16_t>(from.number(kMost16));
    entry.due.milliseconds = from.signed_number();
    entry.code = static_cast<std::uint16_t>(from.number(kMost16));
    const View words = from.text(kTextLimit);
    if (length == 0 || status > static_cast<std::uint8_t>(Status::removed)) from.fail();
    if (!from.good()) break;
    entry.status = static_cast<Status>(status);
    keep_text(entry, words);
    entries_.insert(entries_.end(), length, entry);
  }
  if (from.good_to_the_end()) return true;
  reset(0, {});
  return false;
}

}  // namespace ringpost::message
