// Replies kept in order (replies.h).
#include "replies.h"

#include <algorithm>
#include <cerrno>
#include <cstring>

namespace ringpost::receive {
namespace {

constexpr View kQueued = "250 2.0.0 Ok: queued as ";
constexpr View kDiskFull = "452 4.3.1 Insufficient system storage\r\n";
constexpr View kNotKept = "451 4.3.0 Message not kept, try later\r\n";

// The 250 is written when the commit begins and becomes a refusal in its place if the commit fails: so all three are
// equally long, and what was pipelined behind stays where it is.
constexpr std::size_t kCommitReply = kQueued.size() + SpoolId::kTextLength + 2;
static_assert(kDiskFull.size() == kCommitReply);
static_assert(kNotKept.size() == kCommitReply);

View words_for(const Error& error) { return error.code == ENOSPC || error.code == EDQUOT ? kDiskFull : kNotKept; }

}  // namespace

Replies::~Replies() {
  while (first_ != nullptr) drop_first_chunk();
  if (marks_ != nullptr) mark_pool_.release(*marks_);
}

// Room for one reply in the last chunk or a new one; null when the pool is empty.
char* Replies::room(std::size_t octets) {
  CHECK(octets <= ReplyChunk::kSize);
  if (last_ != nullptr && ReplyChunk::kSize - last_->end >= octets) return last_->octets.data() + last_->end;
  ReplyChunk* chunk = lost_ ? nullptr : chunk_pool_.acquire();
  if (chunk == nullptr) {
    lost_ = true;
    return nullptr;
  }
  (last_ == nullptr ? first_ : last_->next) = chunk;
  last_ = chunk;
  return chunk->octets.data();
}

void Replies::added(std::size_t octets) {
  last_->end = static_cast<std::uint16_t>(last_->end + octets);
  written_ += octets;
}

void Replies::say(View reply) {
  char* to = room(reply.size());
  if (to == nullptr) return;
  std::memcpy(to, reply.data(), reply.size());
  added(reply.size());
}

void Replies::say(std::uint16_t code, smtp::EnhancedCode enhanced, View text) {
  const View lines[] = {text};
  say(code, enhanced, lines);
}

void Replies::say(std::uint16_t code, smtp::EnhancedCode enhanced, std::span<const View> lines) {
  char reply[kLongestReply];
  const std::size_t octets = smtp::write_reply(reply, code, enhanced, lines);
  CHECK(octets > 0);
  say(View{reply, octets});
}

void Replies::say_when_kept(std::uint32_t sequence, SpoolId id) {
  if (marks_ == nullptr) {
    marks_ = mark_pool_.acquire();
    CHECK(marks_ != nullptr);  // there is one for each session
    marks_->first = sequence;
    marks_->count = 0;
  }
  CHECK(marks_->count < kCommitsAwaited && sequence == marks_->first + marks_->count);
  char* to = room(kCommitReply);
  marks_->ring[sequence % kCommitsAwaited] = {written_, to, false};
  ++marks_->count;
  if (to == nullptr) return;
  std::memcpy(to, kQueued.data(), kQueued.size());
  const auto letters = id.letters();
  std::memcpy(to + kQueued.size(), letters.data(), letters.size());
  std::memcpy(to + kQueued.size() + letters.size(), "\r\n", 2);
  added(kCommitReply);
}

bool Replies::answer(std::uint32_t sequence, const Result<void>& result) {
  if (marks_ == nullptr || sequence - marks_->first >= marks_->count) return false;
  Marks::Mark& mark = marks_->ring[sequence % kCommitsAwaited];
  CHECK(!mark.answered);
  mark.answered = true;
  if (!result && mark.text != nullptr) std::memcpy(mark.text, words_for(result.error()).data(), kCommitReply);
  while (marks_->count > 0 && marks_->ring[marks_->first % kCommitsAwaited].answered) {
    ++marks_->first;
    --marks_->count;
  }
  if (marks_->count == 0) {
    mark_pool_.release(*marks_);
    marks_ = nullptr;
  }
  return true;
}

// Where the part of the stream begins that may not leave yet.
std::uint64_t Replies::held_from() const {
  return awaited() == 0 ? written_ : marks_->ring[marks_->first % kCommitsAwaited].position;
}

std::size_t Replies::pieces(std::span<iovec> into) const {
  std::uint64_t left = held_from() - sent_;
  std::size_t filled = 0;
  for (ReplyChunk* chunk = first_; chunk != nullptr && left > 0 && filled < into.size(); chunk = chunk->next) {
    const std::size_t octets = std::min<std::uint64_t>(left, std::size_t{chunk->end} - chunk->begin);
    if (octets == 0) continue;
    into[filled++] = {chunk->octets.data() + chunk->begin, octets};
    left -= octets;
  }
  return filled;
}

void Replies::sent(std::size_t octets) {
  CHECK(octets <= held_from() - sent_);
  sent_ += octets;
  while (first_ != nullptr) {
    const std::size_t here = std::min<std::size_t>(octets, std::size_t{first_->end} - first_->begin);
    first_->begin = static_cast<std::uint16_t>(first_->begin + here);
    octets -= here;
    if (first_->begin < first_->end) return;
    drop_first_chunk();
  }
}

void Replies::drop_first_chunk() {
  ReplyChunk* next = first_->next;
  chunk_pool_.release(*first_);
  first_ = next;
  if (first_ == nullptr) last_ = nullptr;
}

}  // namespace ringpost::receive
