// Pace: lenders and borrowers joined by letters that arrive late, judged by the one rule that must hold at every
// instant.
#include <doctest/doctest.h>

#include <algorithm>
#include <deque>
#include <vector>

#include "ringpost/base/random.h"
#include "ringpost/pace.h"

using namespace ringpost;
using pace::Borrower;
using pace::Key;
using pace::Lender;
using pace::Letter;

namespace {

constexpr DestinationId kThere{0};

// Some cores and the post between them; letters of one pair of cores keep their order.
struct Cores {
  explicit Cores(unsigned count) : key(pace::key_of("192.0.2.1:25")) {
    for (unsigned i = 0; i < count; ++i) {
      lenders.push_back(std::make_unique<Lender>(CoreId{static_cast<std::uint16_t>(i)}));
      borrowers.push_back(std::make_unique<Borrower>(CoreId{static_cast<std::uint16_t>(i)}, count));
    }
    home = pace::home_of(key, count).value;
  }
  void post() {
    for (const Letter& letter : out) in_flight.push_back(letter);
    out.clear();
  }
  void arrive_one() {
    const Letter letter = in_flight.front();
    in_flight.pop_front();
    const bool to_lender =
        letter.kind == Letter::Kind::want || letter.kind == Letter::Kind::back || letter.kind == Letter::Kind::refused;
    if (to_lender)
      lenders[letter.to.value]->receive(letter, now, out);
    else
      borrowers[letter.to.value]->receive(letter, now, out);
    post();
  }
  void settle() {
    post();
    while (!in_flight.empty()) arrive_one();
  }
  bool take(unsigned core, std::uint32_t limit) {
    const bool got = borrowers[core]->take(kThere, key, limit, now, out);
    post();
    return got;
  }
  std::uint32_t open() const {
    std::uint32_t sum = 0;
    for (const auto& borrower : borrowers) sum += borrower->open(kThere);
    return sum;
  }

