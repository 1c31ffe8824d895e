// Envelopes and their stored form.
#include <doctest/doctest.h>

#include <string>

#include "ringpost/base/random.h"
#include "ringpost/message.h"

namespace ringpost::message {
namespace {

Envelope sample() {
  Envelope envelope;
  envelope.accepted = {1'795'601'533'123};
  envelope.client = SocketAddress::v4(192, 0, 2, 7, 40123);
  envelope.protocol = Protocol::utf8smtp;
  envelope.body = smtp::BodyType::eight_bit_mime;
  envelope.ret = smtp::DsnReturn::headers;
  envelope.smtputf8 = true;
  envelope.set_reverse_path("Sender+tag@Example.COM");
  envelope.set_envid("Q+2B1");
  envelope.set_helo("mx.example");
  envelope.add_recipient("one@Example.org", 11, smtp::kNotifyDelay, "rfc822;one@old.example");
  envelope.add_recipient("postmaster", 0, 0, "");
  return envelope;
}

std::string encoded(const Envelope& envelope) {
  std::string out;
  envelope.encode(out);
  return out;
}

}  // namespace

TEST_CASE("an envelope gives back what was put in, as written") {
  const Envelope envelope = sample();
  CHECK(envelope.reverse_path() == "Sender+tag@Example.COM");
  CHECK(envelope.recipient_count() == 2);
  CHECK(envelope.recipient(0).forward_path == "one@Example.org");
  CHECK(envelope.recipient(0).domain == "Example.org");
  CHECK(envelope.recipient(0).orcpt == "rfc822;one@old.example");
  CHECK(envelope.recipient(1).domain.empty());
}

TEST_CASE("an envelope survives its stored form") {
  const std::string octets = "before" + encoded(sample());
  Envelope back;
  back.set_helo("left over");
  REQUIRE(back.decode(View{octets}.substr(6)));
  CHECK(encoded(back) == octets.substr(6));
  CHECK(back.accepted == WallTime{1'795'601'533'123});
  CHECK(back.client == SocketAddress::v4(192, 0, 2, 7, 40123));
  CHECK(back.protocol == Protocol::utf8smtp);
  CHECK(back.body == smtp::BodyType::eight_bit_mime);
  CHECK(back.ret == smtp::DsnReturn::headers);
  CHECK(back.smtputf8);
  CHECK(back.envid() == "Q+2B1");
  CHECK(back.helo() == "mx.example");
  CHECK(back.recipient(0).notify == smtp::kNotifyDelay);
  CHECK(back.recipient(0).domain == "Example.org");
  CHECK(back.recipient(1).forward_path == "postmaster");
}

TEST_CASE("a decoded envelope can be added to") {
  Envelope back;
  REQUIRE(back.decode(encoded(sample())));
  back.add_recipient("three@c.example", 9, 0, "");
  CHECK(back.recipient(2).domain == "c.example");
  CHECK(back.recipient(0).forward_path == "one@Example.org");
}

TEST_CASE("empty and extreme envelopes survive too") {
  Envelope envelope;
  envelope.accepted = {-1};
  envelope.client = *SocketAddress::parse("[2001:db8::1]:65535");
  Envelope back;
  REQUIRE(back.decode(encoded(envelope)));
  CHECK(back.accepted == WallTime{-1});
  CHECK(back.client == envelope.client);
  CHECK(back.reverse_path().empty());
  CHECK(back.recipient_count() == 0);
  for (int i = 0; i < 2000; ++i) envelope.add_recipient(std::string(smtp::kPath, 'p'), 255, 0, "");
  REQUIRE(back.decode(encoded(envelope)));
  CHECK(back.recipient_count() == 2000);
  CHECK(back.recipient(1999).domain.size() == 255);
}

TEST_CASE("octets that are not exactly one envelope are refused and leave it empty") {
  const std::string whole = encoded(sample());
  Envelope back;
  for (std::size_t length = 0; length < whole.size(); ++length) {
    REQUIRE_FALSE(back.decode(View{whole}.substr(0, length)));
    REQUIRE(back.recipient_count() == 0);
    REQUIRE(back.helo().empty());
  }
  CHECK_FALSE(back.decode(whole + "x"));
  CHECK_FALSE(back.decode("\x02" + whole.substr(1)));
  CHECK(back.decode(whole));
}

TEST_CASE("damaged octets are refused or read, never trusted") {
  Random random(1);
  const std::string whole = encoded(sample());
  for (int round = 0; round < 20000; ++round) {
    std::string damaged = whole;
    for (std::uint64_t i = 1 + random.below(3); i > 0; --i)
      damaged[random.below(damaged.size())] = static_cast<char>(random.below(256));
    Envelope back;
    if (!back.decode(damaged)) continue;
    for (std::size_t i = 0; i < back.recipient_count(); ++i)
      REQUIRE(back.recipient(i).forward_path.size() <= smtp::kPath);
  }
}

TEST_CASE("clear leaves nothing behind") {
  Envelope envelope = sample();
  envelope.clear();
  CHECK(encoded(envelope) == encoded(Envelope{}));
}

}  // namespace ringpost::message
