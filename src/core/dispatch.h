// Dispatch: due → route → attempt. The second of the three flows: takes what is due from the queue, brings it into
// memory, gives it to connections that ask, and decides where to open one more. Outcomes go to settle; the message then
// goes back to the queue or is done with. Owned by Core; the only room that calls Queue::take. One thread.
//
//   queue ── take ──> Job(loading) ── loaded ──> Job(ready) ── next() ──> Job(with a connection) ── done() ──┐
//     ^                                                                                                      v
//     └────────────────────────────── some recipient is due again ──────────────────────────────────── settle
//
// A destination that cannot be reached is paused: its entries stay ready, untouched, but for those that expire. Its
// hosts are looked up before the first connection and when the answers do not hold any more; one that cannot take mail
// at all has its entries failed for as long as the answers say so. What nobody has needed for a while is forgotten.
#pragma once

#include <deque>
#include <memory>
#include <optional>
#include <unordered_map>
#include <vector>

#include "core/leases.h"
#include "core/rooms.h"
#include "core/settle.h"
#include "ringpost/base/list.h"

namespace ringpost::core {

class Dispatch : public deliver::Host, public Leases::Listener {
 public:
  Dispatch(Rooms& rooms, Settle& settle);
  ~Dispatch() override;

  // An accepted or recovered message: an entry for each destination of its open recipients. False: the queue is full;
  // the missing ones are added when there is room.
  bool enqueue(SpoolId, const message::Envelope&, const message::State&);
  // Its first recipient's destination, if that takes mail now, as far as is known.
  [[nodiscard]] std::optional<DestinationId> attempted_soon(const message::Envelope&);
  // Something is due or may have become so: look this turn.
  void wake() {
    round_again_ = true;
    rooms_.ring.defer(pump_);
  }
  // The routes have changed: each destination finds its route and its hosts anew, and no pause holds any more.
  void rerouted();
  // A destination's name has become one of Rooms::suspensions, or is none of them any more.
  void suspended(View destination);
  void resumed(View destination);
  // Begins nothing any more; what is loaded goes back to the queue. Attempts under way end by the deliverer.
  void stop();
  // Whether no job is loading, loaded or being attempted.
  [[nodiscard]] bool idle() const { return jobs_out_ == 0 && !requeue_busy_; }
  Leases& leases() { return leases_; }

  // deliver::Host
  deliver::Job* next(DestinationId) override;
  void outcome(deliver::Job&, std::uint32_t recipient, const message::Outcome&, const deliver::Attempt&) override;
  void done(deliver::Job&) override;
  void returned(deliver::Job&) override;
  void closed(DestinationId) override;
  void reached(DestinationId) override;
  void unreachable(DestinationId, const message::Outcome&, const deliver::Attempt&) override;
  void connection_over(DestinationId, std::uint32_t messages, const deliver::Attempt&) override;
  void shortage(DestinationId, const message::Outcome&, const deliver::Attempt&) override;
  void stalled(DestinationId) override { wake(); }

  // Leases::Listener
  void leases_changed(DestinationId) override;
  void destination_dead(DestinationId) override;

 private:
  struct Job;
  struct Target;
  struct UnsavedTag;

  Target& target(DestinationId);
  DestinationId destination_of(View domain);
  DestinationId destination_of(const message::Recipient&, const message::RecipientState&);
  void pump();
  void visit(Target&);
  void serve(Target&);
  void open_if_allowed(Target&);
  [[nodiscard]] bool has_way(Target&);
  void found(Target&, const route::Finding&);
  void pause_for(Target&);
  void fail_waiting(Target&);
  void refuse(Target&, Job&);
  void forget_unneeded();
  [[nodiscard]] bool forget(Target&);
  void arm_for_due();

  Job* begin(Target&, const queue::Entry&);
  void loaded(Job&, Result<spool::Message*>);
  void choose_recipients(Job&);
  void fill(Target&);
  void expire_waiting(Target&);
  [[nodiscard]] bool has_expired(const Job&) const;
  void wait_longer(Job&);
  static void take_later_ones(Job&);
  void settle_expired(Job&);
  void finish(Job&);
  void save_outcomes();
  void leave_out_changed(Job&);
  [[nodiscard]] bool still_wanted(Job&);
  void queue_later(SpoolId);
  void requeue();
  void requeue_loaded(Result<spool::Message*>);
  void back_to_queue(Job&);
  void back_to_queue_all(Target&);
  void free_job(Job&);
  void put_ready(Target&, Job&, bool first);
  [[nodiscard]] bool held_back(const Target&) const;
  [[nodiscard]] bool is_suspended(const Target&) const;
  void blame(Target&, Job&);

  Rooms& rooms_;
  Settle& settle_;
  Leases leases_;
  ring::Deferred pump_;
  ring::Deferred save_;
  ring::Timer due_timer_;
  ring::Timer open_timer_;                                           // a connection may be opened again
  std::deque<Target> targets_;                                       // by DestinationId
  std::unordered_map<const route::Route*, DestinationId> by_route_;  // of the present router: the static ones
  std::string scratch_;                                              // a domain's name
  std::size_t searches_ = 0;                                         // under way
  std::size_t known_ = 0;                                            // targets in use
  std::size_t sweep_at_ = 0;                                         // of targets_: where forget_unneeded() goes on
  bool in_round_ = false;                                            // of pump(): it goes on in the next turn
  bool round_again_ = false;                                         // something may have become due meanwhile
  List<Target, Target> with_ready_;                                  // and perhaps some that have none any more
  std::vector<std::unique_ptr<Job>> jobs_;
  List<Job, Job> free_jobs_;
  List<Job, UnsavedTag> unsaved_;  // with outcomes that are to be saved this turn
  std::size_t jobs_out_ = 0;
  std::vector<SpoolId> unqueued_;  // messages that found the queue full
  spool::Load requeue_load_;
  ring::Timer requeue_timer_;
  ring::Timer sweep_timer_;
  bool requeue_busy_ = false;
  SpoolId requeued_;        // the one that requeue_load_ is about
  Instant no_load_before_;  // memory was short, and no job has ended since
  Instant quiet_before_;    // a shortage has been told
  bool stopped_ = false;
};

}  // namespace ringpost::core
