// A simulated sender: it hands its messages to the relay, by one dialogue or another, breaks off at any step where the
// seed says so, tries again what was not taken, and tells the ledger what it was told.
//
// One connection at a time. Owned by Scenario; lives as long as the world.
#pragma once

#include <cstdint>
#include <deque>
#include <string>
#include <vector>

#include "ledger.h"
#include "lines.h"
#include "world.h"

namespace ringpost::sim {

// How a client behaves; drawn from the seed, calm at the end.
struct ClientHabits {
  unsigned break_off = 200'000;  // per connection, in a million: it ends at a step that is drawn
  Duration pause_most = 20s;     // between connections
  Duration patience = 6min;      // for a reply
};

class Client final : public EndpointEvents {
 public:
  Client(World&, Ledger&, const ClientHabits&, const SocketAddress& relay, std::uint64_t seed);

  void add(MessageRecord& message) { waiting_.push_back(&message); }
  // Begins to work; goes on by itself until all its messages are settled.
  void start();
  [[nodiscard]] bool done() const { return waiting_.empty() && in_hand_.empty(); }

 private:
  enum class Dialogue : std::uint8_t { lockstep, pipelined, overlapped, chunked };
  enum class Kind : std::uint8_t { greeting, hello, mail, rcpt, data, body, chunk, last_chunk, reset, quit };
  struct Transaction {
    MessageRecord* message = nullptr;
    std::vector<std::size_t> taken;  // places whose RCPT got 250
    int first_refusal = 0;           // the reply code that decided, when one refused
    bool answered = false;
  };
  struct Step {
    Kind kind = Kind::quit;
    std::size_t transaction = 0;
    std::size_t recipient = 0;
    std::string octets;
  };

  void on_connected() override {}
  void on_readable() override;
  void on_writable() override;
  void connect();
  void plan();
  void plan_message(std::size_t transaction);
  void plan_chunks(std::size_t transaction);
  void skip(std::size_t transaction);
  [[nodiscard]] bool may_send(const Step&) const;
  void pump();
  void on_reply(int code, const std::string& text);
  void on_final(Transaction&, int code, const std::string& text);
  void offer(Transaction&);
  bool breaks_off();
  void end();
  void watch();
  void put(const std::string& octets);

  World& world_;
  Ledger& ledger_;
  const ClientHabits& habits_;
  SocketAddress relay_;
  Random random_;
  std::deque<MessageRecord*> waiting_;
  std::vector<Transaction> in_hand_;  // of this connection

  EndpointPointer end_;
  Dialogue dialogue_ = Dialogue::lockstep;
  std::deque<Step> steps_;     // to be sent
  std::deque<Step> expected_;  // replies that are due, in order; octets empty
  Lines lines_;
  std::string outbox_;
  std::int64_t steps_left_ = -1;  // until it breaks off; -1: it does not
  bool silent_ = false;           // it has broken off by saying nothing more
  std::uint64_t activity_ = 0;    // tells an old watch from a new one
};

}  // namespace ringpost::sim
