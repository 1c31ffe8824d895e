// Borrower: one core's side, and the names that all cores share.
#include <algorithm>
#include <unordered_map>

#include "ringpost/base/check.h"
#include "ringpost/pace.h"

namespace ringpost::pace {

// FNV-1a, 64 bits: the same on every core; what it is used for needs no more.
Key key_of(View name) {
  Key key = 0xCBF29CE484222325ULL;
  for (const char c : name) key = (key ^ static_cast<unsigned char>(c)) * 0x100000001B3ULL;
  return key;
}

CoreId home_of(Key key, unsigned cores) {
  return {static_cast<std::uint16_t>((key ^ (key >> 32)) % std::max(cores, 1U))};
}

namespace {

constexpr Duration kAskAgain = 10s;  // while a lease is waited for: the home's limit may have grown by itself

struct Lease {
  Key key = 0;
  std::uint32_t held = 0;      // lent to us
  std::uint32_t open = 0;      // of them: connections
  std::uint32_t wanted = 0;    // asked for, not here yet
  std::uint32_t limit = 0;     // as the home was told
  std::uint32_t recalled = 0;  // of held: to be given back
  Instant turn_over;           // recalled ones in use must end then
  Instant idle_since;          // when held > open
  Instant asked_at;            // when wanted > 0
  bool turn_told = false;      // the core knows that the turn is over
  bool has_news = false;
  bool dead = false;
  bool watched = false;  // in unused_or_recalled
};

}  // namespace

struct Borrower::Book {
  CoreId self;
  unsigned cores = 1;
  std::vector<Lease> leases;  // by DestinationId
  std::unordered_map<Key, DestinationId> names;
  std::vector<DestinationId> unused_or_recalled;  // who expire() looks at; may hold some that no longer need it
  std::optional<Instant> next;                    // when the first of them may need it
  std::vector<DestinationId> news;

