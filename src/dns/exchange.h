// One try: one question to one server, over UDP or TCP, until it is answered, refused, timed out or called back. It
// owns the socket and moves octets; what they mean is its owner's business.
//
//   free ─> asking (UDP) ─────────────┐
//     └───> connecting ─> talking ────┴─> closing ─> free
//
// Pooled by the Resolver; used again when no operation of it is in the kernel. Thread: its core's.
#pragma once

#include <string>

#include "ringpost/dns.h"

namespace ringpost::dns {

struct Question;

class Exchange {
 public:
  class Owner {
   public:
    virtual ~Owner() = default;
    // A whole message from the server. True: it settles the try, which ends. False: nothing of ours, wait on.
    virtual bool on_message(Exchange&, View wire) = 0;
    virtual void on_failure(Exchange&, std::string why, bool timed_out) = 0;  // the try is over
    virtual void on_free(Exchange&) = 0;                                      // after either, or cancel()
  };

  Exchange(ring::Ring& ring, Owner& owner) : ring_(ring), owner_(owner) {}

  // `wire` is sent and kept. Failures come later, never from inside.
  void begin(const SocketAddress& to, bool tcp, std::string wire, Duration patience);
  // Ends without a word but on_free().
  void cancel();

  [[nodiscard]] bool free() const { return phase_ == Phase::free; }
  [[nodiscard]] Instant begun() const { return begun_; }
  [[nodiscard]] bool tcp() const { return tcp_; }

  Question* question = nullptr;  // its owner's
  std::size_t server = 0;

 private:
  enum class Phase : std::uint8_t { free, failed, asking, connecting, talking, closing };

  void on_connect(const ring::Completion&);
  void on_send(const ring::Completion&);
  void on_receive(const ring::Completion&);
  void on_timer();
  void on_turn();
  void take_datagram(View octets);
  void take_stream(View octets);
  void send();
  void fail(std::string why, bool timed_out = false);
  void close();
  void close_if_quiet();
  [[nodiscard]] bool in_kernel() const { return connect_.in_kernel() || send_.in_kernel() || receive_.in_kernel(); }

  ring::Ring& ring_;
  Owner& owner_;
  Phase phase_ = Phase::free;
  bool tcp_ = false;
  Instant begun_;
  Duration patience_{};
  std::string why_;
  std::string wire_;
  std::string arrived_;  // of a TCP reply, with its length
  iovec piece_{};
  ring::Socket socket_;
  ring::Operation connect_{this, ring::handler<&Exchange::on_connect>};
  ring::Operation send_{this, ring::handler<&Exchange::on_send>};
  ring::Operation receive_{this, ring::handler<&Exchange::on_receive>};
  ring::Timer timer_{this, ring::call<&Exchange::on_timer>};
  ring::Deferred turn_{this, ring::call<&Exchange::on_turn>};
};

}  // namespace ringpost::dns
