// The simulated disk: files and directories with the durability that a file system promises, and no more.
//
// What was written is seen by every reader at once, as through a page cache. What is on the medium is another matter:
// each write stays unsynced until a sync that began after it completed (or its own RWF_DSYNC) completes, and a
// directory entry until its directory is synced. When the power goes, each unsynced 512-octet sector, each change of
// a size and each directory change survives or not, one by one, as the caller's Survivors say. A sync that fails
// loses what it should have written, and a second sync will not bring it back: as Linux does it.
//
// The disk outlives the simulated process: World::kill and World::lose_power end the process, the disk stays.
// Calls come through files() (at once) or, from SimRing, in two halves (begin… / finish) so that the power may go
// between them. One thread, no real I/O.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <limits>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "ringpost/ring.h"

namespace ringpost::sim {

// The calls that can be counted, failed and cut at.
enum class DiskCall : std::uint8_t {
  open,
  read,
  write,
  sync,
  allocate,
  remove,
  rename,
  make_directory,
  list,
  lock,
  size,
  truncate,
  space,
  change,  // any of write, sync, allocate, truncate, remove, rename, make_directory and an open that creates
  any,
};
inline constexpr std::size_t kDiskCalls = static_cast<std::size_t>(DiskCall::any) + 1;

// Asked once for each thing that was not synced when the power went, in a fixed order: does it survive?
using Survivors = std::move_only_function<bool()>;
Survivors survive_none();
Survivors survive_all();
Survivors survive_by_chance(std::uint64_t seed, std::uint64_t percent = 50);
Survivors survive_by_bits(std::uint64_t bits);  // the n-th thing survives when bit n (modulo 64) is set

// Chances of faults that nobody planned, in a million calls each.
struct DiskFaults {
  unsigned open_error = 0;
  unsigned read_error = 0;
  unsigned write_error = 0;  // EIO; some of the octets may have been written
  unsigned no_space = 0;     // ENOSPC on a write or allocate
  unsigned quota = 0;        // EDQUOT on a write or allocate
  unsigned short_write = 0;
  unsigned sync_error = 0;
  unsigned stall = 0;  // the call takes up to `stall_most`
};

// How long calls of a ring take; calls of Files take no virtual time.
struct DiskTiming {
  Duration least = 40us;
  Duration most = 400us;
  Duration sync_most = 3ms;
  Duration stall_most = 2s;
};

// A disk that does not do what it says, for canaries.
enum class DiskLie : std::uint8_t {
  no,
  not_durable,  // a durable write or a sync completes, and nothing was made durable
  drops_some,   // one write in 200 is said to be done, and is not
};

// A call between its two halves.
struct DiskWork {
  int result = 0;  // what it will complete with: as the system call, or -errno
  DiskCall call = DiskCall::any;
  std::uint64_t inode = 0;
  std::uint64_t write = 0;              // of a write: its number
  std::uint64_t before = 0;             // of a sync: covers writes below this number …
  std::vector<std::uint64_t> except{};  // … that were not in flight when it began
  std::uint64_t offset = 0;
  Room room{};  // of a read: filled by finish()
  bool durable = false;
  bool failed_sync = false;
};

class Disk {
 public:
  static constexpr std::size_t kSector = 512;
  static constexpr int kFirstFile = 1 << 30;  // descriptors of files; those of sockets are below

  explicit Disk(std::uint64_t seed);
  ~Disk();
  Disk(const Disk&) = delete;
  Disk& operator=(const Disk&) = delete;

  // ---- the set-up of a test
  void prepare_directory(const std::string& path);  // with parents, durable
  void set_capacity(std::uint64_t octets) { capacity_ = octets; }
  [[nodiscard]] DiskFaults& faults() { return faults_; }
  [[nodiscard]] DiskTiming& timing() { return timing_; }
  void lie(DiskLie how) { lie_ = how; }
  // O_DIRECT is refused with EINVAL, as on tmpfs of old kernels.
  void refuse_direct(bool on) { refuse_direct_ = on; }

  // ---- planned faults; `nth` counts such calls from now on, 1 is the next one
  // The nth call fails with `code`, and those after it until `times` have failed.
  void fail(DiskCall, std::uint64_t nth, int code, std::uint64_t times = 1);
  void fail_from(DiskCall call, std::uint64_t nth, int code) {
    fail(call, nth, code, std::numeric_limits<std::uint64_t>::max());
  }
  void heal() {
    planned_.clear();
    faults_ = {};
  }
  // The power goes just when the nth call has begun: what it writes is unsynced and may survive in part. From then
  // on every call fails and World runs nothing, until World::lose_power() or lose_power() here.
  void cut_at(DiskCall, std::uint64_t nth);
  void never_cut() { cut_.left = 0; }
  [[nodiscard]] bool cut() const { return off_; }

