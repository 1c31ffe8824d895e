// Intake: draft → spool → queue. The first of the three flows: receive's sessions get their drafts here, and a complete
// one is made durable, given to the queue, told, and only then answered. Owned by Core. While deliverable mail comes in
// faster than it goes out it holds the answers back for a moment (receive.flow_delay), so that mail stays in memory
// until its attempt. One thread.
#pragma once

#include <deque>
#include <optional>

#include "core/rooms.h"
#include "ringpost/base/list.h"
#include "ringpost/base/slab.h"

namespace ringpost::core {

class Dispatch;

class Intake : public receive::Host {
 public:
  // `messages_in_memory`: spool::Options::in_memory, the most commits that can be awaited.
  Intake(Rooms& rooms, Dispatch& dispatch, std::uint32_t messages_in_memory);
  ~Intake() override;

  WallTime wall() override { return rooms_.ring.wall(); }
  message::Draft* begin(receive::Refused& why) override;
  void commit(message::Draft&, receive::Ticket) override;
  void abandon(message::Draft&) override;
  void refused(const SocketAddress& client, View reverse_path, View forward_path, std::uint16_t code,
               smtp::EnhancedCode enhanced, View text) override;
  void session_over(const SocketAddress& client, std::uint32_t messages, Duration took) override;

  // A durable message goes to the queue, and stays in memory if it is attempted soon: at the destination that is given
  // back. Takes over the caller's hold.
  std::optional<DestinationId> queue(spool::Message&);
  [[nodiscard]] bool idle() const { return pending_.used() == 0; }

 private:
  // One commit that is awaited.
  struct ByAge {};
  struct Pending : Link<Pending>, Link<ByAge> {
    Pending(Intake& intake, receive::Ticket the_ticket)
        : owner(intake),
          ticket(the_ticket),
          commit(this, [](void* self, spool::Message& message, const Result<void>& result) {
            static_cast<Pending*>(self)->owner.committed(*static_cast<Pending*>(self), message, result);
          }) {}
    Intake& owner;
    receive::Ticket ticket;
    spool::Commit commit;
    Instant begun;  // the content was complete
    Instant since;  // linked into held_ and by_age_: durable, answered later
  };
  void committed(Pending&, spool::Message&, const Result<void>&);
  void answer(Pending&, const Result<void>&);
  [[nodiscard]] bool too_fast(DestinationId) const;
  void answer_held();
  void tell_reception(const spool::Message&);

  Rooms& rooms_;
  Dispatch& dispatch_;
  Slab<Pending> pending_;
  std::deque<List<Pending, Pending>> held_;  // by DestinationId
  List<Pending, ByAge> by_age_;
  ring::Deferred flow_;
  ring::Timer flow_timer_;
};

}  // namespace ringpost::core
