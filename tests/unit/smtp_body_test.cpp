// Bodies in and out, on each instruction set that this CPU has, against the octet-by-octet oracle.
#include <doctest/doctest.h>

#include <string>
#include <vector>

#include "ringpost/base/random.h"
#include "ringpost/smtp.h"
#include "smtp_body_oracle.h"

namespace ringpost::smtp {

namespace {

std::vector<Simd> instruction_sets() {
  std::vector<Simd> sets;
  for (const Simd simd : {Simd::best, Simd::avx2, Simd::sse2, Simd::scalar})
    if (simd_available(simd)) sets.push_back(simd);
  return sets;
}

// Cuts of a text: each at most `most` octets long, at least one.
std::vector<std::string> cut(std::string_view text, std::size_t most, Random& random) {
  std::vector<std::string> pieces;
  while (!text.empty()) {
    const std::size_t length = std::min<std::size_t>(text.size(), 1 + random.below(most));
    pieces.emplace_back(text.substr(0, length));
    text.remove_prefix(length);
  }
  return pieces;
}

// Each piece lives in a buffer of its own, so that reading past its end is found by the sanitizer.
oracle::Data scan(BodyScanner& scanner, const std::vector<std::string>& pieces) {
  oracle::Data data;
  for (const std::string& piece : pieces) {
    View input = piece;
    while (!input.empty()) {
      const BodyScanner::Run run = scanner.next(input);
      data.clean += run.clean;
      data.consumed += run.consumed;
      input.remove_prefix(run.consumed);
      if (run.ended) {
        data.ended = true;
        return data;
      }
    }
  }
  return data;
}

oracle::Data scan(std::string_view text, Simd simd = Simd::best) {
  BodyScanner scanner(simd);
  return scan(scanner, {std::string(text)});
}

std::string stuff(const std::vector<std::string>& pieces, bool has_dot_lines, Simd simd) {
  DotStuffer stuffer(has_dot_lines, simd);
  std::string out;
  for (const std::string& piece : pieces) {
    View rest = piece;
    while (!rest.empty()) out += stuffer.next(rest);
  }
  return out += stuffer.end();
}

// Texts out of the octets that matter, dense or rare among others.
std::string random_text(Random& random, std::size_t length, std::uint64_t one_in) {
  static constexpr std::string_view kTokens[] = {"\r\n", "\r\n", "\r\n.",   "\r\n..", "\r",
                                                 "\n",   ".",    "\r\n.\n", "\r\n.\r"};
  std::string text;
  while (text.size() < length) {
    if (random.below(one_in) == 0)
      text += kTokens[random.below(std::size(kTokens))];
    else if (random.below(400) == 0)
      text += random.below(2) == 0 ? '\0' : '\xC3';
    else
      text += static_cast<char>('a' + random.below(26));
  }
  return text;
}

void compare(std::string_view text, std::size_t most, Simd simd, Random& random) {
  const oracle::Data expected = oracle::read_data(text);
  BodyScanner scanner(simd);
  const oracle::Data got = scan(scanner, cut(text, most, random));
  REQUIRE(got.ended == expected.ended);
  REQUIRE(got.consumed == expected.consumed);
  REQUIRE(got.clean == expected.clean);
  if (expected.ended) REQUIRE(oracle::same(scanner.facts(), oracle::facts(expected.clean)));
}

}  // namespace

TEST_CASE("the end of data is CRLF.CRLF, and a first line of a dot alone") {
  for (const Simd simd : instruction_sets()) {
    CHECK(scan(".\r\n", simd).ended);
    CHECK(scan(".\r\n", simd).clean == "");
    const auto data = scan("one\r\n.\r\nQUIT\r\n", simd);
    CHECK(data.ended);
    CHECK(data.clean == "one\r\n");
    CHECK(data.consumed == 8);
  }
}

TEST_CASE("no other sequence ends the data: smuggled ends are content") {
  for (const std::string_view end : {"\n.\n", "\n.\r\n", "\r.\r", "\r\n.\n", "\r\n.\r", "\r.\r\n", "\r\r\n.\r\r\n",
                                     "\n.\r", "\r\n.\n\r\n", "\r\n.\r\r\n", "\r\n. \r\n", "\r\n..\r\n"}) {
    CAPTURE(end);
    BodyScanner scanner;
    const std::string text = "a" + std::string(end) + "MAIL FROM:<x@y>\r\n.\r\n";
    const auto data = scan(scanner, {text});
    CHECK(data.ended);
    CHECK(data.consumed == text.size());
    if (end != "\r\n. \r\n" && end != "\r\n..\r\n") CHECK(scanner.facts().bare());
  }
}

TEST_CASE("one dot at the beginning of each line is taken off, others stay") {
  CHECK(scan("..\r\n...\r\n.a\r\nb.\r\n .\r\n.\r\n").clean == ".\r\n..\r\na\r\nb.\r\n .\r\n");
}

TEST_CASE("facts: octets, dotted lines, NUL, 8-bit") {
  BodyScanner scanner;
  scan(scanner, {std::string("..x\r\n1234567\r\n\r\n..\r\n.\r\n")});
  CHECK(scanner.facts().octets == 2 + 2 + 9 + 2 + 3);
  CHECK(scanner.facts().dot_lines == 2);
  CHECK(scanner.facts().ends_with_crlf);
  CHECK_FALSE(scanner.facts().bare());
  CHECK_FALSE(scanner.facts().nul);
  CHECK_FALSE(scanner.facts().eight_bit);
}

TEST_CASE("octets behind the end of data do not count, even in the block that holds the end") {
  for (const Simd simd : instruction_sets()) {
    BodyScanner scanner(simd);
    std::string text = "a\r\n.\r\n" + std::string(600, '\xFF') + std::string(600, '\0');
    scan(scanner, {text});
    CHECK_FALSE(scanner.facts().eight_bit);
    CHECK_FALSE(scanner.facts().nul);
    CHECK(scanner.facts().octets == 3);
  }
}

TEST_CASE("a scanner serves message after message") {
  BodyScanner scanner;
  CHECK(scan(scanner, {"a\nb\r\n.\r\n"}).ended);
  CHECK(scanner.facts().bare_lf);
  scanner.reset();
  CHECK(scan(scanner, {"c\r\n.\r\n"}).clean == "c\r\n");
  CHECK_FALSE(scanner.facts().bare_lf);
}

TEST_CASE("runs point into the input: nothing is copied") {
  BodyScanner scanner;
  const std::string text = "abc\r\n..def";
  const auto run = scanner.next(text);
  CHECK(run.clean.data() == text.data());
  CHECK(run.clean == "abc\r\n");
}

TEST_CASE("scanner against the oracle: every short text over CR, LF, dot and a letter, every cut") {
  static constexpr char kAlphabet[] = {'\r', '\n', '.', 'a'};
  Random random(1);
  for (unsigned length = 1; length <= 7; ++length)
    for (unsigned code = 0; code < 1U << (2 * length); ++code) {
      std::string text;
      for (unsigned i = 0; i < length; ++i) text += kAlphabet[(code >> (2 * i)) & 3];
      text += "\r\n.\r\n";
      compare(text, 1, Simd::best, random);
      compare(text, text.size(), Simd::best, random);
    }
}

TEST_CASE("scanner against the oracle: random texts, cuts and instruction sets") {
  Random random(2);
  for (int round = 0; round < 1500; ++round) {
    const std::uint64_t one_in = 1 + random.below(60);
    std::string text = random_text(random, 1 + random.below(3000), one_in);
    if (random.below(4) != 0) text += "\r\n.\r\n" + random_text(random, 100, 10);
    const std::size_t most = 1 + random.below(round % 2 == 0 ? 5 : 2000);
    for (const Simd simd : instruction_sets()) compare(text, most, simd, random);
  }
}

TEST_CASE("counter against the oracle: it takes octets as they are, also an unfinished line and a last CR") {
  Random random(3);
  for (int round = 0; round < 1500; ++round) {
    const std::string text = random_text(random, 1 + random.below(3000), 1 + random.below(60));
    const std::size_t most = 1 + random.below(round % 2 == 0 ? 5 : 2000);
    for (const Simd simd : instruction_sets()) {
      BodyCounter counter(simd);
      for (const std::string& piece : cut(text, most, random)) counter.take(piece);
      REQUIRE(oracle::same(counter.facts(), oracle::facts(text)));
    }
  }
  BodyCounter counter;
  CHECK(oracle::same(counter.facts(), oracle::facts("")));
  counter.take("ab\r");
  CHECK(counter.facts().bare_cr);
  counter.take("\n");
  CHECK_FALSE(counter.facts().bare_cr);
}

TEST_CASE("stuffer against the oracle, and back through the scanner") {
  Random random(4);
  for (int round = 0; round < 1000; ++round) {
    const std::string body = random_text(random, random.below(3000), 1 + random.below(60));
    const std::size_t most = 1 + random.below(round % 2 == 0 ? 5 : 2000);
    const bool has_dot_lines = oracle::facts(body).dot_lines > 0 || random.below(2) == 0;
    for (const Simd simd : instruction_sets()) {
      const std::string sent = stuff(cut(body, most, random), has_dot_lines, simd);
      REQUIRE(sent == oracle::stuffed(body));
      const auto back = scan(sent, simd);
      REQUIRE(back.ended);
      REQUIRE(back.consumed == sent.size());
      REQUIRE(back.clean == (body.empty() || body.ends_with("\r\n") ? body : body + "\r\n"));
    }
  }
}

TEST_CASE("end of data by what went before, however the body was cut") {
  CHECK(stuff({}, false, Simd::best) == ".\r\n");
  CHECK(stuff({"a\r\n"}, false, Simd::best) == "a\r\n.\r\n");
  CHECK(stuff({"a\r", "\n"}, false, Simd::best) == "a\r\n.\r\n");
  CHECK(stuff({"a"}, false, Simd::best) == "a\r\n.\r\n");
  CHECK(stuff({"a\r\n", "b"}, false, Simd::best) == "a\r\nb\r\n.\r\n");
}

TEST_CASE("a body without dotted lines passes the stuffer in as many segments as it has pieces") {
  DotStuffer stuffer(false);
  const std::string piece = "one\r\ntwo\r\n";
  View rest = piece;
  CHECK(stuffer.next(rest).data() == piece.data());
  CHECK(rest.empty());
}

}  // namespace ringpost::smtp
