// Large files beside their spills: removing those whose message is over, and the windows through which they are read
// out.
//
// Owned by the store. One thread.
#pragma once

#include <deque>
#include <string>
#include <vector>

#include "ringpost/base/list.h"
#include "ringpost/base/slab.h"
#include "ringpost/ring.h"
#include "ringpost/spool.h"

namespace ringpost::spool {

class Store;

// Removes files one after the other. A crash before a file is gone leaves an orphan, which the next recovery removes.
class LargeRemover {
 public:
  explicit LargeRemover(Store& store) : store_(store) {}
  void remove(SpoolId id);
  [[nodiscard]] bool busy() const { return operation_.in_kernel() || !waiting_.empty(); }

 private:
  void next();
  void on_removed(const ring::Completion& done);

  Store& store_;
  std::deque<SpoolId> waiting_;
  std::string path_;
  ring::Operation operation_{this, ring::handler<&LargeRemover::on_removed>};
};

struct WindowWait : Link<WindowWait> {
  void* owner = nullptr;
  void (*granted)(void* owner, char* windows) = nullptr;
};

// Pairs of read windows, a fixed number: so that a thousand deliveries of large contents at once cost no more memory
// than kPairs of them; the others wait their turn.
class ReadWindows {
 public:
  static constexpr std::size_t kPairs = 64;
  static constexpr std::size_t kPairOctets = 2 * Reader::kReadWindow;

  ReadWindows() : memory_(kPairs * kPairOctets) {}
  // 2 * kReadWindow octets, aligned to a block; null: `wait` gets its turn.
  char* take(WindowWait& wait);
  void give(char* windows);

 private:
  Reservation memory_;
  std::size_t touched_ = 0;
  std::vector<char*> free_;
  List<WindowWait, WindowWait> waiting_;
};

}  // namespace ringpost::spool
