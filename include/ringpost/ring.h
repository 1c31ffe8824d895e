// The event loop of one core, as all other rooms see it: sockets, files, timers, other cores, helper threads,
// the clock and chance. Two implementations stand behind this face: the kernel's (io_uring; this room is the
// only one that knows liburing) and the simulator's (tests/sim: virtual time, seeded faults).
//
// The shape of a turn: completions are handed to their operations' handlers, then due timers run, then mail from
// other cores, then the deferred work of this turn (one send per connection, one batch per log), then everything
// queued is submitted in one system call that also waits for what comes next.
//
// Thread rule: a Ring and all that hangs on it belong to the thread that runs it. Only `mail_to` of another ring's
// core and work given to `help` cross threads, and the ring does that crossing.
//
// Never here: SMTP, mail, policy.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <sys/uio.h>

#include "ringpost/base/address.h"
#include "ringpost/base/bytes.h"
#include "ringpost/base/check.h"
#include "ringpost/base/fd.h"
#include "ringpost/base/ids.h"
#include "ringpost/base/limits.h"
#include "ringpost/base/list.h"
#include "ringpost/base/random.h"
#include "ringpost/base/result.h"
#include "ringpost/base/time.h"

namespace ringpost::ring {

// A socket or a file as this ring names it. In a simulated ring the number is the simulator's own.
struct Socket {
  int fd = -1;
  bool datagram = false;  // from datagram_to()
  [[nodiscard]] bool open() const { return fd >= 0; }
};
struct File {
  int fd = -1;
  [[nodiscard]] bool open() const { return fd >= 0; }
};

// What came of an operation.
struct Completion {
  int result = 0;     // as the system call: octets, descriptor or 0; -errno when it failed
  View received;      // receive() only: the octets, in a buffer of the ring; valid until the handler returns
  bool final = true;  // false: accept() or receive() stays armed and will complete again
};

// One thing the kernel may be doing for an owner: a named member of the owner, which must stay where it is while
// in_kernel(). Destroying it before its final completion is a bug (CHECK): whoever frees an owner waits until each
// of its operations is back, cancelled or not.
class Operation {
 public:
  using Handler = void (*)(void* owner, const Completion&);

  Operation(void* owner, Handler handler) : owner_(owner), handler_(handler) {}
  Operation(const Operation&) = delete;
  Operation& operator=(const Operation&) = delete;
  ~Operation() { RINGPOST_CHECK(!in_kernel()); }

  [[nodiscard]] bool in_kernel() const { return slot_ != kIdle; }

 private:
  friend class Ring;
  static constexpr std::uint32_t kIdle = UINT32_MAX;
  void* owner_;
  Handler handler_;
  std::uint32_t slot_ = kIdle;
};

// handler<&Connection::on_receive> makes a member function a Handler:
//   ring::Operation receive_{this, ring::handler<&Connection::on_receive>};
template <auto Method>
struct HandlerOf;
template <class Owner, void (Owner::*Method)(const Completion&)>
struct HandlerOf<Method> {
  static void call(void* owner, const Completion& done) { (static_cast<Owner*>(owner)->*Method)(done); }
};
template <auto Method>
inline constexpr Operation::Handler handler = &HandlerOf<Method>::call;

// call<&Owner::method> for the handlers that take no completion (timers, deferred work).
using Action = void (*)(void* owner);
template <auto Method>
struct ActionOf;
template <class Owner, void (Owner::*Method)()>
struct ActionOf<Method> {
  static void call(void* owner) { (static_cast<Owner*>(owner)->*Method)(); }
};
template <auto Method>
inline constexpr Action call = &ActionOf<Method>::call;

// Calls its owner once when its time has come. Costs nothing while not armed; disarms itself when destroyed.
// Accurate to kTimerTick, never early.
class Timer : public Link<Timer> {
 public:
  Timer(void* owner, Action action) : owner_(owner), action_(action) {}
  [[nodiscard]] bool armed() const { return linked(); }
  void disarm() { unlink(); }
  [[nodiscard]] Instant due() const { return due_; }

 private:
  friend class TimerWheel;
  void* owner_;
  Action action_;
  Instant due_;
};
inline constexpr Duration kTimerTick = 4ms;

// Work put off to the end of this turn, in the order of asking, at most once a turn each: what is asked for again
// after it ran waits for the next turn's end, which then comes without sleeping.
class Deferred : public Link<Deferred> {
 public:
  Deferred(void* owner, Action action) : owner_(owner), action_(action) {}