  // ---- counts since the disk was made
  [[nodiscard]] std::uint64_t calls(DiskCall call) const { return counts_[static_cast<std::size_t>(call)]; }
  [[nodiscard]] std::size_t unsynced() const;  // things that Survivors would be asked about now, at most
  [[nodiscard]] std::uint64_t used() const;    // octets

  // ---- the ends of a process
  void lose_power(Survivors);
  void kill_process();  // descriptors and locks go, the page cache stays

  // ---- from outside: what an observer, or a fault of the medium, sees and does
  [[nodiscard]] bool exists(const std::string& path) const;
  [[nodiscard]] std::string contents(const std::string& path) const;  // CHECK: exists
  // Octets on the medium change without a call (a flipped bit, a stale or misdirected block), durably.
  void damage(const std::string& path, std::uint64_t offset, View octets);

  [[nodiscard]] ring::Files& files();

  // ---- for SimRing: the two halves of a call
  Result<ring::File> open(const std::string& path, ring::Files::Open mode);  // whole in begin
  DiskWork begin_read(ring::File, Room, std::uint64_t offset);
  DiskWork begin_write(ring::File, View, std::uint64_t offset, bool durable);
  DiskWork begin_sync(ring::File);
  int allocate(ring::File, std::uint64_t size);
  int truncate(ring::File, std::uint64_t size);  // durable at once: nobody here relies on a length that came back
  int remove(const std::string& path);
  void finish(DiskWork&);
  void close(ring::File);
  [[nodiscard]] Duration latency(DiskCall);

 private:
  friend class SimFiles;
  struct Inode;
  struct Handle {
    std::uint64_t inode = 0;
    ring::Files::Open mode = ring::Files::Open::read;
    bool locked = false;
  };
  struct Change {  // of one directory entry; inode 0: the entry goes
    std::uint64_t directory = 0;
    std::string name;
    std::uint64_t inode = 0;
  };
  struct Planned {
    DiskCall call = DiskCall::any;
    std::uint64_t skip = 0;
    std::uint64_t times = 0;
    int code = 0;
  };
  struct Cut {
    DiskCall call = DiskCall::any;
    std::uint64_t left = 0;  // 0: none planned
  };
  struct Place {  // of a path: the directory that holds it, the last name, the inode (0: none such)
    std::uint64_t directory = 0;
    std::string name;
    std::uint64_t inode = 0;
  };

  int enter(DiskCall call, bool changes);  // counts; 0, or the -errno that was planned or drawn
  int drawn_fault(DiskCall call);
  [[nodiscard]] Place find(const std::string& path) const;
  Inode& node(std::uint64_t id) const;
  Handle* handle(ring::File);
  Inode& make(const Place&, bool directory);
  void change(std::vector<Change>);
  static void apply(Inode& directory, const Change&, bool durable);
  void apply_durable(const std::vector<Change>&);
  int make_directory(const std::string& path);
  int rename(const std::string& from, const std::string& to);
  ring::File add_handle(std::uint64_t inode, ring::Files::Open mode);
  std::size_t fitting(const Inode&, std::uint64_t offset, std::size_t length) const;
  void put(Inode&, std::uint64_t offset, View octets, DiskWork&);
  void finish_sync(Inode&, DiskWork&);
  static std::unexpected<Error> fail_with(int result, const std::string& path);
  void collect();  // forgets inodes that nothing can reach any more

  Random random_;
  DiskFaults faults_;
  DiskTiming timing_;
  std::uint64_t capacity_ = std::uint64_t{1} << 40;
  bool refuse_direct_ = false;
  bool off_ = false;
  DiskLie lie_ = DiskLie::no;
  Cut cut_;
  std::vector<Planned> planned_;
  std::array<std::uint64_t, kDiskCalls> counts_{};
  std::map<std::uint64_t, std::unique_ptr<Inode>> inodes_;
  std::vector<std::vector<Change>> changes_;  // of directories, not yet durable, in order; each survives as a whole
  std::map<int, Handle> handles_;
  int next_fd_ = kFirstFile;
  int first_fd_ = kFirstFile;  // of this life of the process
  std::uint64_t next_inode_ = 2;
  std::uint64_t next_write_ = 1;
  std::unique_ptr<ring::Files> files_;  // made when first asked for
};

}  // namespace ringpost::sim
