// A simulated peer that the relay delivers to: an SMTP server that takes mail, defers, refuses, drops, hangs, is slow,
// or loses its reply, as its mood says, and tells the ledger what it took.
//
// Owned by Scenario; lives as long as the world.
#pragma once

#include <cstdint>
#include <list>
#include <string>
#include <vector>

#include "ledger.h"
#include "lines.h"
#include "world.h"

namespace ringpost::sim {

// Chances in a million, for each step of each session (banner, EHLO, MAIL, RCPT, DATA, end of content).
struct Mood {
  unsigned defer = 0;       // 4xx
  unsigned refuse = 0;      // 5xx; from MAIL on
  unsigned drop = 0;        // close or reset, before the reply
  unsigned hang = 0;        // says nothing more
  unsigned slow = 0;        // the reply takes up to slow_most
  unsigned nonsense = 0;    // the reply is no SMTP
  unsigned leave = 0;       // 421 and close
  unsigned lose_reply = 0;  // at the end of content: takes the message, and drops
  Duration slow_most = 15s;
};

class Smarthost final : public ListenerEvents {
 public:
  Smarthost(World&, Ledger&, const SocketAddress& address, std::uint64_t seed);
  ~Smarthost() override;

  [[nodiscard]] Mood& mood() { return mood_; }
  // Opens or closes its listener; connections that stand go on.
  void listen(bool on);
  [[nodiscard]] const SocketAddress& address() const { return address_; }

 private:
  class Session;
  void on_connection() override;
  void tell(const char* what, const std::string& from, const std::vector<std::string>& to);

  World& world_;
  Ledger& ledger_;
  SocketAddress address_;
  Random random_;
  Mood mood_;
  ListenerPointer listener_;
  std::list<Session> sessions_;
};

}  // namespace ringpost::sim
