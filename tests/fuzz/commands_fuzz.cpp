// The command stream of a client: lines come out the same however the octets were cut, and what the grammar takes is
// what its documentation says.
#include <algorithm>
#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "pieces.h"
#include "ringpost/base/check.h"
#include "ringpost/smtp.h"

namespace {

using ringpost::View;
namespace smtp = ringpost::smtp;

struct Seen {
  smtp::LineKind kind;
  std::string text;
  bool operator==(const Seen&) const = default;
};

constexpr std::size_t kLimit = 64;  // octets: short, so that inputs reach it

void take_lines(smtp::LineScanner& scanner, std::string& held, std::vector<Seen>& seen) {
  while (true) {
    const smtp::Line line = scanner.next(held);
    CHECK(line.consumed <= held.size());
    if (line.kind != smtp::LineKind::incomplete) seen.push_back({line.kind, std::string(line.text)});
    CHECK(line.text.find_first_of("\r\n") == View::npos);
    held.erase(0, line.consumed);
    if (line.kind == smtp::LineKind::incomplete) break;
  }
  CHECK(held.size() < kLimit);
}

std::vector<Seen> lines_at_once(View stream) {
  smtp::LineScanner scanner(kLimit);
  std::vector<Seen> seen;
  std::string held(stream);
  take_lines(scanner, held, seen);
  return seen;
}

std::vector<Seen> lines_in_pieces(View stream) {
  smtp::LineScanner scanner(kLimit);
  std::vector<Seen> seen;
  std::string held;
  for (ringpost::fuzz::Pieces pieces(stream); !pieces.done();) {
    held += pieces.next();
    take_lines(scanner, held, seen);
  }
  return seen;
}

bool clean(View text) {
  return std::ranges::none_of(text, [](char c) { return (c >= 0 && c < ' ') || c == 0x7F; });
}

void check_address(const smtp::Address& address, bool utf8_allowed) {
  CHECK(clean(address.text));
  CHECK(address.utf8 == std::ranges::any_of(address.text, [](char c) { return (c & 0x80) != 0; }));
  CHECK(utf8_allowed || !address.utf8);
  CHECK(!address.utf8 || smtp::utf8_valid(address.text));
  CHECK(address.text.size() <= smtp::kPath);
  if (address.domain.empty()) return;
  CHECK(address.text == std::string(address.local_part) + "@" + std::string(address.domain));
  const auto again = smtp::parse_mailbox(address.text);
  CHECK(again && again->local_part == address.local_part && again->domain == address.domain);
}

template <class T>
bool taken(const smtp::Parsed<T>& parsed) {
  CHECK(parsed || (parsed.error().code >= 500 && parsed.error().code <= 599 && parsed.error().enhanced.kind == 5));
  return parsed.has_value();
}

void check_command(View line) {
  const smtp::Command command = smtp::split_command(line);
  if (const auto hello = smtp::parse_hello(command.argument); taken(hello))
    CHECK(!hello->name.empty() && clean(hello->name) && hello->name.size() <= smtp::kHelloName);
  if (const auto mail = smtp::parse_mail(command.argument); taken(mail)) {
    check_address(mail->from, mail->smtputf8);
    std::array<char, smtp::kEnvid> room;
    CHECK(mail->envid.empty() || smtp::xtext_decode(mail->envid, room));
    CHECK(clean(mail->auth));
  }
  for (const bool smtputf8 : {false, true})
    if (const auto rcpt = smtp::parse_rcpt(command.argument, smtputf8); taken(rcpt)) {
      check_address(rcpt->to, smtputf8);
      CHECK(!rcpt->to.null());
      CHECK(rcpt->notify < 16 && (rcpt->notify == smtp::kNotifyNever || (rcpt->notify & smtp::kNotifyNever) == 0));
      CHECK(clean(rcpt->orcpt) && rcpt->orcpt.size() <= smtp::kOrcpt);
    }
  taken(smtp::parse_bdat(command.argument));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  View input(reinterpret_cast<const char*>(data), size);
  CHECK(lines_at_once(input) == lines_in_pieces(input));
  smtp::LineScanner scanner;
  while (true) {
    const smtp::Line line = scanner.next(input);
    if (line.kind == smtp::LineKind::complete) check_command(line.text);
    input.remove_prefix(line.consumed);
    if (line.kind == smtp::LineKind::incomplete) break;
  }
  check_command(input);  // octets that no line scanner would let through
  return 0;
}
