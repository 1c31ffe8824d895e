// One segment file as the running spool sees it, and the ledger of what keeps segments alive.
//
// A segment is pinned by each live message whose record lies in it, by each state record that is the latest of a live
// message, and by each end record whose message's segment is not durably retired yet: as long as the message record can
// still be read by a recovery, the record that ends it must be readable too. With no pin and no reader it is recycled.
//
// The ledger owns index and segments; log, loader and recovery change it. Never does I/O. One thread.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "ringpost/base/list.h"
#include "ringpost/ring.h"
#include "spool/format.h"
#include "spool/index.h"

namespace ringpost::spool {

class Log;

struct Segment : Link<> {
  enum class State : std::uint8_t {
    closed,   // written, waits until nothing in it is alive
    current,  // batches go here
    spare,    // empty, durable, ready to become current
    leaving,  // being retired or deleted
  };

  std::uint32_t slot = 0;
  Log* log = nullptr;
  SegmentHeader header;
  ring::File file;
  State state = State::closed;
  bool quarantined = false;  // has a damaged stretch: kept for people, never recycled
  std::uint64_t used = kFirstBatch;
  std::uint32_t pins = 0;
  std::uint32_t readers = 0;
  // End records elsewhere for messages of this segment: segment slot and count. Released once this one is retired.
  struct EndPin {
    std::uint32_t slot;
    std::uint32_t count;
  };
  std::vector<EndPin> ends;

  [[nodiscard]] std::uint64_t room() const { return header.size - used; }
  [[nodiscard]] bool quiet() const { return state == State::closed && pins == 0 && readers == 0 && !quarantined; }
};

// Where a record lies: what the index keeps.
struct RecordPlace {
  std::uint32_t segment = kNoSegment;  // slot
  std::uint64_t offset = 0;            // octets, of the record's head
  std::uint32_t length = 0;            // octets, head included
};

class Ledger {
 public:
  explicit Ledger(std::size_t capacity) : index_(capacity) {}

  Index& index() { return index_; }
  [[nodiscard]] const Index& index() const { return index_; }
  Segment& add_segment();
  void drop_segment(Segment&);
  [[nodiscard]] Segment& segment(std::uint32_t slot) { return *segments_[slot]; }
  [[nodiscard]] std::size_t segment_count() const { return count_; }
  template <class Visit>
  void each_segment(Visit&& visit) {
    for (auto& segment : segments_)
      if (segment) visit(*segment);
  }

  // Records that have become durable (or were found by recovery), in log order. The entry, or null when the id is not
  // known (state and end: a legal thing to find) or the table is full (message).
  Entry* message(SpoolId id, const RecordPlace& at, bool large);
  Entry* state(SpoolId id, const RecordPlace& at);
  // What it was is in `gone`; false when not known.
  bool end(SpoolId id, std::uint32_t end_segment, Entry& gone);

  // The segment's records can be read by no recovery any more: the ends elsewhere that it kept alive are let go.
  void retired(Segment&);

  void pin(std::uint32_t slot) { ++segment(slot).pins; }
  void unpin(std::uint32_t slot);
  // Segments that have lost a pin since the last call and may be quiet now. The callback may change anything.
  template <class Visit>
  void each_loosened(Visit&& visit) {
    while (!loosened_.empty()) {
      const std::uint32_t slot = loosened_.back();
      loosened_.pop_back();
      if (slot < segments_.size() && segments_[slot] && segments_[slot]->quiet()) visit(*segments_[slot]);
    }
  }
  void loosen(const Segment& segment) { loosened_.push_back(segment.slot); }

 private:
  Index index_;
  std::vector<std::unique_ptr<Segment>> segments_;
  std::size_t count_ = 0;
  std::vector<std::uint32_t> loosened_;
};

}  // namespace ringpost::spool
