// How many connections each core may have to each destination, so that the sum over the cores is never above the limit,
// at no instant. Each destination has one home core, by the hash of its name, which lends connections; every core (home
// too) borrows there. Pure: fed with letters, calls and the clock; what it wants sent comes out as letters.
//
//   Borrower ── want ────> Lender (home)    a core has mail for the destination and no connection left to open; while
//                                           it waits it asks again, for no more, with the limit as it is now
//   Lender ── grant ─────> Borrower         so many more
//   Lender ── recall ────> Borrower         somebody waits and nothing is left: give so many back
//   Borrower ── back ────> Lender           unused for kLeaseIdle, or recalled
//   Borrower ── refused ─> Lender           the destination took no connection for this lease, which comes back with it
//   Lender ── dead ──────> Borrower         ... and no core has one there: the destination cannot be reached
//
// A core keeps a recalled lease in use for at most kLeaseTurn after it got it, and gives an unused one back at once.
// The home serves who waits longest. A destination that refuses one more connection while others live is not dead: its
// limit is taken to be what it holds, for kRefusedFor.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "ringpost/base/bytes.h"
#include "ringpost/base/ids.h"
#include "ringpost/base/time.h"

namespace ringpost::pace {

inline constexpr Duration kLeaseIdle = 1s;
inline constexpr Duration kLeaseTurn = 1s;
inline constexpr Duration kRefusedFor = 60s;
inline constexpr Duration kExpireStep = 20ms;

// A destination as all cores call it.
using Key = std::uint64_t;
Key key_of(View name);
CoreId home_of(Key key, unsigned cores);

struct Letter {
  enum class Kind : std::uint8_t { want, back, refused, grant, recall, dead };
  Kind kind = Kind::want;
  CoreId from, to;
  Key key = 0;
  std::uint32_t count = 0;
  std::uint32_t limit = 0;  // want: the destination's limit as this core's config has it
};

// The home's book for the destinations it is home of.
class Lender {
 public:
  explicit Lender(CoreId self);
  ~Lender();
  // Takes want, back and refused; appends what must be sent.
  void receive(const Letter&, Instant now, std::vector<Letter>& out);
  [[nodiscard]] std::uint32_t lent(Key) const;

 private:
  struct Book;
  std::unique_ptr<Book> book_;
};

// One core's side.
class Borrower {
 public:
  Borrower(CoreId self, unsigned cores);
  ~Borrower();
  // Takes grant, recall and dead; what the core should do then is told by news().
  void receive(const Letter&, Instant now, std::vector<Letter>& out);

  // True: one more connection may be opened now, and counts as open until closed() or refused(). False: one was asked
  // for.
  bool take(DestinationId, Key, std::uint32_t limit, Instant now, std::vector<Letter>& out);
  // A connection that could be used is closed.
  void closed(DestinationId, Instant now, std::vector<Letter>& out);
  // The destination took no connection. Another one is asked for: a grant or dead will come.
  void refused(DestinationId, Instant now, std::vector<Letter>& out);
  [[nodiscard]] std::uint32_t open(DestinationId) const;
  // Connections that this core must end: all recalled ones when it has no mail for them (`busy` false), else those
  // whose turn is over.
  [[nodiscard]] std::uint32_t must_end(DestinationId, bool busy, Instant now) const;
  // Nothing is held, asked for or to be told: the id may come to mean another destination. False: it is too early.
  bool forget(DestinationId);
  // Gives back what was unused for kLeaseIdle. Call when next_time() has come; a turn of a recalled lease ends then
  // too. Not more often than each kExpireStep, however many leases there are.
  void expire(Instant now, std::vector<Letter>& out);
  [[nodiscard]] std::optional<Instant> next_time() const;

  // Destinations about which something came since the last call: dead, or (else) a grant or a recall.
  struct News {
    DestinationId destination;
    bool dead = false;
  };
  void news(std::vector<News>& out);

 private:
  struct Book;
  std::unique_ptr<Book> book_;
};

}  // namespace ringpost::pace
