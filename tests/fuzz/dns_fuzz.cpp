// A server's reply, whatever it is: judging it neither crashes nor believes what it must not.
#include <cstddef>
#include <cstdint>
#include <string>

#include "ringpost/base/check.h"
#include "ringpost/dns.h"

using namespace ringpost;

namespace {

constexpr dns::Type kTypes[] = {dns::Type::a,   dns::Type::mx,   dns::Type::aaaa,
                                dns::Type::txt, dns::Type::tlsa, dns::Type::cname};

void look_at(const dns::Reply& reply) {
  using Kind = dns::Reply::Kind;
  const dns::Answer& answer = reply.answer;
  RINGPOST_CHECK(answer.mx.size() <= dns::kMostRecords && answer.addresses.size() <= dns::kMostRecords);
  if (reply.kind == Kind::answer) {
    RINGPOST_CHECK(reply.ttl >= dns::kLeastTtl && reply.ttl <= dns::kMostTtl);
    RINGPOST_CHECK(answer.status != dns::Status::temporary);
    RINGPOST_CHECK(answer.octets() >= sizeof answer);
  }
  if (reply.kind == Kind::follow) RINGPOST_CHECK(reply.aliases > 0);
  for (const SocketAddress& address : answer.addresses) RINGPOST_CHECK(address.known());
}

}  // namespace

// The first octet chooses what was asked; the rest is the reply, whose id and question are set right so that more of
// it is looked at.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const dns::Type type = kTypes[data[0] % std::size(kTypes)];
  const bool tcp = (data[0] & 0x80) != 0;
  std::string wire(reinterpret_cast<const char*>(data + 1), size - 1);
  look_at(dns::read_reply(wire, 0x1234, "a.test", type, true, tcp));

  const std::string question = dns::write_question(0x1234, "a.test", type, false);
  if (wire.size() < question.size()) return 0;
  wire.replace(0, 2, question, 0, 2);
  wire[2] = static_cast<char>(wire[2] | 0x80);
  wire.replace(4, 2, question, 4, 2);
  wire.replace(12, question.size() - 12, question, 12, question.size() - 12);
  look_at(dns::read_reply(wire, 0x1234, "a.test", type, true, tcp));
  (void)dns::normal_name({reinterpret_cast<const char*>(data), size});
  return 0;
}