  Key key;
  unsigned home = 0;
  Instant now{1'000'000'000};
  std::vector<std::unique_ptr<Lender>> lenders;
  std::vector<std::unique_ptr<Borrower>> borrowers;
  std::vector<Letter> out;
  std::deque<Letter> in_flight;
};

}  // namespace

TEST_CASE("pace: a busy destination that once refused a connection gets one more when its time is over") {
  Cores cores(1);
  while (cores.open() < 3) {
    cores.take(0, 20);
    cores.settle();
  }
  cores.borrowers[0]->refused(kThere, cores.now, cores.out);
  cores.settle();
  REQUIRE(cores.open() == 2);
  CHECK_FALSE(cores.take(0, 20));
  cores.settle();
  CHECK_FALSE(cores.take(0, 20));
  // Both connections stay in use, so nothing else is said to the home.
  cores.now = cores.now + pace::kRefusedFor + 1s;
  CHECK_FALSE(cores.take(0, 20));
  cores.settle();
  CHECK(cores.take(0, 20));
  CHECK(cores.lenders[0]->lent(cores.key) == 3);
}

TEST_CASE("pace: a limit raised while a core waits is known to the home at once") {
  Cores cores(1);
  CHECK_FALSE(cores.take(0, 1));
  cores.settle();
  CHECK(cores.take(0, 1));
  CHECK_FALSE(cores.take(0, 1));
  cores.settle();
  CHECK_FALSE(cores.take(0, 1));
  CHECK_FALSE(cores.take(0, 2));
  cores.settle();
  CHECK(cores.take(0, 2));
  CHECK_FALSE(cores.take(0, 2));
}

TEST_CASE("pace: one core alone gets up to the limit, one by one, and no more") {
  Cores cores(1);
  std::uint32_t opened = 0;
  for (int i = 0; i < 10; ++i) {
    if (cores.take(0, 3)) ++opened;
    cores.settle();
  }
  CHECK(opened == 3);
  CHECK(cores.lenders[0]->lent(cores.key) == 3);
}

TEST_CASE("pace: with one connection two cores take turns, and nobody waits longer than a turn") {
  Cores cores(2);
  REQUIRE_FALSE(cores.take(0, 1));
  cores.settle();
  REQUIRE(cores.take(0, 1));
  REQUIRE_FALSE(cores.take(1, 1));
  cores.settle();
  CHECK(cores.borrowers[0]->must_end(kThere, true, cores.now) == 0);  // busy, and its turn is not over
  CHECK(cores.borrowers[0]->must_end(kThere, false, cores.now) == 1);
  cores.now = cores.now + pace::kLeaseTurn;
  CHECK(cores.borrowers[0]->must_end(kThere, true, cores.now) == 1);
  cores.borrowers[0]->closed(kThere, cores.now, cores.out);
  cores.settle();
  CHECK(cores.take(1, 1));
  CHECK_FALSE(cores.take(0, 1));
  cores.settle();
  CHECK(cores.borrowers[1]->must_end(kThere, false, cores.now) == 1);
}

TEST_CASE("pace: a destination is forgotten when nothing is lent or asked for, and letters that come late do no harm") {
  Cores cores(2);
  cores.take(1, 5);
  CHECK_FALSE(cores.borrowers[1]->forget(kThere));  // asked for
  cores.settle();
  CHECK_FALSE(cores.borrowers[1]->forget(kThere));  // held
  std::vector<Borrower::News> news;
  cores.borrowers[1]->news(news);
  cores.now = cores.now + pace::kLeaseIdle;
  cores.borrowers[1]->expire(cores.now, cores.out);
  cores.settle();
  CHECK(cores.borrowers[1]->forget(kThere));
  // A grant for what was forgotten goes back, a recall is past.
  Letter late{Letter::Kind::grant, CoreId{static_cast<std::uint16_t>(cores.home)}, CoreId{1}, cores.key, 1, 0};
  cores.borrowers[1]->receive(late, cores.now, cores.out);
  REQUIRE(cores.out.size() == 1);
  CHECK(cores.out[0].kind == Letter::Kind::back);
  CHECK(cores.out[0].count == 1);
  cores.out.clear();
  late.kind = Letter::Kind::recall;
  cores.borrowers[1]->receive(late, cores.now, cores.out);
  CHECK(cores.out.empty());
  // The id serves another destination.
  CHECK_FALSE(cores.take(1, 5));
  cores.settle();
  CHECK(cores.take(1, 5));
}

TEST_CASE("pace: an unused lease goes back after its idle time, and the turn's end is told once") {
  Cores cores(2);
  cores.take(1, 5);
  cores.settle();
  REQUIRE(cores.take(1, 5));
  cores.borrowers[1]->closed(kThere, cores.now, cores.out);
  REQUIRE(cores.borrowers[1]->next_time());
  CHECK(*cores.borrowers[1]->next_time() == cores.now + pace::kLeaseIdle);
  cores.now = cores.now + pace::kLeaseIdle;
  cores.borrowers[1]->expire(cores.now, cores.out);
  cores.settle();
  CHECK(cores.lenders[cores.home]->lent(cores.key) == 0);
  CHECK_FALSE(cores.borrowers[1]->next_time());
}

TEST_CASE("pace: a destination that refuses everybody is dead, one that refuses one more is full") {
  Cores cores(2);
  std::vector<Borrower::News> news;
  cores.take(0, 4);
  cores.settle();
  REQUIRE(cores.take(0, 4));
  cores.borrowers[0]->news(news);
  news.clear();
  cores.borrowers[0]->refused(kThere, cores.now, cores.out);
  cores.settle();
  cores.borrowers[0]->news(news);
  REQUIRE(news.size() == 1);
  CHECK(news[0].dead);
  CHECK(cores.lenders[cores.home]->lent(cores.key) == 0);

  cores.take(0, 4);
  cores.settle();
  REQUIRE(cores.take(0, 4));  // lives
  cores.take(1, 4);
  cores.settle();
  REQUIRE(cores.take(1, 4));
  news.clear();
  cores.borrowers[1]->news(news);
  news.clear();
  cores.borrowers[1]->refused(kThere, cores.now, cores.out);
  cores.settle();
  cores.borrowers[1]->news(news);
  CHECK(news.empty());  // waits for its turn of the one connection
  CHECK(cores.borrowers[0]->must_end(kThere, false, cores.now) == 1);
  cores.borrowers[0]->closed(kThere, cores.now, cores.out);
  cores.settle();
  CHECK(cores.take(1, 4));
  CHECK_FALSE(cores.take(1, 4));
}

TEST_CASE("pace: random load on three cores never exceeds the limit, and every core gets its turns") {
  for (const std::uint32_t limit : {1U, 2U, 3U, 7U}) {
    Random random(limit);
    Cores cores(3);
    std::uint64_t turns[3] = {};
    for (int step = 0; step < 30'000; ++step) {
      const auto core = static_cast<unsigned>(random.below(3));
      Borrower& borrower = *cores.borrowers[core];
      switch (random.below(5)) {
        case 0:
          if (cores.take(core, limit)) ++turns[core];
          break;
        case 1:
          if (!cores.in_flight.empty()) cores.arrive_one();
          break;
        case 2:
          cores.now = cores.now + std::chrono::milliseconds(random.below(200));
          borrower.expire(cores.now, cores.out);
          break;
        case 3: {
          for (std::uint32_t end = borrower.must_end(kThere, random.chance(1, 2), cores.now);
               end > 0 && borrower.open(kThere) > 0; --end)
            borrower.closed(kThere, cores.now, cores.out);
          break;
        }
        default:
          if (borrower.open(kThere) > 0 && random.chance(1, 4)) {
            if (random.chance(1, 20))
              borrower.refused(kThere, cores.now, cores.out);
            else
              borrower.closed(kThere, cores.now, cores.out);
          }
      }
      cores.post();
      REQUIRE(cores.open() <= limit);
      REQUIRE(cores.lenders[cores.home]->lent(cores.key) <= limit);
    }
    INFO("limit ", limit);
    for (const std::uint64_t count : turns) CHECK(count > 30);
    // When all is closed and idle, nothing stays lent.
    for (auto& borrower : cores.borrowers) {
      while (borrower->open(kThere) > 0) borrower->closed(kThere, cores.now, cores.out);
    }
    for (int i = 0; i < 5; ++i) {
      cores.settle();
      cores.now = cores.now + pace::kLeaseIdle;
      for (auto& borrower : cores.borrowers) borrower->expire(cores.now, cores.out);
    }
    cores.settle();
    CHECK(cores.lenders[cores.home]->lent(cores.key) == 0);
  }
}
