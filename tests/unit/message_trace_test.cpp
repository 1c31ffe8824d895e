// The trace line and its date.
#include <doctest/doctest.h>

#include <string>

#include "ringpost/message.h"

namespace ringpost::message {
namespace {

std::string date(std::int64_t milliseconds) {
  std::string out;
  write_date(out, {milliseconds});
  return out;
}

Envelope envelope(std::initializer_list<View> recipients, View helo = "mx.example") {
  Envelope result;
  result.accepted = {1'795'601'533'999};
  result.client = SocketAddress::v4(192, 0, 2, 7, 40123);
  result.protocol = Protocol::esmtp;
  result.set_helo(helo);
  for (const View recipient : recipients) result.add_recipient(recipient, 0, 0, "");
  return result;
}

std::string trace(const Envelope& from) {
  std::string out = "old";
  write_trace(out, from, SpoolId::make(1, 2), "mail.example.net");
  return out;
}

// RFC 5322 2.2.3: unfolding takes away each CRLF before a blank.
std::string unfolded(std::string text) {
  for (std::size_t at = text.find("\r\n\t"); at != std::string::npos; at = text.find("\r\n\t"))
    text.replace(at, 3, 1, ' ');
  return text;
}

}  // namespace

TEST_CASE("dates, RFC 5322 3.3") {
  CHECK(date(0) == "Thu, 01 Jan 1970 00:00:00 +0000");
  CHECK(date(951'827'696'000) == "Tue, 29 Feb 2000 12:34:56 +0000");
  CHECK(date(1'795'601'533'999) == "Wed, 25 Nov 2026 10:12:13 +0000");
  CHECK(date(1'798'761'599'999) == "Thu, 31 Dec 2026 23:59:59 +0000");
}

TEST_CASE("the trace line names client, host, protocol, id, the only recipient and the time") {
  const std::string id = SpoolId::make(1, 2).text();
  CHECK(unfolded(trace(envelope({"a@example.org"}))) ==
        "Received: from mx.example ([192.0.2.7]) by mail.example.net (Ringpost) with ESMTP id " + id +
            " for <a@example.org>; Wed, 25 Nov 2026 10:12:13 +0000\r\n");
}

TEST_CASE("several recipients are not told of each other") {
  const std::string line = trace(envelope({"a@example.org", "b@example.org"}));
  CHECK(line.find(" for ") == std::string::npos);
  CHECK(line.find("example.org") == std::string::npos);
  CHECK(unfolded(line).find("; Wed, 25 Nov 2026") != std::string::npos);
}

TEST_CASE("lines are folded below 78 octets where words allow") {
  const std::string line = trace(envelope({std::string(200, 'r') + "@example.org"}, std::string(60, 'h')));
  std::size_t begin = 0;
  int long_lines = 0;
  while (begin < line.size()) {
    const std::size_t end = line.find("\r\n", begin);
    REQUIRE(end != std::string::npos);
    if (end - begin > 78) ++long_lines;
    if (begin > 0) CHECK(line[begin] == '\t');
    begin = end + 2;
  }
  CHECK(long_lines == 1);  // the recipient's own
}

TEST_CASE("what a client calls itself cannot leave its place") {
  CHECK(unfolded(trace(envelope({}, "a(b)c;\"\\<>"))).starts_with("Received: from a?b?c????? ([192.0.2.7]) by "));
  CHECK(unfolded(trace(envelope({}, "[IPv6:2001:db8::1]"))).starts_with("Received: from [IPv6:2001:db8::1] ("));
  CHECK(unfolded(trace(envelope({}, ""))).starts_with("Received: from unknown ("));
}

TEST_CASE("IPv6 clients are written as RFC 5321 4.1.3 wants") {
  Envelope from = envelope({});
  from.client = *SocketAddress::parse("[2001:db8::1]:1");
  from.protocol = Protocol::utf8smtp;
  const std::string line = unfolded(trace(from));
  CHECK(line.find("([IPv6:2001:db8::1])") != std::string::npos);
  CHECK(line.find("with UTF8SMTP id") != std::string::npos);
}

}  // namespace ringpost::message