 private:
  friend class Ring;
  void* owner_;
  Action action_;
  std::uint64_t round_ = 0;  // the run_deferred() that ran it last
};

// A letter from one core to another, or to itself. What `kind` and `words` mean is the agreement of sender and
// receiver; `pointer` owns nothing by itself.
struct Mail {
  std::uint32_t kind = 0;
  CoreId from{};
  std::array<std::uint64_t, 5> words{};
  void* pointer = nullptr;
};

// Armed timers in order of time: a hierarchical wheel, O(1) to arm and disarm. Part of every Ring; public for its
// own test.
class TimerWheel {
 public:
  TimerWheel();
  ~TimerWheel();
  void arm(Timer&, Instant due);  // re-arms one that is armed
  // The time until the next timer is due (at the latest: it may wake early to cascade); nullopt when none is armed.
  [[nodiscard]] std::optional<Instant> next() const;
  // Runs what is due at `now`, in order of ticks.
  void run(Instant now);

 private:
  struct Levels;
  std::unique_ptr<Levels> levels_;
};

// Files without waiting in the loop's turn: for start, recovery and tools, before the loop runs or for calls that
// do not block in practice. Every failure carries errno and the path.
class Files {
 public:
  enum class Open {
    read,          // existing, read only
    read_direct,   // the same, past the page cache where the file system can (else as read)
    write,         // existing, read and write
    write_direct,  // the same with O_DIRECT; EINVAL where the file system has none
    create,        // must not exist yet; read and write
    append,        // created when missing, 0640; each write goes to the end
    directory,     // for sync()
  };
  struct Space {
    std::uint64_t free_octets = 0;  // that we may use (f_bavail)
    std::uint64_t free_inodes = 0;
  };

  virtual ~Files() = default;
  virtual Result<File> open(const std::string& path, Open mode) = 0;
  virtual void close(File) = 0;
  // Reads until `room` is full or the file ends; gives the octets read.
  virtual Result<std::size_t> read(File, Room room, std::uint64_t offset) = 0;
  virtual Result<void> write(File, View octets, std::uint64_t offset) = 0;  // all of it
  virtual Result<void> allocate(File, std::uint64_t size) = 0;              // posix_fallocate; ENOSPC when full
  virtual Result<void> truncate(File, std::uint64_t size) = 0;              // to less
  virtual Result<void> sync(File) = 0;                                      // fdatasync; fsync for a directory
  virtual Result<std::uint64_t> size(File) = 0;
  virtual Result<std::vector<std::string>> list(const std::string& directory) = 0;  // names without . and ..
  virtual Result<void> make_directory(const std::string& path) = 0;  // with parents; 0750; one that exists is fine
  virtual Result<void> remove(const std::string& path) = 0;
  virtual Result<void> rename(const std::string& from, const std::string& to) = 0;
  // An exclusive lock on `path` (created when missing), held until close; EWOULDBLOCK: another process has it.
  virtual Result<File> lock(const std::string& path) = 0;
  virtual Result<Space> space(const std::string& directory) = 0;
};

// The real file system. Any thread.
Files& kernel_files();

struct ListenOptions {
  int backlog = 4096;
  bool share_port = true;  // SO_REUSEPORT: each core has its own listener on the same address
};

// Counts since start and, where "now" stands, of this moment; for metrics. Plain integers of the loop's thread.
struct Statistics {
  std::uint64_t turns = 0;
  std::uint64_t completions = 0;
  std::uint64_t submissions = 0;
  std::uint64_t buffers_exhausted = 0;  // times a receive was parked because no provided buffer was left
  std::uint64_t completion_overflows = 0;
  std::uint64_t receives_parked = 0;  // now: receives that wait for a buffer
  std::uint64_t operations = 0;       // now: in flight, since the last turn
  std::uint64_t receive_buffers = 0;  // of the kernel to fill
};

class Ring {
 public:
  virtual ~Ring() = default;
  Ring(const Ring&) = delete;
  Ring& operator=(const Ring&) = delete;

  // ---- this loop
  [[nodiscard]] CoreId core() const { return core_; }
  [[nodiscard]] unsigned cores() const { return cores_; }  // loops in this process
  [[nodiscard]] Instant now() const { return now_; }       // read once a turn
  [[nodiscard]] virtual WallTime wall() const = 0;         // likewise
  [[nodiscard]] Random& random() { return random_; }
  [[nodiscard]] const Statistics& statistics() const { return statistics_; }
  // Runs turns until stop(); the loop that returns has no operation in flight that was not cancelled and awaited.
  virtual void run() = 0;
  void stop() { stopping_ = true; }

