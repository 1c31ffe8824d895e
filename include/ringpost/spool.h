// The spool of one core: an append-only log on disk that keeps each accepted message until its last recipient is done,
// and the few messages that are in memory now. docs/spool-format.md has the format, octet by octet.
//
//   receive fills a Message ── commit ──> record in the open batch ── one durable write ──> Commit completes ──> 250
//   deliver settles recipients ── save ──> state record in the open batch (within kCommitInterval)
//   a message about another one ── commit_beside ──> its record and the other's state, in one batch or in none
//
// One batch is in flight per log; the next one collects meanwhile. Outcomes go to the log that holds the message. A
// core may own several logs: its own, which takes new messages, and adopted ones (of cores that are no more).
//
// A failed sync or write of a batch ends the spool: each commit of the batch fails, nothing is taken any more,
// on_failure is called, and the process must end so that recovery rereads the disk. Never here: SMTP, due times'
// meaning, routes.
//
// Thread: its core's, except open(), which runs on that core's thread before the loop does.
#pragma once

#include <array>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "ringpost/base/counter.h"
#include "ringpost/base/limits.h"
#include "ringpost/base/list.h"
#include "ringpost/message.h"
#include "ringpost/ring.h"

namespace ringpost::spool {

inline constexpr Duration kCommitInterval = 20ms;              // longest wait of an outcome for its batch
inline constexpr std::size_t kBatchLimit = kCommitBufferSize;  // octets of one batch; a batch in flight is one write
inline constexpr std::size_t kGatherLimit = 256 * 1024;        // octets of a content kept in memory and in the log
inline constexpr std::size_t kBlock = kDiskBlock;              // alignment of batches, unit of O_DIRECT

struct Options {
  std::string directory;
  // Octets of a log file: a multiple of kBlock, at least 64 KiB; below 4 * kBatchLimit batches shrink.
  std::uint64_t segment_size = 64ULL << 20;
  std::uint64_t reserve = 256ULL << 20;  // octets kept free on the file system: below it mail is refused
  std::size_t body_chunks = 4096;        // pool of this core, RINGPOST_BODY_CHUNK_SIZE octets each
  std::size_t messages = 10'000'000;     // index entries of this core: address space, touched on use
  std::size_t in_memory = 4096;          // Messages of this core at the same time (drafts and attempts)
  bool durable = true;                   // false: a null log for measuring the network alone; loses everything
};

// Why no message can be taken now. Each is transient: 452 (RFC 5321 4.2.3) with words for the client.
enum class Refusal : std::uint8_t { none, disk_full, memory_full, queue_full, stopped };

class Spool;
class Reader;

// One message in memory: draft, just accepted, or loaded again. Pooled, counted: hold() and release(). While any holder
// exists there is only one Message for its id, so that all attempts of it see one State.
class Message : public message::Draft, public Link<Message> {
 public:
  // The link is its holder's, to keep it in a list of its own.
  message::State state;
  // Recipients that an attempt is about right now; core's own, kept here since attempts of one message share it.
  std::vector<bool> attempting;
  // The destination whose attempt it is kept in memory for, while it is; core's own too.
  DestinationId kept_for;

  void hold();
  void release();  // the last one gives it back to the pool; an uncommitted draft vanishes
  [[nodiscard]] bool content_in_memory() const;
  [[nodiscard]] bool content_in_a_file() const;  // of its own: a Reader gives it, with waits
  // Trace line and content.
  [[nodiscard]] std::uint64_t size() const { return trace.size() + facts.size; }

 protected:
  Message() = default;
  ~Message() = default;
};

// A wait for durability: a member of the one who waits; completes once. Cancelled when destroyed: the write goes on.
class Commit : public Link<Commit> {
 public:
  using Done = void (*)(void* owner, Message&, const Result<void>&);
  Commit(void* owner, Done done) : owner_(owner), done_(done) {}

