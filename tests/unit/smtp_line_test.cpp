// Command lines: where they end, what is wrong with them, and that nothing wrong becomes a second command.
#include <doctest/doctest.h>

#include <string>
#include <vector>

#include "ringpost/base/random.h"
#include "ringpost/smtp.h"

namespace ringpost::smtp {

namespace {

// What a session would see of `text` arriving in pieces of `piece` octets: lines as they are, wrong ones by name.
std::vector<std::string> lines(std::string_view text, std::size_t piece, std::size_t limit = kCommandLine) {
  LineScanner scanner(limit);
  std::vector<std::string> seen;
  std::string held;
  while (!text.empty()) {
    held += text.substr(0, piece);
    text.remove_prefix(std::min(piece, text.size()));
    while (true) {
      const Line line = scanner.next(held);
      if (line.kind == LineKind::complete) seen.emplace_back(line.text);
      if (line.kind == LineKind::bare_cr) seen.emplace_back("<CR>");
      if (line.kind == LineKind::bare_lf) seen.emplace_back("<LF>");
      if (line.kind == LineKind::too_long) seen.emplace_back("<LONG>");
      held.erase(0, line.consumed);
      if (line.kind == LineKind::incomplete) break;
    }
  }
  return seen;
}

using Lines = std::vector<std::string>;

}  // namespace

TEST_CASE("lines end with CRLF, whatever pieces they come in") {
  for (std::size_t piece = 1; piece < 20; ++piece)
    CHECK(lines("EHLO a\r\n\r\nQUIT\r\nNO", piece) == Lines{"EHLO a", "", "QUIT"});
}

TEST_CASE("a bare LF or CR makes one wrong line, and what follows it up to CRLF is no command") {
  for (std::size_t piece = 1; piece < 50; ++piece) {
    CAPTURE(piece);
    CHECK(lines("MAIL FROM:<a@b>\nRCPT TO:<c@d>\r\nQUIT\r\n", piece) == Lines{"<LF>", "QUIT"});
    CHECK(lines("MAIL FROM:<a@b>\rRCPT TO:<c@d>\r\nQUIT\r\n", piece) == Lines{"<CR>", "QUIT"});
    CHECK(lines("a\r\r\nb\r\n", piece) == Lines{"<CR>", "b"});
    CHECK(lines("\n\r\nb\r\n", piece) == Lines{"<LF>", "b"});
    CHECK(lines("a\nb\nc\rd\n\r\ne\r\n", piece) == Lines{"<LF>", "e"});
  }
}

TEST_CASE("a wrong line is reported at once, not at its end") {
  LineScanner scanner;
  const Line line = scanner.next("NOOP\n");
  CHECK(line.kind == LineKind::bare_lf);
  CHECK(line.consumed == 5);
  const Line next = scanner.next("rest\r\nQUIT\r\n");
  CHECK(next.kind == LineKind::complete);
  CHECK(next.text == "QUIT");
  CHECK(next.consumed == 12);
}

TEST_CASE("a line may have as many octets as the limit, its CRLF counted, and not one more") {
  for (const std::size_t piece : {std::size_t{1}, std::size_t{9}, std::size_t{100}}) {
    CHECK(lines("12345678\r\nb\r\n", piece, 10) == Lines{"12345678", "b"});
    CHECK(lines("123456789\r\nb\r\n", piece, 10) == Lines{"<LONG>", "b"});
    CHECK(lines("1234567890\r\nb\r\n", piece, 10) == Lines{"<LONG>", "b"});
    CHECK(lines(std::string(99, 'x') + "\r\nb\r\n", piece, 10) == Lines{"<LONG>", "b"});
  }
}

TEST_CASE("a flood without line end is dropped as it comes and reported once") {
  LineScanner scanner(100);
  const std::string flood(5000, 'x');
  CHECK(scanner.next(flood).kind == LineKind::too_long);
  for (int i = 0; i < 10; ++i) {
    const Line line = scanner.next(flood);
    CHECK(line.kind == LineKind::incomplete);
    CHECK(line.consumed == flood.size());
  }
  CHECK(scanner.next("\r\nRSET\r\n").text == "RSET");
}

TEST_CASE("a raised limit holds from the next line on, and reset forgets a wrong line") {
  LineScanner scanner(10);
  CHECK(scanner.next("0123456789abc").kind == LineKind::too_long);
  scanner.reset();
  scanner.limit(100);
  CHECK(scanner.next("0123456789abc\r\n").text == "0123456789abc");
}

TEST_CASE("NUL and 8-bit octets do not end a line") {
  const std::string text(
      "A\0B\xFF"
      "C\r\n",
      7);
  CHECK(lines(text, 100) == Lines{std::string("A\0B\xFF"
                                              "C",
                                              5)});
}

TEST_CASE("random streams: the lines seen do not depend on how the stream was cut") {
  Random random(5);
  static constexpr std::string_view kTokens[] = {"\r\n", "\r\n", "\r", "\n", "a", "bc"};
  for (int round = 0; round < 2000; ++round) {
    std::string text;
    for (std::uint64_t i = random.below(40); i > 0; --i) text += kTokens[random.below(std::size(kTokens))];
    REQUIRE(lines(text, 1 + random.below(6), 12) == lines(text, 1000, 12));
  }
}

}  // namespace ringpost::smtp
