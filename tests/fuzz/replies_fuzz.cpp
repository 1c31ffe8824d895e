// Replies of a server: the same replies however the octets were cut, texts that are fit for a log, bounds kept.
#include <cstdint>
#include <string>
#include <vector>

#include "pieces.h"
#include "ringpost/base/check.h"
#include "ringpost/smtp.h"

namespace {

using namespace ringpost;
using namespace ringpost::smtp;

struct Seen {
  std::uint16_t code;
  std::string text;
  bool operator==(const Seen&) const = default;
};

// False once the stream is nonsense.
bool read(ReplyReader& reader, View input, std::vector<Seen>& seen) {
  while (!input.empty()) {
    const ReplyReader::Progress progress = reader.feed(input);
    CHECK(progress.consumed <= input.size());
    if (progress.state == ReplyReader::State::nonsense) return false;
    if (progress.state == ReplyReader::State::more) {
      CHECK(progress.consumed == input.size());
      return true;
    }
    const Reply& reply = reader.reply();
    CHECK(reply.code >= 200 && reply.code < 600);
    CHECK(reply.text.size() <= kReplyText);
    for (const char c : reply.text) CHECK(static_cast<unsigned char>(c) >= ' ');
    seen.push_back({reply.code, std::string(reply.text)});
    CHECK(progress.consumed > 0);
    input.remove_prefix(progress.consumed);
  }
  return true;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const View input(reinterpret_cast<const char*>(data), size);
  std::vector<Seen> at_once;
  std::vector<Seen> in_pieces;
  Capabilities capabilities;
  ReplyReader whole;
  whole.expect_capabilities(capabilities);
  const bool sense = read(whole, input, at_once);
  ReplyReader reader;
  bool going = true;
  for (fuzz::Pieces pieces(input); going && !pieces.done();) going = read(reader, pieces.next(), in_pieces);
  CHECK(going == sense);
  CHECK(at_once == in_pieces);
  return 0;
}
