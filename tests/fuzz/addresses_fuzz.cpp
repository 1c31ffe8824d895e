// Addresses and networks as text: what is taken is written again in a form that means the same.
#include <cstdint>
#include <string>

#include "ringpost/base/address.h"
#include "ringpost/base/check.h"
#include "ringpost/base/escape.h"
#include "ringpost/base/ids.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace ringpost;
  const View text(reinterpret_cast<const char*>(data), size);
  if (const auto address = SocketAddress::parse(text, 25)) {
    const auto again = SocketAddress::parse(address->text());
    CHECK(again.has_value() && *again == *address);
    CHECK(SocketAddress::parse(address->literal(), address->port).value() == *address);
  }
  if (const auto network = Network::parse(text)) {
    const auto again = Network::parse(network->text());
    CHECK(again.has_value() && *again == *network);
    CHECK(network->contains(network->base));
  }
  if (const auto id = SpoolId::parse(text)) CHECK(equal_ignoring_case(id->text(), text));
  const std::string shown = escaped(text, 100);
  CHECK(shown.size() <= 100);
  for (const char c : shown) CHECK(c >= ' ' && c <= '~');
  return 0;
}
