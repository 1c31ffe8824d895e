// Where recipients stand, and the stored form of that.
#include <doctest/doctest.h>

#include <string>

#include "ringpost/base/random.h"
#include "ringpost/message.h"

namespace ringpost::message {
namespace {

std::string encoded(const State& state) {
  std::string out;
  state.encode(out);
  return out;
}

RecipientState later(std::uint16_t attempts, View text) {
  return {Status::open, attempts, WallTime{1'795'601'533'000 + attempts}, 451, text};
}

bool same(const State& a, const State& b) {
  if (a.size() != b.size()) return false;
  for (std::size_t i = 0; i < a.size(); ++i) {
    const RecipientState x = a.at(i);
    const RecipientState y = b.at(i);
    if (x.status != y.status || x.attempts != y.attempts || x.due != y.due || x.code != y.code || x.text != y.text)
      return false;
    if (x.delay_told != y.delay_told || x.ours != y.ours || x.enhanced != y.enhanced || x.attempted != y.attempted ||
        x.host != y.host || x.via != y.via)
      return false;
  }
  return true;
}

}  // namespace

TEST_CASE("a fresh state is open and due for everyone") {
  State state;
  state.reset(3, {1000});
  CHECK(state.count(Status::open) == 3);
  CHECK(state.at(2).due == WallTime{1000});
  CHECK(state.at(2).attempts == 0);
  CHECK(state.at(2).text.empty());
}

TEST_CASE("each recipient has its own state, which survives the stored form") {
  State state;
  state.reset(4, {1000});
  state.set(0, {Status::delivered, 1, {}, 250, "Ok"});
  state.set(1, later(2, "4.7.1 try later"));
  state.set(3, {Status::failed, 1, {}, 550, "5.1.1 no such user"});
  CHECK(state.count(Status::open) == 2);
  CHECK(state.at(1).text == "4.7.1 try later");
  State back;
  REQUIRE(back.decode(encoded(state)));
  CHECK(same(state, back));
  CHECK(encoded(back) == encoded(state));
}

TEST_CASE("recipients alike cost as much as one") {
  State state;
  state.reset(1000, {1000});
  const std::size_t fresh = encoded(state).size();
  CHECK(fresh < 20);
  for (std::size_t i = 0; i < 1000; ++i) state.set(i, later(1, "connection refused"));
  CHECK(encoded(state).size() < fresh + 25);
}

TEST_CASE("neighbours that differ in one thing only are not taken for alike") {
  const RecipientState base{Status::open, 2, WallTime{1000}, 451, "later"};
  for (int thing = 0; thing < 12; ++thing) {
    RecipientState other = base;
    if (thing == 0) other.status = Status::removed;
    if (thing == 1) other.attempts = 3;
    if (thing == 2) other.due = WallTime{1001};
    if (thing == 3) other.code = 452;
    if (thing == 4) other.text = "Later";
    if (thing == 5) other.delay_told = true;
    if (thing == 6) other.ours = true;
    if (thing == 7) other.enhanced = {4, 7, 1};
    if (thing == 8) other.attempted = WallTime{999};
    if (thing == 9) other.host = "mx.example";
    if (thing == 10) other.via = "192.0.2.1:25";
    if (thing == 11) other.status = Status::held;
    State state;
    state.reset(3, {});
    state.set(0, base);
    state.set(1, other);
    state.set(2, base);
    State back;
    REQUIRE(back.decode(encoded(state)));
    CHECK(same(state, back));
  }
}

TEST_CASE("a text is cut at its limit, and may be another recipient's") {
  State state;
  state.reset(2, {});
  state.set(0, later(1, std::string(1000, 'x')));
  CHECK(state.at(0).text.size() == State::kTextLimit);
  state.set(1, later(1, "other"));
  for (int i = 0; i < 100; ++i) {
    state.set(1, state.at(0));
    state.set(0, later(2, std::to_string(i)));
    state.set(0, state.at(1));
  }
  CHECK(state.at(0).text == std::string(State::kTextLimit, 'x'));
}

TEST_CASE("years of attempts do not gather old texts, and none is lost") {
  State state;
  state.reset(20, {});
  std::string last[20];
  Random random(2);
  for (int round = 0; round < 20000; ++round) {
    const std::size_t index = random.below(20);
    last[index] = std::string(random.below(200), 'a') + std::to_string(random.below(50));
    state.set(index, later(1, last[index]));
    const std::size_t other = random.below(20);
    REQUIRE(state.at(other).text == last[other]);
  }
  State back;
  REQUIRE(back.decode(encoded(state)));
  CHECK(same(state, back));
}

TEST_CASE("a state has ended when nobody waits for mail or for word of it") {
  State state;
  state.reset(3, {});
  const auto with = [&](Status a, Status b, Status c) {
    int index = 0;
    for (const Status status : {a, b, c}) {
      RecipientState one;
      one.status = status;
      state.set(static_cast<std::size_t>(index++), one);
    }
    return state.ended();
  };
  CHECK(with(Status::delivered, Status::bounced, Status::removed));
  CHECK_FALSE(with(Status::delivered, Status::failed, Status::delivered));
  CHECK_FALSE(with(Status::bounced, Status::bounced, Status::open));
  CHECK_FALSE(with(Status::relayed, Status::delivered, Status::delivered));
  CHECK_FALSE(with(Status::held, Status::delivered, Status::delivered));
}

TEST_CASE("the form of version 1 is still read") {
  // Two recipients: one failed after 2 attempts with 550 "no", one open and due at 1 s.
  const std::string old{
      "\x01\x02"
      "\x01\x02\x02\x00\xA6\x04\x02no"
      "\x01\x00\x00\xD0\x0F\x00\x00",
      18};
  State state;
  REQUIRE(state.decode(old));
  REQUIRE(state.size() == 2);
  CHECK(state.at(0).status == Status::failed);
  CHECK(state.at(0).code == 550);
  CHECK(state.at(0).text == "no");
  CHECK_FALSE(state.at(0).enhanced.given());
  CHECK(state.at(1).status == Status::open);
  CHECK(state.at(1).due == WallTime{1000});
  std::string newer = old;
  newer[3] = 4;  // no such status then
  CHECK_FALSE(state.decode(newer));
}

TEST_CASE("octets that are not exactly one state are refused") {
  State state;
  state.reset(5, {1000});
  state.set(2, later(3, "later"));
  const std::string whole = encoded(state);
  State back;
  for (std::size_t length = 0; length < whole.size(); ++length)
    REQUIRE_FALSE(back.decode(View{whole}.substr(0, length)));
  CHECK_FALSE(back.decode(whole + std::string(1, '\0')));
  CHECK(back.size() == 0);
  Random random(3);
  for (int round = 0; round < 20000; ++round) {
    std::string damaged = whole;
    damaged[random.below(damaged.size())] = static_cast<char>(random.below(256));
    if (back.decode(damaged)) REQUIRE(back.size() <= Envelope::kMaxRecipients);
  }
  REQUIRE(back.decode(whole));
  CHECK(same(state, back));
}

}  // namespace ringpost::message
