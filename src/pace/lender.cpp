// Lender: the home's book. A loan per destination; it is forgotten when nothing is lent and nobody waits.
#include <algorithm>
#include <deque>
#include <unordered_map>

#include "ringpost/base/check.h"
#include "ringpost/pace.h"

namespace ringpost::pace {
namespace {

struct Holder {
  CoreId core;
  std::uint32_t lent = 0;
  std::uint32_t recalled = 0;  // of them: asked back and not here yet
};

struct Waiter {
  CoreId core;
  std::uint32_t count = 0;
};

struct Loan {
  std::uint32_t limit = 0;       // as the last want said
  std::uint32_t refused_at = 0;  // connections that the destination holds at most; 0: it never refused one
  Instant refused_until;
  std::uint32_t total = 0;      // lent
  std::vector<Holder> holders;  // at most one per core
  std::deque<Waiter> waiters;   // the longest wait first; at most one per core

  [[nodiscard]] std::uint32_t bound(Instant now) const {
    return refused_at != 0 && now < refused_until ? std::min(limit, refused_at) : limit;
  }
  Holder& holder(CoreId core) {
    for (Holder& h : holders)
      if (h.core == core) return h;
    return holders.emplace_back(Holder{core, 0, 0});
  }
};

}  // namespace

struct Lender::Book {
  CoreId self;
  std::unordered_map<Key, Loan> loans;

  void wait(Loan& loan, CoreId core, std::uint32_t count);
  void grant(Key key, Loan& loan, Instant now, std::vector<Letter>& out);
  void recall(Key key, Loan& loan, Instant now, std::vector<Letter>& out);
  void give_back(Loan& loan, CoreId core, std::uint32_t count);
  void refused(const Letter& letter, Loan& loan, Instant now, std::vector<Letter>& out);
};

// A want of 0 is a reminder: that core waits already, and its limit or the time may have changed what it can get.
void Lender::Book::wait(Loan& loan, CoreId core, std::uint32_t count) {
  if (count == 0) return;
  for (Waiter& waiter : loan.waiters) {
    if (waiter.core != core) continue;
    waiter.count += count;
    return;
  }
  loan.waiters.push_back({core, count});
}

// One lease at a time to whoever waits longest, who then goes to the end: small limits are shared out evenly.
void Lender::Book::grant(Key key, Loan& loan, Instant now, std::vector<Letter>& out) {
  while (!loan.waiters.empty() && loan.total < loan.bound(now)) {
    Waiter waiter = loan.waiters.front();
    loan.waiters.pop_front();
    ++loan.total;
    ++loan.holder(waiter.core).lent;
    out.push_back({Letter::Kind::grant, self, waiter.core, key, 1, 0});
    if (--waiter.count > 0) loan.waiters.push_back(waiter);
  }
}

// Each core that waits with less than an even part gets one back from the core that has most, as long as that one has
// more than the waiter would have; and what is lent above the bound comes back in any case.
void Lender::Book::recall(Key key, Loan& loan, Instant now, std::vector<Letter>& out) {
  std::uint32_t coming = 0;
  for (const Holder& holder : loan.holders) coming += holder.recalled;
  const auto take_from_most = [&](std::uint32_t above) {
    Holder* most = nullptr;
    for (Holder& holder : loan.holders)
      if (holder.lent - holder.recalled > above &&
          (most == nullptr || holder.lent - holder.recalled > most->lent - most->recalled))
        most = &holder;
    if (most == nullptr) return false;
    ++most->recalled;
    out.push_back({Letter::Kind::recall, self, most->core, key, 1, 0});
    return true;
  };
  for (std::uint32_t over = loan.total - std::min(loan.total, loan.bound(now)); over > coming; --over)
    if (!take_from_most(0)) return;
  std::uint32_t wanted = 0;
  for (const Waiter& waiter : loan.waiters) {
    const std::uint32_t has = loan.holder(waiter.core).lent;
    if (++wanted <= coming) continue;
    // With nothing in hand a waiter takes turns even with a core that has just one.
    take_from_most(has == 0 ? 0 : has + 1);
  }
}

void Lender::Book::give_back(Loan& loan, CoreId core, std::uint32_t count) {
  Holder& holder = loan.holder(core);
  CHECK(count <= holder.lent && holder.lent <= loan.total);
  holder.lent -= count;
  holder.recalled -= std::min(holder.recalled, count);
  loan.total -= count;
}

void Lender::Book::refused(const Letter& letter, Loan& loan, Instant now, std::vector<Letter>& out) {
  give_back(loan, letter.from, letter.count);
  if (loan.total == 0) {
    loan.refused_at = 0;
    std::erase_if(loan.waiters, [&](const Waiter& waiter) { return waiter.core == letter.from; });
    out.push_back({Letter::Kind::dead, self, letter.from, letter.key, 0, 0});
    return;
  }
  loan.refused_at = loan.total;
  loan.refused_until = now + kRefusedFor;
  wait(loan, letter.from, 1);
}

Lender::Lender(CoreId self) : book_(std::make_unique<Book>()) { book_->self = self; }
Lender::~Lender() = default;

void Lender::receive(const Letter& letter, Instant now, std::vector<Letter>& out) {
  Loan& loan = book_->loans[letter.key];
  switch (letter.kind) {
    case Letter::Kind::want:
      loan.limit = letter.limit;
      book_->wait(loan, letter.from, letter.count);
      break;
    case Letter::Kind::back:
      book_->give_back(loan, letter.from, letter.count);
      break;
    case Letter::Kind::refused:
      book_->refused(letter, loan, now, out);
      break;
    case Letter::Kind::grant:
    case Letter::Kind::recall:
    case Letter::Kind::dead:
      CHECK(false && "a borrower's letter came to a lender");
  }
  book_->grant(letter.key, loan, now, out);
  book_->recall(letter.key, loan, now, out);
  if (loan.total == 0 && loan.waiters.empty()) book_->loans.erase(letter.key);
}

std::uint32_t Lender::lent(Key key) const {
  const auto found = book_->loans.find(key);
  return found == book_->loans.end() ? 0 : found->second.total;
}

}  // namespace ringpost::pace
