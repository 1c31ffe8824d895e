// What the spool keeps of a message, read back from any octets: an envelope and a state are refused or are what they
// encode to; a header scan sees the same however its octets were cut.
#include <cstdint>
#include <string>

#include "pieces.h"
#include "ringpost/base/check.h"
#include "ringpost/message.h"

namespace {

using ringpost::View;
namespace message = ringpost::message;

void check_envelope(View input) {
  message::Envelope envelope;
  if (!envelope.decode(input)) {
    CHECK(envelope.recipient_count() == 0 && envelope.reverse_path().empty() && envelope.helo().empty());
    return;
  }
  std::string once;
  envelope.encode(once);
  message::Envelope again;
  CHECK(again.decode(once));
  std::string twice;
  again.encode(twice);
  CHECK(once == twice);
  for (std::size_t i = 0; i < envelope.recipient_count(); ++i)
    CHECK(envelope.recipient(i).forward_path.ends_with(envelope.recipient(i).domain));
}

void check_state(View input) {
  message::State state;
  if (!state.decode(input)) {
    CHECK(state.size() == 0);
    return;
  }
  std::string once;
  state.encode(once);
  message::State again;
  CHECK(again.decode(once) && again.size() == state.size());
  std::string twice;
  again.encode(twice);
  CHECK(once == twice);
}

void check_header_scan(View input) {
  message::HeaderScan at_once;
  at_once.feed(input);
  message::HeaderScan in_pieces;
  for (ringpost::fuzz::Pieces pieces(input); !pieces.done();) in_pieces.feed(std::string(pieces.next()));
  CHECK(at_once.complete() == in_pieces.complete());
  CHECK(at_once.received() == in_pieces.received());
  CHECK(at_once.eight_bit() == in_pieces.eight_bit());
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const View input(reinterpret_cast<const char*>(data), size);
  check_envelope(input);
  check_state(input);
  check_header_scan(input);
  return 0;
}
