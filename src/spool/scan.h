// Reading a segment file by the rules of docs/spool-format.md: which batches are valid, which stretches are damaged,
// where the tail is cut. For recovery and for tools; changes nothing.
//
// Owns its window of the file. Never knows what is alive. Any thread, one at a time.
#pragma once

#include <cstdint>

#include "ringpost/base/slab.h"
#include "ringpost/ring.h"
#include "spool/format.h"

namespace ringpost::spool {

// A file seen through a buffer that moves forward. Blocks that the device cannot read are seen as zeros and remembered.
class FileWindow {
 public:
  FileWindow(ring::Files& files, ring::File file, std::uint64_t size);

  // The octets at `offset`, fewer at the end of the file; valid until the next call.
  View at(std::uint64_t offset, std::size_t length);
  [[nodiscard]] std::uint64_t size() const { return size_; }
  // End of the last unreadable block, 0: all that was looked at could be read.
  [[nodiscard]] std::uint64_t unreadable_end() const { return unreadable_end_; }
  [[nodiscard]] const Error& error() const { return error_; }

 private:
  static constexpr std::size_t kWindow = 4 * 1024 * 1024;
  void fill(std::uint64_t offset, std::size_t length);
  void fill_by_blocks(Room room, std::uint64_t offset);

  ring::Files& files_;
  ring::File file_;
  std::uint64_t size_;
  Reservation memory_;
  std::uint64_t begin_ = 0;
  std::size_t filled_ = 0;
  std::uint64_t unreadable_end_ = 0;
  Error error_;
};

// One record as it lies in a batch or in a damaged stretch.
struct FoundRecord {
  RecordHead head;
  std::uint64_t offset = 0;  // in the file
  View meta = {};
  View content = {};
  bool meta_good = false;
  bool content_good = false;
};

// Checks the record at the start of `octets`; nothing when there is no head with a right checksum.
std::optional<FoundRecord> look_at_record(View octets, std::uint64_t offset, std::uint64_t secret);

// Whether `octets` (head.length of them) is a whole batch: all records there, each with right checksums, and no other.
bool whole_batch(View octets, const BatchHead& head, std::uint64_t secret);

// Calls visit(FoundRecord) for each record of a whole batch.
template <class Visit>
void each_record(View octets, const BatchHead& head, std::uint64_t secret, Visit&& visit) {
  std::size_t at = kBatchHead;
  for (std::uint32_t i = 0; i < head.records; ++i) {
    const auto record = look_at_record(octets.substr(at), head.place.offset + at, secret);
    if (!record) return;
    visit(*record);
    at += round_up(record->head.total(), kRecordAlign);
  }
}

// Walks the batches of one life of one segment.
class SegmentScan {
 public:
  struct Step {
    enum class Kind { batch, damage, end };
    Kind kind = Kind::end;
    std::uint64_t offset = 0;  // batch, damage: where it begins; end: where the last valid batch ends
    std::uint64_t until = 0;   // damage: where the next valid batch begins
    BatchHead head = {};       // batch
    View octets = {};          // batch: with head, without padding; valid until the next call
  };

  SegmentScan(FileWindow& window, const SegmentHeader& header);
  Step next();

 private:
  [[nodiscard]] std::optional<BatchHead> batch_at(std::uint64_t offset);

  FileWindow& window_;
  const SegmentHeader& header_;
  std::uint64_t limit_;
  std::uint64_t at_ = kFirstBatch;
};

// Looks in a damaged stretch for records that are whole or at least can be named: visit(FoundRecord) for each head with
// a right checksum whose batch number lies in [first, last].
template <class Visit>
void each_record_in_damage(FileWindow& window, std::uint64_t from, std::uint64_t to, std::uint64_t secret,
                           std::uint64_t first, std::uint64_t last, Visit&& visit) {
  for (std::uint64_t at = from; at + kRecordHead <= to;) {
    const auto head = get_record_head(window.at(at, kRecordHead), secret);
    if (!head || head->sequence < first || head->sequence > last || at + head->total() > to) {
      at += kRecordAlign;
      continue;
    }
    visit(*look_at_record(window.at(at, head->total()), at, secret));
    at += round_up(head->total(), kRecordAlign);
  }
}

}  // namespace ringpost::spool
