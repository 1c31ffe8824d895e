// Reads one log from its segments into a ledger, in log order: what recovery and the tools share. Changes nothing on
// disk.
//
//   headers → order of segments (by the first valid batch in each) → each batch, its records → ledger
//   A stretch without a valid batch that something valid follows is damage: what can be named in it is kept and marked.
//
// Owns the open files until they are taken. Any thread, one at a time.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "spool/scan.h"
#include "spool/segment.h"

namespace ringpost::spool {

struct FoundSegment {
  std::string path;
  SegmentHeader header = {};
  ring::File file = {};     // open for reading
  std::uint64_t size = 0;   // of the file
  std::uint64_t first = 0;  // sequence of its first valid batch; 0: none
  std::uint64_t valid_end = kFirstBatch;
  std::uint32_t slot = kNoSegment;  // in the ledger
  bool header_lost = false;         // both copies: life and size were told by its batches
};

class Replay {
 public:
  // A live message as it was found; views for the call.
  struct Live {
    Entry& entry;
    const message::Envelope& envelope;
    const message::State& state;
    const message::ContentFacts& facts;
    View trace;
    std::uint32_t content_crc;
    const FoundSegment& segment;
    std::uint64_t content_offset;  // in its segment, for a content in the log
  };

  Replay(ring::Files& files, std::string directory, std::uint32_t log, Ledger& ledger, Recovery& recovery);
  ~Replay();

  Result<void> run();
  // Each live message in order of acceptance. One that cannot be read is marked and counted instead.
  void each_live(const std::function<void(const Live&)>& visit);

  std::vector<FoundSegment> segments;   // those with batches in log order, then the empty ones
  std::vector<std::string> unfinished;  // files of segments whose making was cut
  std::uint64_t secret = 0;             // 0: no segment told one
  std::uint64_t next_count = 1;
  std::uint64_t next_sequence = 1;
  std::uint64_t next_segment = 1;
  Place last;            // of the newest valid batch
  bool damaged = false;  // something in this log was once durable and cannot be read

 private:
  Result<void> read_header(const std::string& name, std::uint64_t number);
  void find_life(FoundSegment& segment);
  void find_first(FoundSegment& segment);
  Result<void> read_segment(FoundSegment& segment);
  Result<void> apply_batch(FoundSegment& segment, FileWindow& window, const SegmentScan::Step& step);
  Result<void> apply(FoundSegment& segment, const FoundRecord& record);
  Result<void> salvage(FoundSegment& segment, FileWindow& window, std::uint64_t from, std::uint64_t to,
                       std::uint64_t before);
  Result<void> look_behind(const BatchHead& head);
  [[nodiscard]] bool read_state(const Entry& entry, message::State& state);
  [[nodiscard]] FoundSegment* by_slot(std::uint32_t slot);

  ring::Files& files_;
  std::string directory_;
  std::uint32_t log_;
  Ledger& ledger_;
  Recovery& recovery_;
  std::uint64_t last_sequence_ = 0;  // of the batch applied last
  std::string scratch_;
};

}  // namespace ringpost::spool