 private:
  friend class Spool;
  friend class Store;
  friend class Log;
  void complete(Message& message, const Result<void>& result) { done_(owner_, message, result); }
  void* owner_;
  Done done_;
  Message* message_ = nullptr;
};

// A wait for a message to be in memory. Completes once, perhaps before load() returns, with a held Message that the
// owner releases; or an error: ENOENT (ended meanwhile), EBUSY (no room in memory now: try later), EBADMSG (damaged:
// kept on disk, reported), or what the disk said.
class Load : public Link<Load> {
 public:
  using Done = void (*)(void* owner, Result<Message*>);
  Load(void* owner, Done done) : owner_(owner), done_(done) {}

 private:
  friend class Spool;
  friend class Loader;
  void complete(Result<Message*> result) { done_(owner_, std::move(result)); }
  void* owner_;
  Done done_;
  SpoolId id_;
  bool content_ = false;
};

// Reads a content out: the trace line, then the octets that came. For content in memory it never waits; a large one is
// read through two windows of kReadWindow octets. Holds its message from open() to close().
class Reader : public message::BodySource {
 public:
  static constexpr std::size_t kReadWindow = 128 * 1024;
  Reader();
  ~Reader() override;
  void open(Message&);  // content in memory (loaded with content, or fresh) or in a large file
  void close();         // safe while a read is in flight: the buffers outlive it
  [[nodiscard]] std::uint64_t size() const override;
  Pull next() override;
  void release(std::size_t octets) override;
  void rewind() override;
  void on_ready(void* owner, void (*ready)(void* owner)) override;

 private:
  struct Parts;
  std::unique_ptr<Parts> parts_;
};

// What open() found, for the log and for metrics.
struct Recovery {
  std::uint64_t messages = 0;  // live: given to on_message
  std::uint64_t segments = 0;
  std::uint64_t torn_tails = 0;        // batches cut that were never durable: normal after a crash
  std::uint64_t damaged_batches = 0;   // quarantined: a later batch is valid, so this one once was
  std::uint64_t damaged_messages = 0;  // known, unreadable; kept, listed, never delivered
  std::uint64_t orphans_removed = 0;   // large files without a record
};

struct Statistics {
  std::uint64_t commits = 0;  // messages made durable
  std::uint64_t batches = 0;
  std::uint64_t octets_written = 0;  // to the log, padding included
  std::uint64_t large_octets_written = 0;
  std::uint64_t messages = 0;  // live now
  std::uint64_t segments = 0;  // on disk now
  std::uint64_t segments_recycled = 0;
  std::uint64_t index_octets = 0;  // memory that the table of live messages has touched
  std::uint64_t chunks_free = 0;
  std::uint64_t chunks_total = 0;
  std::uint64_t damaged_messages = 0;  // found damaged while running
  Histogram batch_time;                // a durable write of the log, in nanoseconds
  Histogram batch_octets;              // with padding
  Histogram batch_messages;            // new messages
};

// What core wants to know of each live message without reading it. Kept in memory only, beside the index entry; zero
// until core writes it, and gone with the message.
struct Note {
  std::array<std::uint32_t, 4> words{};
};

// One live message as the index knows it.
struct Listed {
  SpoolId id;
  bool damaged = false;
  Note& note;
};

class Spool {
 public:
  // Called for each live message while open() reads the logs, in the order of their acceptance. A message with no open
  // recipient has some whose sender is still to be told.
  using OnMessage = std::function<void(SpoolId, const message::Envelope&, const message::State&, Note&)>;

  // Locks the directory (one process per spool: the caller of core 0 does that once, see lock()), recovers the logs
  // that belong to this core (log number modulo cores), and prepares the first segment. Errors name the path and what
  // to do.
  static Result<std::unique_ptr<Spool>> open(ring::Ring&, const Options&, const OnMessage&, Recovery&);
  ~Spool();  // no Message, Reader or wait may be left

  // ---- intake
  [[nodiscard]] Refusal refusal() const;  // none: begin() will give a Message
  // A held, empty Message with a new id and its content sink; null when refusal() says why.
  Message* begin();
  // Makes the message durable with its current envelope, facts, trace and state. Completes after the durable write that
  // covers it (and its large file): success is what a 250 may be said for. Failure: the message does not exist on disk
  // or the spool has stopped.
  void commit(Message&, Commit&);

