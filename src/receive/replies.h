// The replies of one session, in order, until the peer has them: octets in pooled chunks, and marks where a commit is
// awaited. What stands behind a mark stays here until that commit is answered, so a 250 cannot leave before the durable
// write and nothing overtakes it.
//
// Who calls: Session. Never here: what to answer, and the socket.
#pragma once

#include <array>
#include <cstdint>
#include <span>

#include <sys/uio.h>

#include "ringpost/base/ids.h"
#include "ringpost/base/result.h"
#include "ringpost/base/slab.h"
#include "ringpost/receive.h"

namespace ringpost::receive {

// Octets of the longest reply that a session gives (EHLO: 9 lines; HELP). No reply is cut in two by a chunk's end.
inline constexpr std::size_t kLongestReply = 960;

struct ReplyChunk {
  static constexpr std::size_t kSize = 1012;  // the whole is 1 KiB: a burst of ten messages answers in one
  ReplyChunk* next = nullptr;
  std::uint16_t begin = 0;  // the first octet that was not sent
  std::uint16_t end = 0;    // behind the last octet
  std::array<char, kSize> octets;
  ReplyChunk() {}  // octets are written before they are read
};
static_assert(kLongestReply <= ReplyChunk::kSize && sizeof(ReplyChunk) == 1024);

// The awaited commits of one session, the oldest first: a ring, by sequence.
struct Marks {
  struct Mark {
    std::uint64_t position;  // of the reply's first octet in the stream of replies
    char* text;              // where that octet is
    bool answered;
  };
  std::array<Mark, kCommitsAwaited> ring;
  std::uint32_t first = 0;  // sequence of the oldest
  std::uint32_t count = 0;
};

class Replies {
 public:
  Replies(Slab<ReplyChunk>& chunks, Slab<Marks>& marks) : chunk_pool_(chunks), mark_pool_(marks) {}
  ~Replies();
  Replies(const Replies&) = delete;
  Replies& operator=(const Replies&) = delete;

  // Adds one whole reply, as it goes out.
  void say(View reply);
  // Adds a reply of one line or several; the enhanced code may be none.
  void say(std::uint16_t code, smtp::EnhancedCode enhanced, View text);
  void say(std::uint16_t code, smtp::EnhancedCode enhanced, std::span<const View> lines);
  // Adds the reply to a commit: held until answer() for the same sequence. Sequences go up by one.
  void say_when_kept(std::uint32_t sequence, SpoolId id);
  // The reply is "queued as" the id, or a refusal if the message could not be kept. Any order; false: no such mark.
  bool answer(std::uint32_t sequence, const Result<void>& result);

  [[nodiscard]] std::uint32_t awaited() const { return marks_ == nullptr ? 0 : marks_->count; }
  // Octets that the peer does not have, held or not.
  [[nodiscard]] std::size_t size() const { return static_cast<std::size_t>(written_ - sent_); }
  // No chunk was left for a reply: the session cannot go on.
  [[nodiscard]] bool lost() const { return lost_; }

  // What may be sent now, in order; gives the pieces filled. The octets stay until sent().
  std::size_t pieces(std::span<iovec> into) const;
  void sent(std::size_t octets);

 private:
  [[nodiscard]] std::uint64_t held_from() const;
  char* room(std::size_t octets);
  void added(std::size_t octets);
  void drop_first_chunk();

  Slab<ReplyChunk>& chunk_pool_;
  Slab<Marks>& mark_pool_;
  ReplyChunk* first_ = nullptr;
  ReplyChunk* last_ = nullptr;
  Marks* marks_ = nullptr;
  std::uint64_t written_ = 0;  // octets of all replies until now
  std::uint64_t sent_ = 0;
  bool lost_ = false;
};

}  // namespace ringpost::receive
