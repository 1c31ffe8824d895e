// What of a message may be believed, packet by packet: the question and its answer by ringpost-dnsd's zones.
#include <doctest/doctest.h>

#include "ringpost/dns.h"
#include "tools/dnsd/answer.h"

namespace ringpost::dns {
namespace {

constexpr std::uint16_t kId = 0x4711;

// The reply (the last packet) to a question, as judged.
Reply judged(View zone, View name, Type type, bool with_edns = true, bool tcp = false) {
  dnsd::Answerer answerer;
  const auto read = answerer.zone.read(zone);
  REQUIRE(read.has_value());
  const auto packets = answerer.answer(write_question(kId, name, type, with_edns), tcp);
  REQUIRE(!packets.empty());
  return read_reply(packets.back().octets, kId, name, type, with_edns, tcp);
}

}  // namespace

TEST_CASE("names are brought into one form, and what is none is found out") {
  CHECK(normal_name("Example.NET.") == "example.net");
  CHECK(normal_name("_25._tcp.mx.example") == "_25._tcp.mx.example");
  CHECK(normal_name("").empty());
  CHECK(normal_name(".").empty());
  CHECK(normal_name("a..b").empty());
  CHECK(normal_name(".a").empty());
  CHECK(normal_name("a b").empty());
  CHECK(normal_name("a\\046b").empty());
  CHECK(normal_name(std::string(64, 'a') + ".net").empty());
  CHECK(normal_name(std::string(63, 'a') + ".net") == std::string(63, 'a') + ".net");
  std::string longest;
  for (int i = 0; i < 127; ++i) longest += "a.";
  CHECK(normal_name(longest).size() == 253);
  CHECK(normal_name(longest + "bc").empty());
}

TEST_CASE("records of each type are read") {
  const View zone =
      "a.test 60 A 192.0.2.1\na.test A 192.0.2.2\na.test AAAA 2001:db8::1\na.test MX 10 MX.a.test\na.test MX 5 b.test\n"
      "null.test MX 0 .\nt.test TXT hello world\n";
  Reply reply = judged(zone, "a.test", Type::a);
  CHECK(reply.kind == Reply::Kind::answer);
  CHECK(reply.answer.status == Status::found);
  REQUIRE(reply.answer.addresses.size() == 2);
  CHECK(reply.answer.addresses[0].address_text() == "192.0.2.1");
  CHECK(reply.ttl == 60s);
  reply = judged(zone, "a.test", Type::aaaa);
  REQUIRE(reply.answer.addresses.size() == 1);
  CHECK(reply.answer.addresses[0].address_text() == "2001:db8::1");
  reply = judged(zone, "a.test", Type::mx);
  REQUIRE(reply.answer.mx.size() == 2);
  CHECK(reply.answer.mx[0] == Mx{10, "mx.a.test"});
  CHECK(reply.answer.mx[1] == Mx{5, "b.test"});
  reply = judged(zone, "null.test", Type::mx);
  REQUIRE(reply.answer.mx.size() == 1);
  CHECK(reply.answer.mx[0].host.empty());
  reply = judged(zone, "t.test", Type::txt);
  REQUIRE(reply.answer.texts.size() == 1);
  CHECK(reply.answer.texts[0] == "hello world");
}

TEST_CASE("no such name and no such record are told apart, and kept as the SOA says") {
  const View zone = "test 30 SOA 900\nb.a.test A 192.0.2.1\nn.test A 192.0.2.1\nn.test !no-soa\n";
  Reply reply = judged(zone, "missing.test", Type::mx);
  CHECK(reply.answer.status == Status::no_name);
  CHECK(reply.ttl == 30s);
  CHECK(reply.answer.text == "missing.test does not exist (NXDOMAIN)");
  CHECK(judged(zone, "a.test", Type::mx).answer.status == Status::no_data);  // an empty non-terminal
  reply = judged(zone, "b.a.test", Type::mx);
  CHECK(reply.answer.status == Status::no_data);
  CHECK(reply.answer.text == "b.a.test has no MX record");
  CHECK(judged(zone, "n.test", Type::mx).ttl == kLeastTtl);  // RFC 2308 5: not to be kept without a SOA
}

TEST_CASE("TTLs are brought between their bounds") {
  CHECK(judged("a.test 0 A 192.0.2.1", "a.test", Type::a).ttl == kLeastTtl);
  CHECK(judged("a.test 4000000 A 192.0.2.1", "a.test", Type::a).ttl == kMostTtl);
  CHECK(judged("a.test 2147483649 A 192.0.2.1", "a.test", Type::a).ttl == kLeastTtl);  // RFC 2181 8
  CHECK(judged("test 999999 SOA 999999", "a.test", Type::a).ttl == kMostNegativeTtl);
}

TEST_CASE("CNAMEs are followed to the end, with the least TTL on the way") {
  const View zone =
      "one.test 500 CNAME two.test\ntwo.test 20 CNAME three.test\nthree.test 400 MX 10 mx.test\nto.test CNAME "
      "gone.test\n";
  Reply reply = judged(zone, "one.test", Type::mx);
  CHECK(reply.answer.status == Status::found);
  CHECK(reply.answer.name == "three.test");
  CHECK(reply.aliases == 2);
  CHECK(reply.ttl == 20s);
  reply = judged(zone, "to.test", Type::mx);
  CHECK(reply.answer.status == Status::no_name);
  CHECK(reply.answer.name == "gone.test");
}

TEST_CASE("CNAMEs that lead back, and too many, end the question") {
  CHECK(judged("a.test !loop", "a.test", Type::mx).kind == Reply::Kind::refused);
  std::string chain;
  for (int i = 0; i < 20; ++i) chain += "n" + std::to_string(i) + ".test CNAME n" + std::to_string(i + 1) + ".test\n";
  CHECK(judged(chain, "n5.test", Type::mx).kind == Reply::Kind::refused);
}

TEST_CASE("a chain whose end the server does not tell is to be asked for") {
  const Reply reply = judged("a.test CNAME b.test\na.test !no-follow\nb.test A 192.0.2.1", "a.test", Type::a);
  CHECK(reply.kind == Reply::Kind::follow);
  CHECK(reply.next == "b.test");
}

TEST_CASE("records of other names are nobody's word") {
  const Reply reply = judged("a.test MX 10 mx.test\na.test !lie", "a.test", Type::mx);
  CHECK(reply.answer.status == Status::found);
  REQUIRE(reply.answer.mx.size() == 1);
  CHECK(reply.answer.mx[0].host == "mx.test");
  // Nor does a SOA of another zone say how long a negative answer holds.
  CHECK(judged("a.test !no-soa\na.test A 192.0.2.1\na.test !lie", "a.test", Type::mx).ttl == kLeastTtl);
}

TEST_CASE("a wrong id, a wrong question and a question are not ours") {
  dnsd::Answerer answerer;
  REQUIRE(answerer.zone.read("a.test A 192.0.2.1").has_value());
  const std::string question = write_question(kId, "a.test", Type::a, true);
  const std::string reply = answerer.answer(question, false).back().octets;
  CHECK(read_reply(reply, kId, "a.test", Type::a, true, false).kind == Reply::Kind::answer);
  CHECK(read_reply(reply, kId + 1, "a.test", Type::a, true, false).kind == Reply::Kind::not_ours);
  CHECK(read_reply(reply, kId, "b.test", Type::a, true, false).kind == Reply::Kind::not_ours);
  CHECK(read_reply(reply, kId, "a.test", Type::aaaa, true, false).kind == Reply::Kind::not_ours);
  CHECK(read_reply(question, kId, "a.test", Type::a, true, false).kind == Reply::Kind::not_ours);
  CHECK(read_reply({}, kId, "a.test", Type::a, true, false).kind == Reply::Kind::not_ours);
}

TEST_CASE("what cannot be read is garbage: cut short, and pointers that point to themselves") {
  CHECK(judged("a.test !compression-loop\na.test A 192.0.2.1", "a.test", Type::a).kind == Reply::Kind::garbage);
  dnsd::Answerer answerer;
  REQUIRE(answerer.zone.read("a.test A 192.0.2.1").has_value());
  const std::string reply = answerer.answer(write_question(kId, "a.test", Type::a, true), false).back().octets;
  for (std::size_t size = 0; size < reply.size(); ++size)
    CHECK(read_reply(View(reply).substr(0, size), kId, "a.test", Type::a, true, false).kind != Reply::Kind::answer);
}

TEST_CASE("truncation asks for TCP, where TC means nothing") {
  const View zone = "a.test A 192.0.2.1\na.test !truncate\nb.test A 192.0.2.1\nb.test !cut";
  CHECK(judged(zone, "a.test", Type::a).kind == Reply::Kind::truncated);
  CHECK(judged(zone, "b.test", Type::a).kind == Reply::Kind::truncated);
  CHECK(judged(zone, "a.test", Type::a, true, true).kind == Reply::Kind::answer);
  std::string big;
  for (int i = 1; i < 200; ++i) big += "big.test A 192.0.2." + std::to_string(i) + "\n";
  CHECK(judged(big, "big.test", Type::a).kind == Reply::Kind::truncated);
  CHECK(judged(big, "big.test", Type::a, true, true).answer.addresses.size() == 199);
}

TEST_CASE("errors send us to another server, or back without EDNS") {
  const View zone = "a.test !servfail\nb.test !refuse\nc.test !no-edns\nc.test A 192.0.2.1\n";
  CHECK(judged(zone, "a.test", Type::a).kind == Reply::Kind::refused);
  CHECK(judged(zone, "b.test", Type::a).kind == Reply::Kind::refused);
  CHECK(judged(zone, "c.test", Type::a).kind == Reply::Kind::no_edns);
  CHECK(judged(zone, "c.test", Type::a, false).kind == Reply::Kind::answer);
}

TEST_CASE("an answer of many records is bounded") {
  std::string zone;
  for (int i = 0; i < 600; ++i) zone += "m.test MX " + std::to_string(i) + " mx" + std::to_string(i) + ".test\n";
  CHECK(judged(zone, "m.test", Type::mx, true, true).answer.mx.size() == kMostRecords);
}

}  // namespace ringpost::dns