  // ---- a message about another one (a DSN), which must come into being together with the state that it tells of
  // As begin(), with an id of the log that holds `original`: only what lies in one log can lie in one batch. It may use
  // the room that begin() keeps free of new mail, so that a full spool can end what fails. Null: try later.
  Message* begin_beside(const Message& original);
  // commit() of `made`, which came from begin_beside(changed), and save() of `changed` as one group: after a crash both
  // are there, or neither. Completes with `made`. Failure: neither was written; the caller puts the state of `changed`
  // right and saves it. Until the group is taken up (a large content is made durable first), saves of `changed` wait
  // for it, so that its state never stands alone.
  void commit_beside(Message& made, Message& changed, Commit&);

  // ---- dispatch and inspection
  enum class Want { envelope, content };  // envelope: enough to show or to settle; content: to deliver
  void load(SpoolId, Want, Load&);
  // Whether the message is in memory with its content, so that load() completes at once without the disk.
  [[nodiscard]] bool warm(SpoolId) const;

  // ---- settle
  // Writes the message's state as it is now: a state record that replaces the one before, or, when the state has ended,
  // the record that ends it. Durable within kCommitInterval plus one write. `commit` may be null.
  void save(Message&, Commit* commit);

  // Ends a message by its id alone, whatever its recipients' state and also when it is damaged: an operator's remove.
  // Durable as save(). False: no such message. One that is in memory stays readable for its holders.
  bool discard(SpoolId);
  // Whether outcomes can be kept now. False (a full disk ate the reserve, or the spool has stopped): start no attempt;
  // saves already asked for wait. on_relief tells when to look again.
  [[nodiscard]] bool takes_outcomes() const;

  // Whether the message is in memory, so that load() of its envelope completes at once.
  [[nodiscard]] bool resident(SpoolId) const;
  // Whether the ends of discarded messages find room: who discards many waits for it between them.
  [[nodiscard]] bool takes_discards() const;
  // The note of a live message, or null; it stays in place until the message has ended.
  [[nodiscard]] Note* note(SpoolId) const;
  // Looks at `places` places of the index from place `from` on and shows the live messages there, in no order. Gives
  // the next place, 0 at the end. What lives all through a scan over many turns is shown once; what comes meanwhile may
  // be.
  std::size_t scan(std::size_t from, std::size_t places, const std::function<void(const Listed&)>&) const;
  [[nodiscard]] std::size_t size() const;

  // What still must be written (drain waits for it).
  [[nodiscard]] bool idle() const;
  [[nodiscard]] const Statistics& statistics() const;
  // Called once when the spool has stopped for good.
  void on_failure(void* owner, void (*failed)(void* owner, const Error&));
  // Called when refusal() may have changed to none (disk or memory freed).
  void on_relief(void* owner, void (*relief)(void* owner));

 private:
  struct Parts;
  explicit Spool(std::unique_ptr<Parts>);
  std::unique_ptr<Parts> parts_;
};

// Takes the lock of a spool directory (made when missing) for this process. EWOULDBLOCK: another process runs on it.
Result<ring::File> lock(ring::Files&, const std::string& directory);

// The logs of a directory, read without a daemon (spoolcat, tests): like recovery, but changes nothing.
struct Dump {
  SpoolId id;
  const message::Envelope* envelope = nullptr;  // null: the message is damaged, and nothing but its id is known
  const message::State* state = nullptr;
  const message::ContentFacts* facts = nullptr;
  View trace = {};
  std::function<Result<void>(const std::function<void(View)>&)> content = {};  // pushes the content's octets
};
Result<Recovery> read_logs(ring::Files&, const std::string& directory, const std::function<void(const Dump&)>&);

// What the write path of a directory is: which method works (O_DIRECT + RWF_DSYNC or write + fdatasync) and the median
// of some 64 KiB durable writes, as lines for `ringpost check`. Writes and removes one file.
Result<std::vector<std::string>> describe_write_path(ring::Files&, const std::string& directory);

}  // namespace ringpost::spool
