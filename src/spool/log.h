// One log: the batch that collects, the batch in flight, the segment they go to, and the spare ones.
//
//   put_message / put_state / discard ──> open batch ──(deferred to the end of the turn)──> flight ──> ledger, waits
//
// Adaptive: a batch goes out at once when none is in flight and somebody waits for durability; state and end records
// alone linger up to kCommitInterval for such company. Without a segment the open batch waits for one to be made.
//
// Owned by the store. Knows no policy of what to accept: the store asks room() first. One thread.
#pragma once

#include <string>
#include <vector>

#include "ringpost/ring.h"
#include "spool/batch.h"
#include "spool/durable_write.h"
#include "spool/keeper.h"
#include "spool/maker.h"
#include "spool/segment.h"

namespace ringpost::spool {

class Store;

class Log {
 public:
  Log(Store& store, std::uint32_t number, std::string directory, ring::File directory_file);
  ~Log();

  // ---- records; each is taken up, at the latest when the batch in flight is durable
  void put_message(Resident& resident);                // with the state of the one beside; its waits complete with it
  void put_state(Resident& resident, Commit* commit);  // or its end, by what its state says
  void leave_waiting(Resident& changed);               // its state goes with the message that it has joined
  void put_end(SpoolId id);                            // of a message that may not be in memory

  // A new id. Never one that was given before.
  SpoolId next_id() { return SpoolId::make(static_cast<std::uint16_t>(number), next_count++); }

  // ---- what recovery found
  void begin(std::uint64_t secret, std::uint64_t count, std::uint64_t sequence, const Place& last);
  void use(Segment& segment);  // becomes current; open() and switching do that

  // ---- segments
  void add_spare(Segment& segment);  // from maker or keeper
  void consider(Segment& segment);   // it is quiet: retire or delete it
  void want_spares();                // starts the maker when too few are there
  // All ends asked for have found room in a batch.
  [[nodiscard]] bool takes_ends() const { return discards_.empty(); }
  // A batch waits for a segment that the disk has no room for.
  [[nodiscard]] bool starved_by_disk() const;
  [[nodiscard]] bool has_segment() const { return current_ != nullptr; }
  void add_recovered_spare(Segment& segment);
  // Octets that batches can still take without a new segment.
  [[nodiscard]] std::uint64_t room() const;
  [[nodiscard]] SegmentHeader fresh_header(std::uint64_t segment_number, std::uint64_t life, std::uint64_t size) const;

  [[nodiscard]] bool satisfied() const;  // nothing of it waits for disk space
  [[nodiscard]] bool idle() const;
  void go_again();  // after a full disk: writes the batch in flight again, or looks for a segment again
  void stop();      // fails all that waits

  const std::uint32_t number;
  std::string directory;
  ring::File directory_file;
  std::uint64_t secret = 0;
  std::uint64_t next_count = 1;
  std::uint64_t next_segment = 1;
  bool own = false;  // takes new messages

 private:
  bool add_message(Resident& resident);
  bool add_state(Resident& resident);
  bool add_end(SpoolId id);
  RecordHead encode_message(const Resident& resident);
  RecordHead encode_state(const Resident& resident);
  void write_message(Resident& resident, RecordHead head);
  void write_state(Resident& resident, RecordHead head);
  void added(bool urgent);
  void wait_for_room(Resident& resident, bool save);
  void take_up_waiting();
  void flush();
  void linger_over();
  bool find_segment(std::size_t octets);
  void send();
  void on_written(int error);
  void complete();
  void apply(const Batch::Effect& effect);
  void hand_out(Batch& batch, const Result<void>& result);
  static void written(void* owner, int error) { static_cast<Log*>(owner)->on_written(error); }

  Store& store_;
  std::uint64_t next_sequence_ = 1;
  Place last_;  // of the newest durable batch
  Segment* current_ = nullptr;
  List<Segment> spares_;
  std::size_t spare_count_ = 0;
  Batch one_;
  Batch two_;
  Batch* open_ = &one_;
  Batch* flight_ = &two_;
  bool flying_ = false;
  Instant flown_since_;
  bool flight_waits_ = false;  // for disk space, to be written again
  bool starved_ = false;
  bool lingered_ = false;  // state records have waited long enough
  View flight_octets_;
  List<Resident, WaitingTag> waiting_;
  std::vector<SpoolId> discards_;  // ends of messages not in memory that found no room
  ring::Deferred flush_{this, ring::call<&Log::flush>};
  ring::Timer linger_;
  DurableWrite write_;
  SegmentMaker maker_;
  Keeper keeper_;
};

}  // namespace ringpost::spool
