// Intake: draft → spool → queue. The first of the three flows: receive's sessions get their drafts here, and a complete
// one is made durable, given to the queue, told, and only then answered. Owned by Core. It keeps just accepted messages
// in memory
// ("warm") until dispatch takes them, as long as the pools have room. One thread.
#pragma once

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

  // Lets go of all messages kept warm: memory is short, or the core ends.
  void cool_all();
  [[nodiscard]] bool idle() const { return pending_.used() == 0; }

 private:
  // One commit that is awaited.
  struct Pending {
    Pending(Intake& intake, receive::Ticket the_ticket)
        : owner(intake),
          ticket(the_ticket),
          commit(this, [](void* self, spool::Message& message, const Result<void>& result) {
            static_cast<Pending*>(self)->owner.committed(*static_cast<Pending*>(self), message, result);
          }) {}
    Intake& owner;
    receive::Ticket ticket;
    spool::Commit commit;
  };
  void committed(Pending&, spool::Message&, const Result<void>&);
  void keep_warm(spool::Message&);
  void tell_reception(const spool::Message&);

  Rooms& rooms_;
  Dispatch& dispatch_;
  Slab<Pending> pending_;
  List<spool::Message, spool::Message> warm_;
};

}  // namespace ringpost::core
