// Mailboxes, domains and address literals: what is taken, as written, and what is refused.
#include <doctest/doctest.h>

#include <string>

#include "ringpost/smtp.h"

namespace ringpost::smtp {

TEST_CASE("mailboxes are taken apart and left as written") {
  const auto address = parse_mailbox("John.O'Neil+tag@Example.ORG");
  REQUIRE(address);
  CHECK(address->text == "John.O'Neil+tag@Example.ORG");
  CHECK(address->local_part == "John.O'Neil+tag");
  CHECK(address->domain == "Example.ORG");
  CHECK_FALSE(address->utf8);
  CHECK_FALSE(address->null());
}

TEST_CASE("every form of RFC 5321 4.1.2 is taken") {
  for (const std::string_view text :
       {"a@b", "a.b.c@d.e", "!#$%&'*+-/=?^_`{|}~@example.com", "\"\"@example.com", "\"a b\"@example.com",
        "\"a\\\"b\\\\\"@example.com", "\"a@b>c\"@example.com", "\"..\"@example.com", "a@[192.0.2.1]",
        "a@[IPv6:2001:db8::1]", "a@[ipv6:::1]", "a@xn--bcher-kva.example", "a@under_score.example", "a@1.2.3.4",
        "a@a-b.example", "prvs=123=a@example.com", "\"\\\\x\"@example.com"}) {
    CAPTURE(text);
    CHECK(parse_mailbox(text));
  }
}

TEST_CASE("what is no mailbox is refused") {
  for (const std::string_view text : {"",
                                      "a",
                                      "@",
                                      "@b",
                                      "a@",
                                      "a@@b",
                                      ".a@b",
                                      "a.@b",
                                      "a..b@c",
                                      "a b@c",
                                      "a@b c",
                                      "a@b.",
                                      "a@.b",
                                      "a@b..c",
                                      "a@-b",
                                      "a@b-",
                                      "a@b-.c",
                                      "(c)a@b",
                                      "a@b(c)",
                                      "a,b@c",
                                      "a;b@c",
                                      "a:b@c",
                                      "a<b@c",
                                      "\"a@b",
                                      "\"a\"b@c",
                                      "a\"b\"@c",
                                      "\"a\\\"@b",
                                      "\"a\tb\"@c",
                                      "\"a\\\tb\"@c",
                                      "a@[192.0.2]",
                                      "a@[192.0.2.256]",
                                      "a@[192.0.2.1",
                                      "a@192.0.2.1]",
                                      "a@[]",
                                      "a@[2001:db8::1]",
                                      "a@[IPv6:192.0.2.1]",
                                      "a@[IPv6:1::2::3]",
                                      "a@[tag:x]",
                                      "a@[192.0.2.1]x",
                                      "a@b@c",
                                      "a\x7F@b",
                                      "a@b\x01",
                                      "a@b%c",
                                      "a@b!c"}) {
    CAPTURE(text);
    CHECK_FALSE(parse_mailbox(text));
  }
  CHECK_FALSE(parse_mailbox(std::string_view("a\0@b", 4)));
  CHECK_FALSE(parse_mailbox(std::string_view("a@b\0", 4)));
  CHECK_FALSE(parse_mailbox(std::string_view("\"\0\"@b", 5)));
  CHECK_FALSE(parse_mailbox(std::string_view("a@[192.0.2.1\0]", 14)));
}

TEST_CASE("UTF-8 is said where it stands, and only well-formed UTF-8 is taken") {
  CHECK(parse_mailbox("üser@example.com").value().utf8);
  CHECK(parse_mailbox("user@bücher.example").value().utf8);
  CHECK(parse_mailbox("\"ü ser\"@example.com").value().utf8);
  CHECK(parse_mailbox("\"\\\\ü\"@example.com"));
  CHECK_FALSE(parse_mailbox("\"\\ü\"@example.com"));  // RFC 6531 3.3 leaves quoted pairs ASCII
  for (const std::string_view bad : {"\xFC", "\xC3", "\xC0\x80", "\xE0\x80\x80", "\xED\xA0\x80", "\xF4\x90\x80\x80",
                                     "\xF8\x88\x80\x80\x80", "\xE2\x82", "\x80"}) {
    CAPTURE(bad);
    CHECK_FALSE(utf8_valid(bad));
    CHECK_FALSE(parse_mailbox("a" + std::string(bad) + "@b"));
    CHECK_FALSE(parse_mailbox("a@b" + std::string(bad)));
    CHECK_FALSE(parse_mailbox("\"" + std::string(bad) + "\"@b"));
  }
  for (const std::string_view good : {"\xC2\x80", "\xDF\xBF", "\xE0\xA0\x80", "\xED\x9F\xBF", "\xEE\x80\x80",
                                      "\xF0\x90\x80\x80", "\xF4\x8F\xBF\xBF", "plain"})
    CHECK(utf8_valid(good));
}

TEST_CASE("lengths: local part and domain to their limits, labels to 63") {
  const std::string local(kLocalPart, 'l');
  CHECK(parse_mailbox(local + "@b"));
  CHECK_FALSE(parse_mailbox(local + "l@b"));
  const std::string label(63, 'd');
  const std::string domain = label + "." + label + "." + label + "." + label;
  CHECK(domain.size() == kDomain);
  CHECK(parse_mailbox(local + "@" + domain));
  CHECK_FALSE(parse_mailbox("a@" + domain.substr(1) + ".d"));
  CHECK_FALSE(parse_mailbox("a@" + label + "d.example"));
}

TEST_CASE("domains") {
  CHECK(domain_valid("localhost"));
  CHECK(domain_valid("a_b.example"));
  CHECK_FALSE(domain_valid("bücher.example"));
  CHECK(domain_valid_utf8("bücher.example"));
  CHECK_FALSE(domain_valid(""));
}

TEST_CASE("address literals become addresses") {
  CHECK(parse_literal("[192.0.2.1]") == SocketAddress::v4(192, 0, 2, 1, 0));
  CHECK(parse_literal("[IPv6:::ffff:192.0.2.1]") == SocketAddress::v4(192, 0, 2, 1, 0));
  const auto six = parse_literal("[IPv6:2001:db8::1]");
  REQUIRE(six);
  CHECK(six->family == Family::v6);
  CHECK(six->octets[0] == 0x20);
  CHECK(six->octets[15] == 1);
  for (const std::string_view text :
       {"", "[", "]", "[]", "192.0.2.1", "[192.0.2.1", "[192.0.2.01]", "[ 192.0.2.1]", "[IPv6:]", "[IPv6:::1%lo]"})
    CHECK_FALSE(parse_literal(text));
}

}  // namespace ringpost::smtp