  // ---- time and order
  void arm(Timer& timer, Instant due) { timers_.arm(timer, due); }
  void arm(Timer& timer, Duration from_now) { timers_.arm(timer, now_ + from_now); }
  void defer(Deferred& work) {
    if (!work.linked()) deferred_.push_back(work);
  }

  // ---- sockets
  // A bound, listening TCP socket: made here, or one that the process was given (Fleet::give).
  virtual Result<Socket> listen(const SocketAddress&, const ListenOptions&) = 0;
  // A bound, listening UNIX stream socket at `path`, 0660; a stale one that nobody answers on is replaced.
  virtual Result<Socket> listen_local(const std::string& path) = 0;
  // The address a socket is bound to: the port the kernel chose for port 0.
  virtual Result<SocketAddress> local_address(Socket) = 0;
  virtual Result<SocketAddress> peer_address(Socket) = 0;
  // Completes with a new socket (result = descriptor) for each connection, until cancelled. On EMFILE, ENFILE,
  // ENOBUFS and ENOMEM the ring waits kAcceptPause and goes on by itself; it completes finally only when cancelled
  // or when the listener is unusable.
  virtual void accept(Operation&, Socket listener) = 0;
  // An unconnected stream socket for `remote`'s family, bound to `source` unless that is unspecified. EMFILE and the
  // like come back as errors.
  virtual Result<Socket> socket_to(const SocketAddress& remote, const SocketAddress& source) = 0;
  // A UDP socket that speaks with `remote` alone: the kernel chose its port at random and drops what others send. Ready
  // at once, and nothing has been sent: local_address() says from where this machine would reach `remote`, and an error
  // (ENETUNREACH) that it would not. send() sends one datagram, receive() completes with one each time (cut off at
  // kReceiveBufferSize), finally with 0 for an empty one or -ECONNREFUSED and the like: it may then be called again.
  virtual Result<Socket> datagram_to(const SocketAddress& remote) = 0;
  // Completes with 0 when connected. `remote` is copied.
  virtual void connect(Operation&, Socket, const SocketAddress& remote) = 0;
  // Completes with octets each time some arrive; finally with result 0 at the peer's end of stream, -errno, or
  // -ECANCELED. After cancel() some completions with octets may still come before the final one, at most
  // kReceiveAfterCancel octets: the owner keeps them. Out of provided buffers the ring parks and resumes by itself.
  virtual void receive(Operation&, Socket) = 0;
  // Sends all of `pieces` (kernel's iovec; at most kSendPieces) or fails; completes with the octets sent or -errno.
  // The array is copied; the octets stay untouched until the completion. One send in flight per socket.
  virtual void send(Operation&, Socket, std::span<const iovec> pieces) = 0;
  // Says to the peer that we write no more (FIN). Errors are ignored: a broken socket shows in its operations.
  virtual void shutdown_write(Socket) = 0;
  // Closes at once. No operation on the socket may be in the kernel (CHECK by the caller's in_kernel()).
  virtual void close(Socket) = 0;
  // Asks that `operation` end soon; its final completion still comes (-ECANCELED, or what happened first).
  virtual void cancel(Operation&) = 0;

  // ---- files, without blocking the loop
  virtual Files& files() = 0;
  virtual void open(Operation&, const char* path, Files::Open mode) = 0;  // path lives until completion
  virtual void read(Operation&, File, Room room, std::uint64_t offset) = 0;
  // durable: RWF_DSYNC, the octets are on the device when it completes. May complete short: result < size.
  virtual void write(Operation&, File, View octets, std::uint64_t offset, bool durable) = 0;
  virtual void sync(Operation&, File) = 0;  // fdatasync; fsync for a directory
  virtual void allocate(Operation&, File, std::uint64_t size) = 0;
  virtual void remove(Operation&, const char* path) = 0;  // unlink; path lives until completion
  virtual void close(File) = 0;

  // ---- other threads
  // Puts a letter into `to`'s box; it arrives in order, at the latest one turn later. Never fails: what the box cannot
  // take yet waits here (callers bound what they have outstanding).
  virtual void mail_to(CoreId to, const Mail&) = 0;
  // Who gets this core's mail; set once before run().
  void on_mail(void* owner, void (*handler)(void* owner, const Mail&)) {
    mail_owner_ = owner;
    mail_handler_ = handler;
  }
  // Runs `work` on a helper thread; completes with the value it returned. `work` owns what it needs and touches
  // nothing of this core.
  virtual void help(Operation&, std::move_only_function<int()> work) = 0;

