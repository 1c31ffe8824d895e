// The order of held replies: what may leave, when, and what a commit that fails turns into.
#include <doctest/doctest.h>

#include <cerrno>
#include <string>

#include "src/receive/replies.h"

using namespace ringpost;
using namespace ringpost::receive;

namespace {

struct Fixture {
  Slab<ReplyChunk> chunks{8};
  Slab<Marks> marks{1};
  Replies replies{chunks, marks};

  std::string take() {
    std::string taken;
    iovec pieces[4];
    while (const std::size_t count = replies.pieces(pieces)) {
      std::size_t octets = 0;
      for (std::size_t i = 0; i < count; ++i) {
        taken.append(static_cast<const char*>(pieces[i].iov_base), pieces[i].iov_len);
        octets += pieces[i].iov_len;
      }
      replies.sent(octets);
    }
    return taken;
  }
};

std::string queued(SpoolId id) { return "250 2.0.0 Ok: queued as " + id.text() + "\r\n"; }

}  // namespace

TEST_CASE("a reply without a commit before it may leave at once") {
  Fixture f;
  f.replies.say("250 2.0.0 Ok\r\n");
  CHECK(f.take() == "250 2.0.0 Ok\r\n");
  CHECK(f.replies.size() == 0);
  CHECK(f.chunks.used() == 0);
}

TEST_CASE("a commit's reply and all behind it wait for its answer") {
  Fixture f;
  f.replies.say("354 go\r\n");
  f.replies.say_when_kept(1, SpoolId{5});
  f.replies.say("221 bye\r\n");
  CHECK(f.take() == "354 go\r\n");
  CHECK(f.take().empty());
  CHECK(f.replies.answer(1, {}));
  CHECK(f.take() == queued(SpoolId{5}) + "221 bye\r\n");
  CHECK(f.marks.used() == 0);
}

TEST_CASE("answers out of order leave in order") {
  Fixture f;
  for (std::uint32_t i = 1; i <= 3; ++i) f.replies.say_when_kept(i, SpoolId{i});
  CHECK(f.replies.answer(3, {}));
  CHECK(f.replies.answer(2, {}));
  CHECK(f.take().empty());
  CHECK(f.replies.awaited() == 3);
  CHECK(f.replies.answer(1, {}));
  CHECK(f.take() == queued(SpoolId{1}) + queued(SpoolId{2}) + queued(SpoolId{3}));
}

TEST_CASE("a failed commit becomes a refusal in its place") {
  Fixture f;
  f.replies.say_when_kept(1, SpoolId{1});
  f.replies.say_when_kept(2, SpoolId{2});
  f.replies.say_when_kept(3, SpoolId{3});
  CHECK(f.replies.answer(1, fail(ENOSPC, "disk")));
  CHECK(f.replies.answer(2, fail(EIO, "disk")));
  CHECK(f.replies.answer(3, {}));
  CHECK(f.take() ==
        "452 4.3.1 Insufficient system storage\r\n451 4.3.0 Message not kept, try later\r\n" + queued(SpoolId{3}));
}

TEST_CASE("an answer that nobody awaits is said to be so") {
  Fixture f;
  CHECK_FALSE(f.replies.answer(1, {}));
  f.replies.say_when_kept(7, SpoolId{1});
  CHECK_FALSE(f.replies.answer(6, {}));
  CHECK_FALSE(f.replies.answer(8, {}));
  CHECK(f.replies.answer(7, {}));
}

TEST_CASE("octets stay where they are while more is said behind them") {
  Fixture f;
  f.replies.say("250 one\r\n");
  iovec piece{};
  CHECK(f.replies.pieces({&piece, 1}) == 1);
  for (int i = 0; i < 300; ++i) f.replies.say("250 more\r\n");
  CHECK(std::string(static_cast<const char*>(piece.iov_base), piece.iov_len) == "250 one\r\n");
  f.replies.sent(piece.iov_len);
  CHECK(f.take().size() == 300 * 10);
}

TEST_CASE("sending in parts ends in the same octets") {
  Fixture f;
  std::string said;
  for (int i = 0; i < 400; ++i) {
    const std::string reply = "250 number " + std::to_string(i) + "\r\n";
    said += reply;
    f.replies.say(reply);
  }
  std::string got;
  for (std::size_t step = 1; f.replies.size() > 0; step = step * 7 % 97 + 1) {
    iovec piece{};
    CHECK(f.replies.pieces({&piece, 1}) == 1);
    const std::size_t octets = std::min(step, piece.iov_len);
    got.append(static_cast<const char*>(piece.iov_base), octets);
    f.replies.sent(octets);
  }
  CHECK(got == said);
  CHECK(f.chunks.used() == 0);
}

TEST_CASE("without a chunk the replies are lost, and say so") {
  Slab<ReplyChunk> chunks{1};
  Slab<Marks> marks{1};
  Replies replies{chunks, marks};
  for (int i = 0; i < 300 && !replies.lost(); ++i) replies.say("250 2.0.0 Ok\r\n");
  CHECK(replies.lost());
  replies.say_when_kept(1, SpoolId{1});
  CHECK(replies.answer(1, fail(EIO, "disk")));
}

TEST_CASE("replies that are dropped give everything back") {
  Slab<ReplyChunk> chunks{4};
  Slab<Marks> marks{1};
  {
    Replies replies{chunks, marks};
    replies.say("250 2.0.0 Ok\r\n");
    replies.say_when_kept(1, SpoolId{1});
  }
  CHECK(chunks.used() == 0);
  CHECK(marks.used() == 0);
}
