// The header section as it arrives: Received fields counted, however the octets are cut.
#include <doctest/doctest.h>

#include <string>

#include "ringpost/message.h"

namespace ringpost::message {
namespace {

HeaderScan scanned(View text, std::size_t piece) {
  HeaderScan scan;
  while (!text.empty()) {
    scan.feed(text.substr(0, piece));
    text.remove_prefix(std::min(piece, text.size()));
  }
  return scan;
}

std::uint32_t received(View text) {
  const std::uint32_t count = scanned(text, text.size()).received();
  for (std::size_t piece = 1; piece < 12; ++piece) CHECK(scanned(text, piece).received() == count);
  return count;
}

}  // namespace

TEST_CASE("Received fields are counted in the header section only") {
  CHECK(received("Received: a\r\n\tb\r\nReceived: c\r\nSubject: x\r\n\r\nReceived: body\r\n") == 2);
  CHECK(received("RECEIVED:a\r\nreceived :b\r\nReceived\t: c\r\n\r\n") == 3);
  CHECK(received("\r\nReceived: body\r\n") == 0);
  CHECK(received("") == 0);
}

TEST_CASE("other names and folded lines are none") {
  CHECK(received("Received-SPF: pass\r\nX-Received: a\r\nReceive: b\r\nReceivedd: c\r\n\r\n") == 0);
  CHECK(received("Subject: a\r\n Received: folded\r\n\tReceived: folded\r\n\r\n") == 0);
  CHECK(received("Subject: Received: a\r\n\r\n") == 0);
}

TEST_CASE("a line that is no field ends the section: a text without header has no Received") {
  CHECK(received("Hello,\r\nReceived: quoted\r\n") == 0);
  CHECK(received("Received: a\r\nnot a field\r\nReceived: b\r\n") == 1);
  CHECK(received(" begins with a blank\r\nReceived: a\r\n") == 0);
  CHECK(received(": no name\r\nReceived: a\r\n") == 0);
  CHECK(received("Received a: b\r\nReceived: a\r\n") == 0);
  CHECK(scanned("Hello,\r\n", 100).complete());
}

TEST_CASE("complete at the empty line, not before") {
  CHECK_FALSE(scanned("A: b\r\n\r", 100).complete());
  CHECK(scanned("A: b\r\n\r\n", 1).complete());
  CHECK_FALSE(scanned("A: b\r\nC", 100).complete());
}

TEST_CASE("8-bit is seen in the header section and not behind it") {
  for (std::size_t piece = 1; piece < 40; ++piece) {
    CHECK(scanned("Subject: gr\xC3\xBC\xC3\x9F"
                  "e\r\n\r\n",
                  piece)
              .eight_bit());
    CHECK(scanned("Subject: a long line, an octet at its end \xC3\r\n\r\n", piece).eight_bit());
    CHECK(scanned("A: b\r\n folded \xFF\r\n\r\n", piece).eight_bit());
    CHECK_FALSE(scanned("Subject: plain\r\n\r\ngr\xC3\xBC\xC3\x9F"
                        "e\r\n",
                        piece)
                    .eight_bit());
  }
}

TEST_CASE("a scan serves message after message") {
  HeaderScan scan = scanned("Received: a\r\nA: \xFF\r\n\r\n", 100);
  scan.reset();
  scan.feed("B: c\r\n\r\n");
  CHECK(scan.received() == 0);
  CHECK_FALSE(scan.eight_bit());
  CHECK(scan.complete());
}

}  // namespace ringpost::message
