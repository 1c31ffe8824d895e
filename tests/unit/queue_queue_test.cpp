// Queue: places of entries, time, pauses, operator's commands; and a long random run against a plain model.
#include <doctest/doctest.h>

#include <map>
#include <optional>
#include <set>
#include <vector>

#include "ringpost/base/random.h"
#include "ringpost/queue.h"

using namespace ringpost;
using queue::Entry;
using queue::Queue;

namespace {

constexpr WallTime kNow{1'780'000'000'000};
constexpr WallTime kNever{kNow.milliseconds + 1'000'000'000};

SpoolId id(std::uint64_t count) { return SpoolId::make(0, count); }

std::vector<std::uint64_t> take_all(Queue& queue, DestinationId destination) {
  std::vector<std::uint64_t> taken;
  while (const auto entry = queue.take(destination)) taken.push_back(entry->id.count());
  return taken;
}

}  // namespace

TEST_CASE("queue: a destination without entries is forgotten with its pause, and its id serves another name") {
  Queue queue(100);
  const DestinationId a = queue.destination("a.test");
  const DestinationId b = queue.destination("b.test");
  CHECK(queue.add({id(1), a, kNow, kNever}, kNow));
  CHECK_FALSE(queue.forget(a));
  const auto entry = queue.take(a);
  REQUIRE(entry);
  CHECK_FALSE(queue.forget(a));
  queue.done(*entry);
  queue.pause(a, kNow + 1h, 3, "dead");
  CHECK(queue.forget(a));
  CHECK_FALSE(queue.find("a.test"));
  CHECK_FALSE(queue.next_due());
  CHECK(queue.known() == 1);
  CHECK(queue.at(a).name.empty());
  const DestinationId c = queue.destination("c.test");
  CHECK(c == a);
  CHECK(queue.at(c).failures == 0);
  CHECK(queue.at(c).last_error.empty());
  CHECK(queue.add({id(2), c, kNow, kNever}, kNow));
  CHECK(take_all(queue, c) == std::vector<std::uint64_t>{2});
  CHECK(queue.at(b).name == "b.test");
}

TEST_CASE("queue: what is due at once is taken in the order of its coming") {
  Queue queue(100);
  const DestinationId d = queue.destination("a:25");
  for (std::uint64_t i = 1; i <= 5; ++i) CHECK(queue.add({id(i), d, kNow, kNever}, kNow));
  CHECK(queue.at(d).ready == 5);
  CHECK(take_all(queue, d) == std::vector<std::uint64_t>{1, 2, 3, 4, 5});
  CHECK(queue.at(d).taken == 5);
  CHECK_FALSE(queue.take(d));
}

TEST_CASE("queue: what waits becomes ready at its time, never before and not much later") {
  for (const std::int64_t wait : {1, 63, 64, 65, 1000, 16'384, 16'385, 300'000, 4'194'304, 5'000'000, 432'000'000}) {
    Queue queue(10);
    queue.advance(kNow);
    const DestinationId d = queue.destination("a");
    const WallTime due{kNow.milliseconds + wait};
    queue.add({id(1), d, due, kNever}, kNow);
    CHECK(queue.at(d).waiting == 1);
    WallTime at = kNow;
    int steps = 0;
    while (queue.at(d).ready == 0 && steps < 2000) {
      const auto next = queue.next_due();
      REQUIRE(next);
      CHECK(*next > at);
      at = *next;
      queue.advance(at);
      ++steps;
    }
    INFO("wait ", wait);
    CHECK(at >= due);
    CHECK(at.milliseconds < due.milliseconds + 64);
    CHECK(steps < 10);
  }
}

TEST_CASE("queue: a round names each ready destination once") {
  Queue queue(100);
  std::set<std::uint32_t> expected;
  for (int i = 0; i < 7; ++i) {
    const DestinationId d = queue.destination("d" + std::to_string(i));
    queue.add({id(static_cast<std::uint64_t>(i) + 1), d, i == 3 ? kNever : kNow, kNever}, kNow);
    if (i != 3) expected.insert(d.value);
  }
  for (int round = 0; round < 3; ++round) {
    std::set<std::uint32_t> seen;
    queue.begin_round();
    while (const auto d = queue.next_ready()) CHECK(seen.insert(d->value).second);
    CHECK(seen == expected);
  }
}

TEST_CASE("queue: an entry put back without an attempt is first again") {
  Queue queue(10);
  const DestinationId d = queue.destination("a");
  for (std::uint64_t i = 1; i <= 3; ++i) queue.add({id(i), d, kNow, kNever}, kNow);
  const auto first = queue.take(d);
  queue.put_back(*first, kNow, kNow);
  CHECK(take_all(queue, d) == std::vector<std::uint64_t>{1, 2, 3});
}

TEST_CASE("queue: a flush is told once with the entry, whatever place that had, and outlives a put back that says so") {
  Queue queue(10);
  const DestinationId d = queue.destination("a");
  const auto take = [&] {
    const auto entry = queue.take(d);
    REQUIRE(entry);
    return *entry;
  };
  queue.add({id(1), d, kNow, kNever}, kNow);
  CHECK_FALSE(take().flushed);
  CHECK(queue.flush(id(1), kNow));  // taken
  queue.put_back({id(1), d, kNow, kNever}, kNow + 10s, kNow);
  Entry entry = take();
  CHECK(entry.flushed);
  queue.put_back(entry, kNow, kNow);  // not attempted
  entry = take();
  CHECK(entry.flushed);
  entry.flushed = false;
  queue.put_back(entry, kNow + 10s, kNow);
  CHECK(queue.flush(id(1), kNow));  // waiting
  CHECK(take().flushed);
  queue.put_back({id(1), d, kNow, kNever}, kNow, kNow);
  CHECK(queue.flush(id(1), kNow));  // ready
  CHECK(take().flushed);
}

TEST_CASE("queue: a paused destination gives nothing but what has expired") {
  Queue queue(10);
  const DestinationId d = queue.destination("a");
  queue.add({id(1), d, kNow, kNow + 10s}, kNow);
  queue.add({id(2), d, kNow, kNever}, kNow);
  queue.pause(d, kNow + 60s, 1, "connection refused");
  queue.begin_round();
  CHECK_FALSE(queue.next_ready());
  CHECK_FALSE(queue.take(d));
  CHECK_FALSE(queue.take_expired(d, kNow));
  CHECK(queue.take_expired(d, kNow + 10s)->id == id(1));
  CHECK_FALSE(queue.take_expired(d, kNow + 10s));
  CHECK(queue.next_due() == kNow + 60s);
  queue.advance(kNow + 60s);
  CHECK(queue.take(d)->id == id(2));
  CHECK(queue.at(d).failures == 1);
  queue.reached(d);
  CHECK(queue.at(d).failures == 0);
}

TEST_CASE(
    "queue: an entry that is put back counts by its new deadline, and one that becomes due behind it goes first") {
  Queue queue(10);
  const DestinationId d = queue.destination("a");
  queue.add({id(1), d, kNow, kNow + 10s}, kNow);
  queue.add({id(2), d, kNow, kNever}, kNow);
  queue.add({id(3), d, kNow + 30s, kNow + 30s}, kNow);
  queue.pause(d, kNow + 60s, 1, "connection refused");
  auto late = queue.take_expired(d, kNow + 10s);
  REQUIRE(late);
  late->expires = kNow + 20s;
  queue.put_back(*late, kNow + 10s, kNow + 10s);
  CHECK_FALSE(queue.take_expired(d, kNow + 19s));
  CHECK(queue.take_expired(d, kNow + 20s)->id == id(1));
  CHECK_FALSE(queue.take_expired(d, kNow + 20s));
  queue.advance(kNow + 31s);
  CHECK(queue.take_expired(d, kNow + 31s)->id == id(3));
  CHECK_FALSE(queue.take_expired(d, kNow + 31s));
}

TEST_CASE("queue: of two deadlines of one message at a destination the earlier counts") {
  Queue queue(10);
  const DestinationId d = queue.destination("a");
  queue.add({id(1), d, kNow, kNever}, kNow);
  queue.add({id(1), d, kNow, kNow + 10s}, kNow);
  CHECK(queue.take_expired(d, kNow + 10s)->id == id(1));
}

TEST_CASE("queue: adding a message's destination again merges, and a taken one comes again") {
  Queue queue(10);
  const DestinationId d = queue.destination("a");
  queue.add({id(1), d, kNow + 100s, kNever}, kNow);
  queue.add({id(1), d, kNow, kNever}, kNow);
  CHECK(queue.entries() == 1);
  const auto taken = queue.take(d);
  REQUIRE(taken);
  queue.add({id(1), d, kNow, kNever}, kNow);
  CHECK_FALSE(queue.take(d));
  queue.done(*taken);
  CHECK(queue.take(d)->id == id(1));
}

TEST_CASE("queue: flush makes due what waits of one message, and ends its destinations' pauses") {
  Queue queue(10);
  const DestinationId a = queue.destination("a"), b = queue.destination("b");
  queue.add({id(1), a, kNow + 100s, kNever}, kNow);
  queue.add({id(1), b, kNow + 100s, kNever}, kNow);
  queue.add({id(2), a, kNow + 100s, kNever}, kNow);
  queue.add({id(3), b, kNow + 100s, kNever}, kNow);
  CHECK(queue.flush(id(1), kNow));
  CHECK_FALSE(queue.flush(id(9), kNow));
  CHECK(take_all(queue, a) == std::vector<std::uint64_t>{1});
  CHECK(take_all(queue, b) == std::vector<std::uint64_t>{1});
  queue.pause(b, kNow + 500s, 3, "x");
  CHECK(queue.flush(id(3), kNow));
  CHECK(take_all(queue, b) == std::vector<std::uint64_t>{3});
  CHECK(take_all(queue, a).empty());
  queue.pause(b, kNow + 500s, 3, "x");
  queue.end_pause(b);
  CHECK(queue.at(b).paused_until == WallTime{});
}

TEST_CASE("queue: a scan in pieces shows each entry once, with its place") {
  Queue queue(1000);
  const DestinationId a = queue.destination("a"), b = queue.destination("b");
  for (std::uint64_t i = 1; i <= 100; ++i) queue.add({id(i), i % 2 == 0 ? a : b, kNow + 10s, kNever}, kNow);
  for (std::uint64_t i = 101; i <= 110; ++i) queue.add({id(i), a, kNow, kNever}, kNow);
  CHECK(queue.take(a));
  std::map<SpoolId, queue::Standing> seen;
  std::size_t pieces = 0, at = 0;
  do {
    at = queue.scan(at, 7, [&](const queue::Standing& one) { CHECK(seen.try_emplace(one.id, one).second); });
    ++pieces;
  } while (at != 0);
  CHECK(seen.size() == 110);
  CHECK(pieces == 16);
  using Place = queue::Standing::Place;
  CHECK(seen[id(1)].place == Place::waiting);
  CHECK(seen[id(1)].destination == b);
  CHECK(seen[id(1)].due == kNow + 10s);
  CHECK(seen[id(101)].place == Place::taken);
  CHECK(seen[id(102)].place == Place::ready);
}

TEST_CASE("queue: the rate of a destination is that of the last minute, and ends when nothing is delivered") {
  Queue queue(10);
  const DestinationId d = queue.destination("a");
  const WallTime minute{kNow.milliseconds / 60'000 * 60'000};
  for (int i = 0; i < 600; ++i) queue.note_delivered(d, minute + 1s);
  CHECK(queue.at(d, minute + 59s).rate == doctest::Approx(10.0));
  CHECK(queue.at(d, minute + 90s).rate == doctest::Approx(5.0));
  CHECK(queue.at(d, minute + 120s).rate == doctest::Approx(0.0));
}

TEST_CASE("queue: remove forgets what is not taken and says so when something is") {
  Queue queue(10);
  const DestinationId a = queue.destination("a"), b = queue.destination("b");
  queue.add({id(1), a, kNow, kNever}, kNow);
  queue.add({id(1), b, kNow + 5s, kNever}, kNow);
  const auto taken = queue.take(a);
  CHECK(queue.remove(id(1)));
  CHECK(queue.entries() == 1);
  queue.done(*taken);
  CHECK(queue.entries() == 0);
  CHECK(queue.messages() == 0);
}

TEST_CASE("queue: a full table refuses, and takes again when there is room") {
  Queue queue(2);
  const DestinationId d = queue.destination("a");
  std::uint64_t added = 0;
  while (queue.add({id(added + 1), d, kNow, kNever}, kNow)) ++added;
  CHECK(added == 4);
  CHECK(queue.room() == 0);
  queue.done(*queue.take(d));
  CHECK(queue.add({id(99), d, kNow, kNever}, kNow));
}

TEST_CASE("queue: a clock that jumps back an hour keeps what waits, one that jumps a year makes it due") {
  Queue queue(10);
  queue.advance(kNow);
  const DestinationId d = queue.destination("a");
  queue.add({id(1), d, kNow + 100s, kNever}, kNow);
  queue.advance(kNow - 1h);
  queue.add({id(2), d, kNow - 1h + 50s, kNever}, kNow - 1h);
  CHECK(queue.at(d).waiting == 2);
  queue.advance(kNow - 1h + 60s);
  CHECK(take_all(queue, d) == std::vector<std::uint64_t>{2});
  queue.advance(kNow + 24h * 365);
  CHECK(take_all(queue, d) == std::vector<std::uint64_t>{1});
}

TEST_CASE("queue: a long random run agrees with a plain model") {
  struct Model {
    WallTime due;
    bool taken = false;
  };
  Random random(7);
  Queue queue(1000);
  std::vector<DestinationId> destinations;
  for (int i = 0; i < 5; ++i) destinations.push_back(queue.destination("d" + std::to_string(i)));
  std::map<std::pair<std::uint64_t, std::uint32_t>, Model> model;
  std::vector<Entry> taken;
  WallTime now = kNow;
  queue.advance(now);
  std::uint64_t next_id = 1;
  for (int step = 0; step < 20'000; ++step) {
    const DestinationId d = destinations[random.below(5)];
    switch (random.below(6)) {
      case 0:
      case 1: {
        const std::uint64_t count = random.chance(1, 3) ? random.below(next_id) + 1 : next_id++;
        if (model.contains({count, d.value})) break;
        const WallTime due = now + std::chrono::milliseconds(random.below(3) == 0 ? 0 : random.below(400'000));
        if (queue.add({id(count), d, due, kNever}, now)) model[{count, d.value}] = {due, false};
        break;
      }
      case 2:
        now = now + std::chrono::milliseconds(random.below(20'000));
        queue.advance(now);
        break;
      case 3:
        if (const auto entry = queue.take(d)) {
          Model& m = model.at({entry->id.count(), d.value});
          REQUIRE_FALSE(m.taken);
          REQUIRE(m.due.milliseconds < now.milliseconds + 64);
          m.taken = true;
          taken.push_back(*entry);
        } else {
          // Nothing that has been due for more than a tick may be left behind.
          for (const auto& [key, m] : model)
            if (key.second == d.value && !m.taken) REQUIRE(m.due.milliseconds + 64 > now.milliseconds);
        }
        break;
      default: {
        if (taken.empty()) break;
        const std::size_t at = random.below(taken.size());
        const Entry entry = taken[at];
        taken.erase(taken.begin() + static_cast<std::ptrdiff_t>(at));
        Model& m = model.at({entry.id.count(), entry.destination.value});
        if (random.chance(1, 2)) {
          queue.done(entry);
          model.erase({entry.id.count(), entry.destination.value});
        } else {
          m = {now + std::chrono::milliseconds(random.below(100'000)), false};
          queue.put_back(entry, m.due, now);
        }
      }
    }
    REQUIRE(queue.entries() == model.size());
  }
  std::set<std::uint64_t> messages;
  for (const auto& [key, m] : model) messages.insert(key.first);
  CHECK(queue.messages() == messages.size());
}
