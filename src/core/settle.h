// Settle: outcome → spool record and event. The last of the three flows: what an attempt (or expiry, or an operator)
// found for a recipient becomes its state, is saved with the message, and is told. Owned by Core; called by dispatch
// and operate. It never decides when a message is attempted next beyond writing the due time down. One thread.
#pragma once

#include <optional>
#include <span>

#include "core/bounce.h"
#include "core/rooms.h"

namespace ringpost::core {

// Where an outcome came from, for its event; all views live for the call.
struct Origin {
  SocketAddress host;
  View host_name;
  SocketAddress source;
  View site;
  Duration took{-1};
};

class Settle {
 public:
  Settle(Rooms& rooms, Bounce& bounce) : rooms_(rooms), bounce_(bounce) {}

  // Writes one recipient's outcome into the message's state (not yet to disk) and tells it. False: an operator removed
  // the recipient meanwhile; what came of the attempt is past.
  bool outcome(spool::Message&, std::uint32_t recipient, const message::Outcome&, const Origin&);
  // The message's time is over: its still open recipients among `recipients` fail, with the last error in the text.
  void expire(spool::Message&, std::span<const std::uint32_t> recipients, View site);
  // The message waits for a destination that nobody reaches: its sender is told, if it is time to.
  void late(spool::Message&, std::span<const std::uint32_t> recipients, View site);
  // An operator removes these recipients, none of which is over; nobody is told. What an attempt under way finds for
  // them later is ignored.
  void remove(spool::Message&, std::span<const std::uint32_t> recipients);
  // An operator holds these open recipients, or releases these held ones, which are due now. What an attempt under way
  // finds for a held one is kept.
  void hold(spool::Message&, std::span<const std::uint32_t> recipients);
  void release(spool::Message&, std::span<const std::uint32_t> recipients);
  // An operator sends these recipients to the destination of that name; empty: by their domains again.
  void reroute(spool::Message&, std::span<const std::uint32_t> recipients, View destination);
  // An operator removes a message that is not in memory, by its id alone. False: there is none.
  bool discard(SpoolId, bool damaged);
  // Saves the state, and has told who is owed word of it: call once after the outcomes that came together.
  void save(spool::Message&);
  // When the first of `recipients` that is still open is due; nullopt: none is open.
  static std::optional<WallTime> next_due(const spool::Message&, std::span<const std::uint32_t> recipients);

 private:
  [[nodiscard]] std::string last_error(View site) const;
  void count_held(const spool::Message&, bool was_held);
  void tell_operation(const spool::Message&, report::EventType, std::size_t recipients, View site);
  void later(const spool::Message&, const message::Outcome&, message::RecipientState&);
  [[nodiscard]] Duration wait_after(SpoolId id, std::uint16_t attempts) const;
  void tell(const spool::Message&, std::uint32_t recipient, const message::Outcome&, report::EventType,
            std::uint32_t attempt, const Origin&);
  void tell_expiry(const spool::Message&, std::size_t recipients, View site);

  Rooms& rooms_;
  Bounce& bounce_;
};

}  // namespace ringpost::core
