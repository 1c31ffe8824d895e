// A message in memory: what stands behind spool::Message. Pooled and counted; its strings keep their memory from life
// to life. As a content sink it gathers in chunks and, past kGatherLimit or when the pool runs short, has them spilled.
//
// Owned by ResidentPool; held by sessions, attempts, batches in flight. Never writes a log. One thread.
#pragma once

#include <memory>
#include <vector>

#include "ringpost/base/list.h"
#include "ringpost/spool.h"
#include "spool/chunks.h"

namespace ringpost::spool {

class Spill;
class Store;

struct WaitingTag {};

class Resident final : public Message, public message::BodySink, public Link<WaitingTag> {
 public:
  enum class Stage : std::uint8_t {
    draft,       // being filled; nobody was told that we have it
    committing,  // on its way to the log
    live,        // durable, in the index
    loading,     // durable; the loader fills it
    ended,       // its end is durable, or its commit failed: only holders keep it
  };

  Resident(Store& store, std::uint32_t slot);
  ~Resident();

  State push(View octets) override;
  void on_drained(void* owner, void (*drained)(void* owner)) override;

  // The spill has written something, or has failed.
  void spill_moved();
  void let_go();  // what release() does
  // Ready for its next life.
  void reset();
  void join(Resident& changed);  // they are a group from here on
  void part();                   // no more; lets go of the other
  [[nodiscard]] std::uint64_t gathered() const { return gathered_; }
  [[nodiscard]] bool sink_failed() const { return sink_ == State::failed; }

  Store& store;
  const std::uint32_t slot;
  std::uint32_t holders = 0;
  Stage stage = Stage::draft;
  bool content_here = false;      // the chunks hold the whole content
  bool large = false;             // the content is in a large file
  bool save_waits = false;        // in the log's waiting list for a state record (else: for its message record)
  std::uint32_t content_crc = 0;  // of a large content
  ChunkRow chunks;
  std::unique_ptr<Spill> spill;  // while a large content arrives
  List<Commit, Commit> waits;    // for the log to take it up
  Resident* beside = nullptr;    // committing: whose state goes into the same batch; held
  Resident* group = nullptr;     // the message whose `beside` this is: its state waits for that one's record

 private:
  [[nodiscard]] State push_to_spill();
  State fail();

  std::uint64_t gathered_ = 0;
  State sink_ = State::ok;
  void* drained_owner_ = nullptr;
  void (*drained_)(void*) = nullptr;
};

inline Resident& resident_of(Message& message) { return static_cast<Resident&>(message); }
inline const Resident& resident_of(const Message& message) { return static_cast<const Resident&>(message); }

class ResidentPool {
 public:
  ResidentPool(Store& store, std::size_t capacity) : store_(store), capacity_(capacity) {
    all_.reserve(capacity);
    free_.reserve(capacity);
  }
  // Held once, empty; null when all are in use.
  Resident* take();
  void give(Resident& resident);
  [[nodiscard]] std::size_t free() const { return free_.size() + capacity_ - all_.size(); }
  [[nodiscard]] std::size_t in_use() const { return all_.size() - free_.size(); }
  [[nodiscard]] Resident& at(std::uint32_t slot) const { return *all_[slot]; }

 private:
  Store& store_;
  std::size_t capacity_;
  std::vector<std::unique_ptr<Resident>> all_;  // made when first needed, then kept
  std::vector<Resident*> free_;
};

}  // namespace ringpost::spool
