// Replies of a server: the same replies and capabilities however the octets were cut, texts that are fit for a log,
// bounds kept.
#include <algorithm>
#include <cstdint>
#include <string>
#include <vector>

#include "pieces.h"
#include "ringpost/base/check.h"
#include "ringpost/smtp.h"

namespace {

using ringpost::View;
namespace smtp = ringpost::smtp;
using State = smtp::ReplyReader::State;

struct Seen {
  std::uint16_t code;
  smtp::EnhancedCode enhanced;
  std::string text;
  std::uint16_t lines;
  bool pipelining;
  std::uint64_t size_limit;
  bool operator==(const Seen&) const = default;
};

struct Talk {
  std::vector<Seen> replies;
  bool nonsense = false;
  bool operator==(const Talk&) const = default;
};

void check_reply(const smtp::Reply& reply) {
  CHECK(reply.code >= 200 && reply.code <= 599);
  CHECK(!reply.enhanced.given() || reply.enhanced.kind == reply.code / 100);
  CHECK(reply.text.size() <= smtp::kReplyText && reply.lines >= 1 && reply.lines <= smtp::kReplyLines);
  CHECK(std::ranges::none_of(reply.text, [](char c) { return (c >= 0 && c < ' ') || c == 0x7F; }));
}

// Every reply is read as if it answered EHLO.
class Listener {
 public:
  Listener() { reader_.expect_capabilities(capabilities_); }

  void hear(const std::string& piece) {
    for (View input = piece; !input.empty() && !talk.nonsense;) {
      const auto progress = reader_.feed(input);
      CHECK(progress.consumed > 0 && progress.consumed <= input.size());
      input.remove_prefix(progress.consumed);
      CHECK(progress.state != State::more || input.empty());
      talk.nonsense = progress.state == State::nonsense;
      if (progress.state == State::complete) take(reader_.reply());
    }
  }

  Talk talk;

 private:
  void take(const smtp::Reply& reply) {
    check_reply(reply);
    talk.replies.push_back({reply.code, reply.enhanced, std::string(reply.text), reply.lines, capabilities_.pipelining,
                            capabilities_.size_limit});
    capabilities_ = {};
    reader_.expect_capabilities(capabilities_);
  }

  smtp::ReplyReader reader_;
  smtp::Capabilities capabilities_;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const View input(reinterpret_cast<const char*>(data), size);
  Listener at_once;
  at_once.hear(std::string(input));
  Listener in_pieces;
  for (ringpost::fuzz::Pieces pieces(input); !pieces.done();) in_pieces.hear(std::string(pieces.next()));
  CHECK(at_once.talk == in_pieces.talk);
  return 0;
}
