// Replies, written and read.
#include <doctest/doctest.h>

#include <array>
#include <string>
#include <vector>

#include "ringpost/smtp.h"

namespace ringpost::smtp {
using State = ReplyReader::State;

namespace {

std::string written(std::uint16_t code, EnhancedCode enhanced, const std::vector<View>& lines) {
  std::array<char, 4096> room;
  return {room.data(), write_reply(room, code, enhanced, lines)};
}

// Feeds `text` in pieces of `piece` octets until the reader is done with a reply.
State feed(ReplyReader& reader, std::string_view text, std::size_t piece = 1000000) {
  while (!text.empty()) {
    const std::string part(text.substr(0, piece));
    const auto progress = reader.feed(part);
    if (progress.state != State::more) return progress.state;
    CHECK(progress.consumed == part.size());
    text.remove_prefix(part.size());
  }
  return State::more;
}

}  // namespace

TEST_CASE("replies of one line and more, with and without enhanced code") {
  CHECK(written(250, {2, 1, 0}, {"Ok"}) == "250 2.1.0 Ok\r\n");
  CHECK(written(354, {}, {"Go ahead"}) == "354 Go ahead\r\n");
  CHECK(written(250, {}, {"mx.example", "PIPELINING", "SIZE 100"}) ==
        "250-mx.example\r\n250-PIPELINING\r\n250 SIZE 100\r\n");
  CHECK(written(550, {5, 7, 1}, {"one", "two"}) == "550-5.7.1 one\r\n550 5.7.1 two\r\n");
}

TEST_CASE("a text cannot end its line, and a long one is cut") {
  const std::string evil("a\r\n250 b\0c", 10);
  CHECK(written(550, {}, {evil}) == "550 a??250 b?c\r\n");
  const std::string text(1000, 'x');
  const std::string line = written(550, {5, 1, 1}, {text});
  CHECK(line.size() == kWrittenReplyLine);
  CHECK(line.ends_with("x\r\n"));
}

TEST_CASE("a reply that does not fit is not written") {
  std::array<char, 13> room;
  CHECK(write_reply(room, 250, {2, 1, 0}, "Ok") == 0);
  std::array<char, 14> enough;
  CHECK(write_reply(enough, 250, {2, 1, 0}, "Ok") == 14);
}

TEST_CASE("a reply is read whatever pieces it comes in") {
  for (std::size_t piece = 1; piece < 60; ++piece) {
    CAPTURE(piece);
    ReplyReader reader;
    REQUIRE(feed(reader, "550-5.1.1 No such\r\n550-5.1.1\r\n550 5.1.1 user\there\r\n", piece) == State::complete);
    CHECK(reader.reply().code == 550);
    CHECK(reader.reply().enhanced == EnhancedCode{5, 1, 1});
    CHECK(reader.reply().text == "No such user?here");
    CHECK(reader.reply().lines == 3);
    CHECK(reader.reply().never());
    CHECK(reader.idle());
  }
}

TEST_CASE("pipelined replies are read one by one") {
  ReplyReader reader;
  View input = "250 a\r\n250-b\r\n250 c\r\n354 d\r\n25";
  std::vector<std::string> texts;
  while (true) {
    const auto progress = reader.feed(input);
    input.remove_prefix(progress.consumed);
    if (progress.state != State::complete) break;
    texts.emplace_back(reader.reply().text);
  }
  CHECK(texts == std::vector<std::string>{"a", "b c", "d"});
  CHECK_FALSE(reader.idle());
  CHECK(reader.feed("0 e\r\n").state == State::complete);
  CHECK(reader.reply().text == "e");
}

TEST_CASE("short forms: no text, no blank, bare LF") {
  for (const std::string_view text : {"250\r\n", "250 \r\n", "250\n", "250 \n", "250-\r\n250\r\n"})
    for (const std::size_t piece : {std::size_t{1}, std::size_t{100}}) {
      CAPTURE(text);
      ReplyReader reader;
      REQUIRE(feed(reader, text, piece) == State::complete);
      CHECK(reader.reply().done());
      CHECK(reader.reply().text.empty());
    }
}

TEST_CASE("an enhanced code counts only where its class agrees with the code") {
  ReplyReader reader;
  REQUIRE(feed(reader, "450 5.1.1 odd\r\n") == State::complete);
  CHECK_FALSE(reader.reply().enhanced.given());
  CHECK(reader.reply().text == "5.1.1 odd");
  REQUIRE(feed(reader, "250 2.0.0\r\n") == State::complete);
  CHECK(reader.reply().enhanced == EnhancedCode{2, 0, 0});
  CHECK(reader.reply().text.empty());
  REQUIRE(feed(reader, "550 1.2.3.4 is listed\r\n") == State::complete);
  CHECK_FALSE(reader.reply().enhanced.given());
}

TEST_CASE("nonsense is called so") {
  for (const std::string_view text :
       {"\r\n", "SSH-2.0-OpenSSH\r\n", "HTTP/1.1 400\r\n", "25\r\n", "2x0 a\r\n", "150 a\r\n", "650 a\r\n", "250a\r\n",
        "250-a\r\n251 b\r\n", "250-a\r\n550 b\r\n", "250-a\r\nb\r\n", "\n", " 250 a\r\n", "\xFF\xFE\r\n", "250\rx\n"})
    for (const std::size_t piece : {std::size_t{1}, std::size_t{100}}) {
      CAPTURE(text);
      ReplyReader reader;
      CHECK(feed(reader, text, piece) == State::nonsense);
    }
}

TEST_CASE("nonsense without a line end is noticed in its first octets") {
  ReplyReader reader;
  CHECK(reader.feed("\x16\x03\x01").state == State::nonsense);
}

TEST_CASE("endless lines and endless replies are nonsense, long ones are cut") {
  ReplyReader reader;
  CHECK(feed(reader, "250 " + std::string(kReplyLine, 'x'), 100) == State::nonsense);
  reader.reset();
  std::string many;
  for (std::size_t i = 0; i < kReplyLines; ++i) many += "250-x\r\n";
  CHECK(feed(reader, many + "250 x\r\n") == State::nonsense);
  reader.reset();
  CHECK(feed(reader, many.substr(7) + "250 x\r\n") == State::complete);
  std::string wide;
  for (int i = 0; i < 20; ++i) wide += "250-" + std::string(2000, 'x') + "\r\n";
  reader.reset();
  CHECK(feed(reader, wide, 700) == State::nonsense);
  for (const std::size_t piece : {std::size_t{1}, std::size_t{517}, std::size_t{10000}}) {
    reader.reset();
    REQUIRE(feed(reader,
                 "250-" + std::string(kReplyTextLine + 1, 'a') + "\r\n250-" + std::string(3000, 'b') + "\r\n250 c\r\n",
                 piece) == State::complete);
    CHECK(reader.reply().text.size() == kReplyText);
    CHECK(reader.reply().text.substr(0, kReplyTextLine + 2) == std::string(kReplyTextLine, 'a') + " b");
  }
}

TEST_CASE("EHLO keywords become capabilities, in any case and any pieces") {
  for (const std::size_t piece : {std::size_t{1}, std::size_t{7}, std::size_t{1000}}) {
    ReplyReader reader;
    Capabilities capabilities;
    reader.expect_capabilities(capabilities);
    REQUIRE(feed(reader,
                 "250-DSN greets you\r\n250-pipelining\r\n250-SIZE 52428800\r\n250-8BITMIME\r\n250-SmtpUtf8\r\n"
                 "250-CHUNKING\r\n250-ENHANCEDSTATUSCODES\r\n250-XUNKNOWN a b\r\n250-STARTTLS\r\n"
                 "250 AUTH PLAIN login SCRAM-SHA-256\r\n",
                 piece) == State::complete);
    CHECK(capabilities.pipelining);
    CHECK(capabilities.size);
    CHECK(capabilities.size_limit == 52428800);
    CHECK(capabilities.eight_bit_mime);
    CHECK(capabilities.smtputf8);
    CHECK(capabilities.chunking);
    CHECK(capabilities.enhanced_codes);
    CHECK(capabilities.starttls);
    CHECK_FALSE(capabilities.dsn);  // the greeting is no keyword
    CHECK_FALSE(capabilities.binary_mime);
    CHECK(capabilities.auth_plain);
    CHECK(capabilities.auth_login);
    CHECK(capabilities.auth_scram_sha_256);
    CHECK_FALSE(capabilities.auth_cram_md5);
  }
}

TEST_CASE("odd keywords: SIZE without a number, AUTH=, a refusal is no offer") {
  Capabilities capabilities;
  capabilities.take("SIZE");
  CHECK(capabilities.size);
  CHECK(capabilities.size_limit == 0);
  capabilities.take("AUTH=LOGIN");
  CHECK(capabilities.auth_login);
  Capabilities none;
  ReplyReader reader;
  reader.expect_capabilities(none);
  REQUIRE(feed(reader, "502-no\r\n502 PIPELINING\r\n") == State::complete);
  CHECK_FALSE(none.pipelining);
}

}  // namespace ringpost::smtp
