// How many connections each core may have to each destination, so that the sum over the cores is never above the limit,
// at no instant. Each destination has one home core, by the hash of its name, which lends connections; every core (home
// too) borrows there. Pure: fed with letters, calls and the clock; what it wants sent comes out as letters.
//
//   Borrower ── want ──> Lender (home)      a core has mail for the destination and no connection left to open
//   Lender ── grant ──> Borrower            so many more
//   Lender ── recall ──> Borrower           somebody waits and nothing is left: give one back soon
//   Borrower ── back ──> Lender             unused for kLeaseIdle, recalled, or no longer wanted
//
// A recalled core gives back an idle connection at once, or the next one whose current messages are done: a core that
// waits gets its turn after at most kLeaseTurn. The home takes turns by who waits longest.
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
inline constexpr Duration kLeaseTurn = 1s;  // a core that holds a recalled lease may use it so long before it must end

// A destination as all cores call it.
using Key = std::uint64_t;
Key key_of(View name);
CoreId home_of(Key key, unsigned cores);

struct Letter {
  enum class Kind : std::uint8_t { want, grant, recall, back, unwant };
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
  // Takes want, back, unwant; appends what must be sent.
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
  // Takes grant and recall. Returns through the reads below what the core should do now.
  void receive(const Letter&, Instant now, std::vector<Letter>& out);

  // True: one more connection may be opened now, and counts as open until closed(). False: asked for one; grants come by
  // receive(), after which granted() is true.
  bool take(DestinationId, Key, std::uint32_t limit, Instant now, std::vector<Letter>& out);
  // A connection was closed (or was never made).
  void closed(DestinationId, Instant now, std::vector<Letter>& out);
  // No mail for it any more: whatever is asked for and not here yet will be given back.
  void no_longer_wanted(DestinationId, std::vector<Letter>& out);
  // Leases that must be given back and are still in use: the core closes idle connections, or ends busy ones when their
  // messages are done (at the latest after kLeaseTurn: until then they take no new message).
  [[nodiscard]] std::uint32_t recalled(DestinationId) const;
  [[nodiscard]] std::uint32_t open(DestinationId) const;
  // Gives back what was unused for kLeaseIdle. Call when next_idle() has come.
  void expire(Instant now, std::vector<Letter>& out);
  [[nodiscard]] std::optional<Instant> next_idle() const;
  // Destinations that can open a connection since the last call (a grant came).
  void granted(std::vector<DestinationId>& out);
  [[nodiscard]] DestinationId destination_of(Key) const;

 private:
  struct Book;
  std::unique_ptr<Book> book_;
};

}  // namespace ringpost::pace
