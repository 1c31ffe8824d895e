// The command stream of a client: lines come out the same however the octets were cut, hold no line end, and what a
// command gives out lies within its line and obeys the bounds.
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
  LineKind kind;
  std::string text;
  bool operator==(const Seen&) const = default;
};

// Takes all lines that `input` holds now off its front.
void take_lines(LineScanner& scanner, std::string& input, std::vector<Seen>& seen) {
  while (!input.empty()) {
    const Line line = scanner.next(input);
    CHECK(line.consumed <= input.size());
    if (line.kind != LineKind::incomplete) seen.push_back({line.kind, std::string(line.text)});
    if (line.kind == LineKind::complete) CHECK(line.text.find_first_of("\r\n") == View::npos);
    input.erase(0, line.consumed);
    if (line.kind == LineKind::incomplete) break;
  }
  CHECK(input.size() <= kCommandLine);
}

void parse_line(View line) {
  const Command command = split_command(line);
  CHECK(command.word.size() + command.argument.size() <= line.size());
  (void)parse_hello(command.argument);
  (void)parse_bdat(command.argument);
  if (const auto mail = parse_mail(command.argument)) {
    CHECK(mail->from.null() || parse_mailbox(mail->from.text).has_value());
    CHECK(mail->from.text.size() <= kPath);
  }
  for (const bool smtputf8 : {false, true}) {
    const auto rcpt = parse_rcpt(command.argument, smtputf8);
    if (!rcpt) continue;
    CHECK(!rcpt->to.null());
    CHECK(smtputf8 || !rcpt->to.utf8);
    CHECK(rcpt->to.domain.empty() ? equal_ignoring_case(rcpt->to.text, "postmaster")
                                  : parse_mailbox(rcpt->to.text).has_value());
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const View whole(reinterpret_cast<const char*>(data), size);
  std::vector<Seen> at_once;
  std::vector<Seen> in_pieces;
  LineScanner scanner;
  std::string input(whole);
  take_lines(scanner, input, at_once);
  LineScanner other;
  std::string pending;
  for (fuzz::Pieces pieces(whole); !pieces.done();) {
    pending += pieces.next();
    take_lines(other, pending, in_pieces);
  }
  CHECK(at_once == in_pieces);
  for (const Seen& line : at_once) parse_line(line.text);
  return 0;
}
