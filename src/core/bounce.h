// Bounce: what failed → a DSN. Stands behind settle's save: a state in which somebody is owed word is saved together
// with the DSN that gives it, as one group (spool::Spool::commit_beside), and the DSN then goes the way of any accepted
// message. Where that is not possible at once (no room, a content that lies in a file) the state is saved as it is,
// with the recipients as "failed", and the DSN follows; recovery finds what was still owed.
//
//   save() ──(nobody is owed)──────────────────────> spool.save
//          ──> Job: content → words → draft ──────> spool.commit_beside ──> the queue
//          ──(not now)──> spool.save, owed list ──> Job: load → …
//
// A DSN has the null reverse-path, so there is never one about a DSN. Owned by Core; called by settle and recovery. It
// never holds an outcome back. One thread.
#pragma once

#include <deque>
#include <functional>
#include <memory>
#include <vector>

#include "core/rooms.h"
#include "ringpost/base/list.h"

namespace ringpost::core {

class Bounce {
 public:
  // Takes a DSN that is durable, with its hold, on its way to the queue.
  using Made = std::function<void(spool::Message&)>;

  explicit Bounce(Rooms& rooms);
  ~Bounce();
  void on_made(Made made) { made_ = std::move(made); }

  // Saves the state of a message, once after the outcomes that came together: what is owed because of them goes in one
  // DSN.
  void save(spool::Message&);
  // Recovery: somebody may be owed word of this message.
  void owe(SpoolId id);
  // Begins no DSN any more for what is owed; recovery will. Those under way end by themselves.
  void stop();
  [[nodiscard]] bool idle() const { return busy_ == 0; }

 private:
  struct Told {
    std::uint32_t recipient;
    report::DsnAction action;
  };
  struct Job;

  std::vector<Told> collect(spool::Message&);
  void save_state(spool::Message&);
  void close_untold(spool::Message&, std::uint32_t recipient, View why);
  [[nodiscard]] bool has_job(SpoolId id) const;
  Job& take_job(SpoolId id);
  void work();
  void loaded(Job&, Result<spool::Message*>);
  bool begin(Job&);
  bool read(Job&);
  bool compose(Job&);
  bool push(Job&);
  bool commit(Job&);
  void committed(Job&, spool::Message& made, const Result<void>&);
  void failed(Job&, const Error&);
  bool mark(Job&);
  void unmark(Job&);
  void give_up(Job&);
  void finish(Job&);
  void tell(const Job&, const spool::Message& made);
  void write(Job&, std::string& out) const;

  Rooms& rooms_;
  Made made_;
  std::vector<std::unique_ptr<Job>> jobs_;
  List<Job, Job> free_;
  std::size_t busy_ = 0;
  std::deque<SpoolId> owed_;  // by messages that no job is about
  Instant not_before_;        // there was no room
  bool stopped_ = false;
  ring::Deferred work_;
  ring::Timer again_;
};

}  // namespace ringpost::core
