// One lent connection to a destination: which of its hosts is tried, the socket, the time, and the session that talks.
// It moves octets between ring and session and says to core what became of jobs; what SMTP means it leaves to the
// session, and how many connections there are, to the pool that owns it.
//
//   fresh ─> connecting ─> talking ─> closing ─> gone
//     ^          └────────────>───────────┘
//     └──────────── next host ────────────┘
//
// Freed only in its own deferred turn, when no operation of it is in the kernel. Thread: its core's.
#pragma once

#include <array>
#include <memory>
#include <optional>
#include <string>

#include "deliver/verdict.h"
#include "ringpost/deliver.h"

namespace ringpost::deliver {

class Pool;
struct Destination;

// A peer that broke our send may have said why: so long we listen for it.
inline constexpr Duration kLastWords = 2s;
// A message's time on one connection, all of its steps together: RFC 5321's timeouts bound each step, not their sum.
// 50 MB in that time is 7 KB a second.
inline constexpr Duration kLongestAttempt = 2h;

struct IdleTag;

class Connection final : public Talk, public Link<>, public Link<IdleTag> {
 public:
  Connection(Pool& pool, Destination& destination, std::shared_ptr<const route::Way> way);

  // Asks for a turn: there may be work.
  void wake();
  // No new job; ends as soon as those in flight have ended. One that is not greeted yet ends now.
  void leave();
  // Ends now, whatever is in flight.
  void abort();

  [[nodiscard]] bool leaving() const { return leaving_; }
  [[nodiscard]] bool greeted() const { return reached_; }
  [[nodiscard]] bool idle() const { return phase_ == Phase::talking && session_->idle() && !leaving_; }
  [[nodiscard]] bool has_room() const {
    return phase_ == Phase::talking && !send_failed_ && session_->can_take_work() && !stalled();
  }
  [[nodiscard]] bool woken() const { return turn_.linked(); }

 private:
  enum class Phase : std::uint8_t { fresh, connecting, talking, closing };
  struct Begun {
    Job* job = nullptr;
    Instant at;
    Instant enveloped;  // its envelope was answered
    bool delivered = false;
  };

  // ---- Talk
  Job* next() override;
  void outcome(Job&, std::uint32_t recipient, const message::Outcome&) override;
  void done(Job&) override;
  void returned(Job&) override;
  void reached() override;
  void bdat_unknown() override;
  void envelope_answered(Job&) override;
  void ready() override { wake(); }

  // ---- from the ring
  void on_connect(const ring::Completion&);
  void on_receive(const ring::Completion&);
  void on_send(const ring::Completion&);
  void on_timer();
  void on_turn();

  void try_host();
  void begin_talk();
  void pump();
  void set_deadline(Duration patience);
  [[nodiscard]] bool stalled() const;
  void watch_send();
  void look_at_watch();
  void close(View why);
  void close_if_quiet();
  void after_close();
  void note_failure(const message::Outcome&);
  void note_connect_failure(int error);
  void give_up();
  [[nodiscard]] bool in_kernel() const;
  [[nodiscard]] std::size_t host_count() const { return way_->hosts ? way_->hosts->list.size() : 0; }
  [[nodiscard]] const route::Host& host() const { return way_->hosts->list[order_[host_index_]]; }
  [[nodiscard]] bool last_host() const { return host_index_ + 1 >= host_count(); }
  void choose_order();
  [[nodiscard]] deliver::Attempt attempt(Instant since) const;
  Begun& begun(const Job&);
  Begun forget(const Job&);

  Pool& pool_;
  Destination& destination_;
  std::shared_ptr<const route::Way> way_;
  std::array<std::uint8_t, route::kMostHosts> order_{};  // of the hosts in way_, as they are tried
  std::size_t host_index_ = 0;                           // in order_
  Phase phase_ = Phase::fresh;
  bool leaving_ = false;
  bool reached_ = false;
  bool shortage_ = false;  // ours, so that other hosts would not help
  bool send_failed_ = false;
  bool watched_ = false;        // somebody counts on room that it has when the send is over
  int error_ = 0;               // of the connect
  std::size_t sending_ = 0;     // octets in the kernel
  std::uint64_t progress_ = 0;  // of the session, when the deadline was set
  std::uint32_t messages_ = 0;  // taken by this host
  Instant begun_at_;            // this host's connect
  Instant connected_at_;
  Instant moved_at_;  // the last progress
  Instant deadline_;
  ring::Socket socket_;
  SocketAddress source_;
  std::string why_;        // the connection ended
  message::Outcome last_;  // of the host tried last; its text is in last_text_
  std::string last_text_;
  std::array<Begun, kTransactionsInFlight> begun_;
  std::size_t begun_count_ = 0;
  std::optional<ClientSession> session_;
  ring::Operation connect_{this, ring::handler<&Connection::on_connect>};
  ring::Operation receive_{this, ring::handler<&Connection::on_receive>};
  ring::Operation send_{this, ring::handler<&Connection::on_send>};
  ring::Timer timer_{this, ring::call<&Connection::on_timer>};
  ring::Deferred turn_{this, ring::call<&Connection::on_turn>};
};

}  // namespace ringpost::deliver