  Lease& at(DestinationId id) {
    if (id.value >= leases.size()) leases.resize(id.value + 1);
    return leases[id.value];
  }
  void send(Letter::Kind kind, const Lease& lease, std::uint32_t count, std::uint32_t limit, std::vector<Letter>& out) {
    out.push_back({kind, self, home_of(lease.key, cores), lease.key, count, limit});
  }
  void watch(DestinationId id, Instant now) {
    Lease& lease = at(id);
    if (!lease.watched) unused_or_recalled.push_back(id);
    lease.watched = true;
    const Instant due = lease.held > lease.open ? lease.idle_since + kLeaseIdle : lease.turn_over;
    if (!next || due < *next) next = std::max(due, now);
  }
  void give_back_recalled(Lease& lease, std::vector<Letter>& out) {
    const std::uint32_t count = std::min(lease.recalled, lease.held - lease.open);
    if (count == 0) return;
    lease.recalled -= count;
    lease.held -= count;
    send(Letter::Kind::back, lease, count, 0, out);
  }
  void tell(DestinationId id, bool dead) {
    Lease& lease = at(id);
    lease.dead = dead;
    if (!lease.has_news) news.push_back(id);
    lease.has_news = true;
  }
};

Borrower::Borrower(CoreId self, unsigned cores) : book_(std::make_unique<Book>()) {
  book_->self = self;
  book_->cores = cores;
}
Borrower::~Borrower() = default;

void Borrower::receive(const Letter& letter, Instant now, std::vector<Letter>& out) {
  const auto found = book_->names.find(letter.key);
  if (found == book_->names.end()) {
    // The destination was forgotten while this was on its way: what is lent goes back, the rest is past.
    if (letter.kind == Letter::Kind::grant)
      out.push_back({Letter::Kind::back, book_->self, letter.from, letter.key, letter.count, 0});
    return;
  }
  const DestinationId id = found->second;
  Lease& lease = book_->at(id);
  switch (letter.kind) {
    case Letter::Kind::grant:
      lease.held += letter.count;
      lease.wanted -= std::min(lease.wanted, letter.count);
      lease.idle_since = now;
      lease.turn_over = now + kLeaseTurn;
      lease.turn_told = false;
      book_->watch(id, now);
      book_->tell(id, false);
      break;
    case Letter::Kind::recall:
      // A lease that went back while the recall was under way is not recalled twice.
      lease.recalled = std::min(lease.recalled + letter.count, lease.held);
      book_->give_back_recalled(lease, out);
      book_->watch(id, now);
      book_->tell(id, false);
      break;
    case Letter::Kind::dead:
      lease.wanted = 0;
      book_->tell(id, true);
      break;
    case Letter::Kind::want:
    case Letter::Kind::back:
    case Letter::Kind::refused:
      CHECK(false && "a lender's letter came to a borrower");
  }
}

bool Borrower::take(DestinationId id, Key key, std::uint32_t limit, Instant now, std::vector<Letter>& out) {
  Lease& lease = book_->at(id);
  if (lease.key != key) {
    lease.key = key;
    book_->names[key] = id;
  }
  if (lease.held > lease.open + lease.recalled) {
    ++lease.open;
    return true;
  }
  const bool first = lease.wanted == 0;
  if (first || lease.limit != limit || now - lease.asked_at >= kAskAgain) {
    lease.wanted = std::max(lease.wanted, 1U);
    lease.limit = limit;
    lease.asked_at = now;
    book_->send(Letter::Kind::want, lease, first ? 1 : 0, limit, out);
  }
  return false;
}

void Borrower::closed(DestinationId id, Instant now, std::vector<Letter>& out) {
  Lease& lease = book_->at(id);
  CHECK(lease.open > 0);
  --lease.open;
  lease.idle_since = now;
  book_->give_back_recalled(lease, out);
  if (lease.held > lease.open) book_->watch(id, now);
}

void Borrower::refused(DestinationId id, Instant, std::vector<Letter>& out) {
  Lease& lease = book_->at(id);
  CHECK(lease.open > 0);
  --lease.open;
  --lease.held;
  lease.recalled = std::min(lease.recalled, lease.held);
  lease.wanted = 1;
  book_->send(Letter::Kind::refused, lease, 1, 0, out);
}

std::uint32_t Borrower::open(DestinationId id) const { return book_->at(id).open; }

std::uint32_t Borrower::must_end(DestinationId id, bool busy, Instant now) const {
  const Lease& lease = book_->at(id);
  return busy && now < lease.turn_over ? 0 : lease.recalled;
}

void Borrower::expire(Instant now, std::vector<Letter>& out) {
  std::optional<Instant> next;
  std::erase_if(book_->unused_or_recalled, [&](DestinationId id) {
    Lease& lease = book_->at(id);
    if (lease.held > lease.open && now >= lease.idle_since + kLeaseIdle) {
      const std::uint32_t unused = lease.held - lease.open;
      lease.held -= unused;
      lease.recalled = std::min(lease.recalled, lease.held);
      book_->send(Letter::Kind::back, lease, unused, 0, out);
    }
    if (lease.recalled > 0 && now >= lease.turn_over && !lease.turn_told) {
      lease.turn_told = true;
      book_->tell(id, false);
    }
    lease.watched = lease.held != lease.open || lease.recalled > 0;
    if (lease.held > lease.open || (lease.recalled > 0 && !lease.turn_told)) {
      const Instant due = lease.held > lease.open ? lease.idle_since + kLeaseIdle : lease.turn_over;
      if (!next || due < *next) next = due;
    }
    return !lease.watched;
  });
  if (next) next = std::max(*next, now + kExpireStep);
  book_->next = next;
}

std::optional<Instant> Borrower::next_time() const { return book_->next; }

bool Borrower::forget(DestinationId id) {
  Lease& lease = book_->at(id);
  if (lease.held > 0 || lease.open > 0 || lease.wanted > 0 || lease.has_news || lease.watched) return false;
  if (lease.key != 0) book_->names.erase(lease.key);
  lease = {};
  return true;
}

void Borrower::news(std::vector<News>& out) {
  for (const DestinationId id : book_->news) {
    Lease& lease = book_->at(id);
    out.push_back({id, lease.dead});
    lease.has_news = lease.dead = false;
  }
  book_->news.clear();
}

}  // namespace ringpost::pace