 protected:
  Ring(CoreId core, unsigned cores, std::uint64_t seed) : core_(core), cores_(cores), random_(seed) {}

  // For implementations. occupy() gives an operation the slot number that stands in the kernel's user_data and
  // marks it in_kernel; settle() takes it out (when final) and calls the handler.
  static void occupy(Operation& operation, std::uint32_t slot) {
    RINGPOST_CHECK(!operation.in_kernel());
    operation.slot_ = slot;
  }
  // Takes an operation out without a word to its owner: only where the owner's process is no more (tests/sim).
  static void abandon(Operation& operation) { operation.slot_ = Operation::kIdle; }
  static std::uint32_t slot_of(const Operation& operation) { return operation.slot_; }
  static void settle(Operation& operation, const Completion& done) {
    if (done.final) operation.slot_ = Operation::kIdle;
    operation.handler_(operation.owner_, done);
  }
  // Runs this turn's deferred work, also what that work asks for, each at most once. True: some is left for the next.
  bool run_deferred() {
    List<Deferred, Deferred> again;
    ++deferred_round_;
    while (!deferred_.empty()) {
      Deferred& work = deferred_.pop_front();
      if (work.round_ == deferred_round_) {
        again.push_back(work);
        continue;
      }
      work.round_ = deferred_round_;
      work.action_(work.owner_);
    }
    while (!again.empty()) deferred_.push_back(again.pop_front());
    return !deferred_.empty();
  }
  void deliver_mail(const Mail& mail) {
    RINGPOST_CHECK(mail_handler_ != nullptr);
    mail_handler_(mail_owner_, mail);
  }

  CoreId core_;
  unsigned cores_;
  Instant now_;
  Random random_;
  TimerWheel timers_;
  Statistics statistics_;
  bool stopping_ = false;

 private:
  List<Deferred, Deferred> deferred_;
  std::uint64_t deferred_round_ = 0;
  void* mail_owner_ = nullptr;
  void (*mail_handler_)(void*, const Mail&) = nullptr;
};

inline constexpr Duration kAcceptPause = 100ms;
inline constexpr std::size_t kReceiveAfterCancel = 512 * 1024;
inline constexpr std::size_t kSendPieces = 64;

// ---- the kernel's implementation

struct RingOptions {
  unsigned entries = kRingEntries;                    // submission queue
  unsigned completions = kCompletionEntries;          // completion queue
  unsigned receive_buffers = kReceiveBuffers;         // per core, a power of two
  unsigned receive_buffer_size = kReceiveBufferSize;  // octets
  unsigned operations = 400000;                       // most operations in flight: address space, touched on use
  int pin_to_cpu = -1;                                // -1: not pinned
  // Let one receive fill several buffers where the kernel can and can be told when to stop (Linux 6.17): 100 instead
  // of 150 µs of CPU per MiB. Off for comparisons and to test what older kernels do.
  bool bundle_receives = true;
  // The kernel refuses what this room never asks for: other operations, links, registrations.
  bool restrict = true;
};

// What every ring of one process shares: the mailboxes between them and the helper threads. Outlives the rings.
class Fleet {
 public:
  Fleet(unsigned cores, unsigned helper_threads);
  ~Fleet();
  Fleet(const Fleet&) = delete;
  Fleet& operator=(const Fleet&) = delete;
  // A listening socket that another made, bound to `address`: listen() on that address takes it instead of making its
  // own. As many as cores: one each. Fewer: cores share them and take turns. More: listen() fails, since connections
  // of the others would wait for ever. Before the first make_ring; the fleet owns it to its end.
  void give(const SocketAddress& address, Fd listener);
  // Puts a letter into a core's box from any thread (the signal thread, for one).
  void mail_to(CoreId to, const Mail&);

 private:
  friend class KernelRing;
  struct Shared;
  std::unique_ptr<Shared> shared_;
};

// Makes the ring of `core`; call it on the thread that will run it.
Result<std::unique_ptr<Ring>> make_ring(Fleet&, CoreId core, unsigned cores, const RingOptions&);

// Whether this kernel keeps a restricted ring to its restrictions; tried with an operation that is not among them.
bool restrictions_hold();

// What this kernel (or this container's policy) lacks of what we need, one sentence each with what to do; empty: fit.
// Tries io_uring_setup, the operations used, provided buffers, RWF_DSYNC. Any thread, before make_ring.
std::vector<std::string> missing_in_kernel();

}  // namespace ringpost::ring
