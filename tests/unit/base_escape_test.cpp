// Peers' text in logs: no forged line, no terminal control, no flood.
#include "ringpost/base/escape.h"

#include <doctest/doctest.h>

#include <string>

using ringpost::escaped;

TEST_CASE("printable ASCII is kept") { CHECK(escaped("550 5.1.1 <a@b>: \"no\" ~") == "550 5.1.1 <a@b>: \"no\" ~"); }

TEST_CASE("line ends, controls, 8-bit octets and the backslash are written as octets") {
  CHECK(escaped("a\r\nb") == "a\\x0D\\x0Ab");
  CHECK(escaped(std::string("\0\x1B\x7F", 3)) == "\\x00\\x1B\\x7F");
  CHECK(escaped("\xC3\xA4") == "\\xC3\\xA4");
  CHECK(escaped("\\x0A") == "\\x5Cx0A");
}

TEST_CASE("output never passes the limit and an escape is never cut in two") {
  CHECK(escaped("abcdef", 6) == "abcdef");
  CHECK(escaped("abcdefg", 6) == "abc...");
  CHECK(escaped("abc\n", 7) == "abc\\x0A");
  CHECK(escaped("abc\nd", 7) == "abc...");
  CHECK(escaped("abc", 2) == "..");
  CHECK(escaped("abc", 0).empty());
  CHECK(escaped(std::string(100'000, '\n')).size() <= ringpost::kEscapedLimit);
}

TEST_CASE("the limit bounds what is appended, not what stood there") {
  std::string out(600, 'x');
  ringpost::append_escaped(out, "abcdef", 5);
  CHECK(out.substr(600) == "ab...");
}
