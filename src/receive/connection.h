// One client's connection: moves octets between the ring and a Session, keeps its clocks, and ends it so that the last
// reply is read.
//
// It owns the socket, its operations and its session. It lives in a slot of Receiver, which takes the slot back only
// when no operation is in the kernel any more. Never here: what the octets mean.
#pragma once

#include <cstdint>
#include <memory>

#include "backlog.h"
#include "ringpost/receive.h"
#include "ringpost/ring.h"

namespace ringpost::receive {

// After the last reply: how long, and for how many octets, we go on reading what the client still sends, so that the
// kernel does not answer it with a reset that would overtake our reply.
inline constexpr Duration kLinger = 5s;
inline constexpr std::size_t kLingerOctets = 1024UL * 1024;
// How long a client may take to read the last replies of a session that has ended.
inline constexpr Duration kLastWords = 20s;
// Octets kept for a session that waits before its receive is cancelled: most waits are over by then, and a cancel with
// the receive that follows it costs as much as handling a message.
inline constexpr std::size_t kBacklogBeforeCancel = 16UL * 1024;

class Connection {
 public:
  // Of the Receiver: pools, and who takes the slot back.
  struct Around {
    ring::Ring& ring;
    Host& host;
    Pools& pools;
    Slab<Block>& blocks;
    Slab<Connection>& slots;  // each Connection stands in one, which is its name
    void* owner;
    void (*gone)(void* owner, Connection&);  // may destroy it
  };
  Connection(Around& around, std::shared_ptr<const config::Config> config, ring::Socket socket, const Peer& peer);
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  // To be called once, right after construction.
  void start();
  void committed(std::uint32_t sequence, const Result<void>& result);
  void drain();
  // Ends it without another word.
  void abort();

  [[nodiscard]] const SocketAddress& client() const { return client_; }
  [[nodiscard]] std::uint32_t messages() const { return messages_; }  // that it was answered 250 for
  [[nodiscard]] Instant begun() const { return begun_; }
  // How the Receiver counted it.
  enum class Counted : std::uint8_t { not_at_all, as_session, as_session_of_client };
  Counted counted = Counted::not_at_all;

 private:
  // open --session ended, all answered--> lingering --the client closes, or enough--> closing --nothing left--> gone
  //   +------- broken, timed out twice, or the client has closed and got its replies ------^
  enum class State : std::uint8_t { open, lingering, closing };

  void on_receive(const ring::Completion&);
  void on_send(const ring::Completion&);
  void on_timer();
  void on_turn_end();
  void on_wake() { settle(); }

  [[nodiscard]] Ticket name() const;
  void take(View octets);
  void take_open(View octets);
  void keep(View octets);
  void pump();
  void settle();
  void settle_open();
  void settle_receive();
  [[nodiscard]] bool wants_octets() const;
  void send_output();
  void linger();
  void close();

  void note_progress();
  [[nodiscard]] Instant due() const;
  void settle_timer();

  Around& around_;
  std::shared_ptr<const config::Config> config_;
  ring::Socket socket_;
  SocketAddress client_;
  Session session_;
  Backlog backlog_;
  ring::Operation receive_{this, ring::handler<&Connection::on_receive>};
  ring::Operation send_{this, ring::handler<&Connection::on_send>};
  ring::Timer timer_{this, ring::call<&Connection::on_timer>};
  ring::Deferred turn_end_{this, ring::call<&Connection::on_turn_end>};
  Instant begun_;
  Instant since_;          // the client's clock began
  Instant content_since_;  // the clock of the content under way began
  std::uint32_t progress_ = 0;
  std::uint32_t content_ = 0;
  std::uint32_t messages_ = 0;
  std::uint32_t lingered_ = 0;  // octets dropped since
  State state_ = State::open;
  bool cancelled_ = false;  // the receive that is in the kernel
  bool end_ = false;        // the client sends no more
};

}  // namespace ringpost::receive
