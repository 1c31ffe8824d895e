// Removing large files; lending read windows.
#include "spool/large.h"

#include <cerrno>

#include "spool/format.h"
#include "spool/store.h"

namespace ringpost::spool {

void LargeRemover::remove(SpoolId id) {
  waiting_.push_back(id);
  if (!operation_.in_kernel()) next();
}

void LargeRemover::next() {
  if (waiting_.empty() || store_.stopped()) return;
  path_ = large_path(store_.options.directory, waiting_.front());
  waiting_.pop_front();
  store_.ring.remove(operation_, path_.c_str());
}

// What cannot be removed is an orphan: not worth stopping for, and the next recovery tries again.
void LargeRemover::on_removed(const ring::Completion&) {
  store_.freed();
  next();
}

char* ReadWindows::take(WindowWait& wait) {
  if (!free_.empty()) {
    char* windows = free_.back();
    free_.pop_back();
    return windows;
  }
  if (touched_ < kPairs) return reinterpret_cast<char*>(memory_.data()) + kPairOctets * touched_++;
  waiting_.push_back(wait);
  return nullptr;
}

void ReadWindows::give(char* windows) {
  if (waiting_.empty()) return free_.push_back(windows);
  WindowWait& next = waiting_.pop_front();
  next.granted(next.owner, windows);
}

}  // namespace ringpost::spool
