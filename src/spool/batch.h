// One batch while it collects and while it is in flight: the octets as they will stand on disk, what they mean for the
// ledger once durable, and who waits for that.
//
// Owned by its log (two of them, which swap). Never does I/O. One thread.
#pragma once

#include <vector>

#include "ringpost/base/slab.h"
#include "ringpost/spool.h"
#include "spool/format.h"
#include "spool/index.h"
#include "spool/resident.h"

namespace ringpost::spool {

class Batch {
 public:
  // What one record of the batch means once it is durable.
  struct Effect {
    RecordKind kind = RecordKind::end;
    bool any_open = false;
    SpoolId id;
    std::uint32_t offset = 0;     // of its head in the batch
    std::uint32_t length = 0;     // octets with its head
    Resident* message = nullptr;  // held until then; null for a message that is not in memory
  };
  // Bounds the effects; a batch of the smallest records alone would be twice as many.
  static constexpr std::size_t kMostRecords = 16384;

  explicit Batch(std::size_t limit);

  // Makes room for a record and gives where its payload goes; null when it does not fit any more.
  char* add(const RecordHead& head, std::uint64_t secret, const Effect& effect);
  void wait(Commit& commit) { waits.push_back(commit); }
  [[nodiscard]] bool empty() const { return effects.empty(); }
  // So many more, together `octets` with their gaps.
  [[nodiscard]] bool fits(std::size_t octets, std::size_t records) const {
    return used_ + octets <= limit_ && effects.size() + records <= kMostRecords;
  }
  [[nodiscard]] std::size_t used() const { return used_; }
  [[nodiscard]] std::size_t padded() const { return round_up(used_, kBlock); }
  // Writes the head and zeroes the padding; the octets to write.
  View seal(BatchHead head, std::uint64_t secret);
  void clear(std::uint64_t next_sequence);

  std::uint64_t sequence = 0;
  bool urgent = false;  // somebody waits for it: no lingering for company
  Place place;          // once in flight
  std::uint32_t segment = kNoSegment;
  std::vector<Effect> effects;
  List<Commit, Commit> waits;

 private:
  std::size_t limit_;
  std::size_t used_ = kBatchHead;
  Reservation memory_;
  char* buffer_;
};

}  // namespace ringpost::spool
