// What stands behind spool::Spool: one of each of the room's parts, and what they tell each other. The face's functions
// are thin over it (spool.cpp).
//
// Owned by Spool::Parts. One thread.
#pragma once

#include <deque>
#include <memory>
#include <vector>

#include "ringpost/ring.h"
#include "spool/chunks.h"
#include "spool/large.h"
#include "spool/loader.h"
#include "spool/log.h"
#include "spool/resident.h"
#include "spool/segment.h"

namespace ringpost::spool {

inline constexpr Duration kSpaceCheck = 1s;      // how often the file system's free space is looked at
inline constexpr std::size_t kSparesWanted = 2;  // segments ready: one for mail, one so that outcomes find room
inline constexpr std::size_t kSparesKept = 4;    // recycled ones beyond are deleted
inline constexpr std::size_t kPoolReserve = 16;  // 1/16 of messages and chunks is kept from new mail, for deliveries
inline constexpr std::size_t kSpillBelow = 8;    // below 1/8 of free chunks contents spill early
// Entries of the index kept from new mail: without one for its DSN, a spool full of mail that fails would stay full.
inline constexpr std::size_t kIndexReserve = 64;  // 1/64 of them
inline constexpr std::size_t kIndexReserveMost = 1024;

class Store {
 public:
  Store(ring::Ring& ring, const Options& options);
  ~Store();

  // ---- told by the parts
  void stop(const Error& error);     // a write or sync failed: for good
  void no_space();                   // ENOSPC, EDQUOT: until the next look finds room
  void spilled(Resident& resident);  // its large file is durable, or failed
  void loosened();                   // segments may have become quiet
  void freed() {                     // a message, a chunk, an index entry, disk: may end a refusal
    if (refused_) ring.defer(relief_);
  }
  void ended(const Entry& gone);  // an end record is durable

  // ---- asked by the face
  [[nodiscard]] Refusal refusal();
  [[nodiscard]] Refusal refusal_now() const;
  // The same for a message that goes into `log` beside the state of another.
  [[nodiscard]] bool refuses_beside(const Log& log) const;
  [[nodiscard]] Log* log_of(SpoolId id) const;
  [[nodiscard]] bool room_for_message(const Log& log) const;
  void commit(Resident& resident, Commit& commit);
  void commit_beside(Resident& made, Resident& changed, Commit& commit);
  void save(Resident& resident, Commit* commit);
  [[nodiscard]] bool takes_outcomes() const;
  void fail_commits(Resident& resident, int code, View text);  // its message does not come to be
  void fail_waits(Resident& resident, const Error& error);     // at the end of the turn
  [[nodiscard]] bool idle() const;
  void check_space();
  // So many octets of the file system are being taken: between two looks at its free space this is what is known.
  void takes_space(std::uint64_t octets);
  [[nodiscard]] std::size_t batch_limit() const { return batch_limit_; }
  [[nodiscard]] std::size_t gather_limit() const { return gather_limit_; }
  [[nodiscard]] bool stopped() const { return stopped_; }
  [[nodiscard]] const Error& failure() const { return failure_; }
  [[nodiscard]] bool disk_full() const { return no_space_ || space_low_; }
  [[nodiscard]] View zeros() const { return {reinterpret_cast<const char*>(zeros_.data()), zeros_.size()}; }

  ring::Ring& ring;
  const Options options;
  Ledger ledger;
  ChunkPool chunks;
  ResidentPool residents;
  LargeRemover large;
  ReadWindows windows;
  Loader loader;
  std::vector<std::unique_ptr<Log>> logs;
  Log* own = nullptr;
  ring::File large_directory;
  Statistics statistics;
  std::string scratch;        // encodings on their way into a batch: of a message's meta part
  std::string scratch_state;  // and of a state
  std::size_t drafts = 0;     // begun, not in the index yet
  std::size_t spills = 0;     // in flight
  void* failure_owner = nullptr;
  void (*on_failure)(void*, const Error&) = nullptr;
  void* relief_owner = nullptr;
  void (*on_relief)(void*) = nullptr;

 private:
  void relieve();
  void tell_failure();
  void tell_failed();
  struct Failing {
    Resident* resident;
    Error error;
  };

  const std::size_t batch_limit_;
  const std::size_t gather_limit_;
  bool stopped_ = false;
  bool no_space_ = false;
  bool space_low_ = false;
  std::uint64_t space_above_reserve_ = UINT64_MAX;  // at the last look
  std::uint64_t space_taken_ = 0;                   // by us since then
  bool refused_ = false;
  Error failure_;
  std::vector<Failing> failing_;  // commits that fail by themselves, to be told at the end of the turn
  Reservation zeros_;
  ring::Deferred relief_{this, ring::call<&Store::relieve>};
  ring::Deferred fail_told_{this, ring::call<&Store::tell_failed>};
  ring::Deferred failure_told_{this, ring::call<&Store::tell_failure>};
  ring::Timer space_timer_{this, ring::call<&Store::check_space>};
};

}  // namespace ringpost::spool
