// What a ClientSession is made of: its phase, the transactions in flight, the reader of replies and what goes out next.
// One class in three files by what moves it: client_session.cpp (the public face, the phases, the end), replies.cpp
// (what the peer says) and writing.cpp (what we say). It does no I/O and reads no clock.
//
//                    2xx               5xx             2xx
//   banner ─────> say_ehlo ─> ehlo ─────────> say_helo ─> helo ─┐
//     │ else                   │ │ 2xx                     │    │ 2xx
//     │                   else │ └──────────────┐     else │    │
//     v                        v                v          v    v
//   ended <────────────────────┘              ready ───────────<┘
//     ^                                         │ quit() or enough messages, and no transaction in flight
//     └──────── any reply ── quitting <─────────┘
//
// A 421, a broken dialogue or a content that cannot be read leads to `ended` from everywhere.
#pragma once

#include <array>
#include <cstdint>
#include <initializer_list>
#include <utility>

#include "deliver/gather.h"
#include "deliver/transaction.h"
#include "deliver/verdict.h"
#include "ringpost/deliver.h"

namespace ringpost::deliver {

enum class Phase : std::uint8_t { banner, say_ehlo, ehlo, say_helo, helo, ready, quitting, ended };

// RCPTs in one transaction at most; further recipients go in the next one. RFC 5321 4.5.3.1.8: each server takes 100;
// those that take no more say so, and the session keeps to what it learns.
inline constexpr std::size_t kRecipientsPerTransaction = 1000;
// A content above this goes in chunks of this size, so that a refusal is heard before all of it is sent, and because
// some servers hold a whole chunk in memory.
inline constexpr std::uint64_t kChunkOctets = 1024 * 1024;
// Jobs found unfit for the peer in one call of output(), before other sessions have their turn.
inline constexpr std::size_t kUnfitPerOutput = 64;

// Why a session ended before its work did.
enum class End : std::uint8_t {
  none,
  quit,      // in order
  bye,       // the peer said 421
  refused,   // the greeting or EHLO failed
  nonsense,  // the peer broke the protocol
  content,   // a content could not be read: its transaction must never be completed
  broken,    // the connection is gone
  timeout,
};

struct ClientSession::Parts {
  Parts(View hostname, const config::Manners&, const config::DeliverTimeouts&, Talk&);

  // ---- client_session.cpp
  void end(End how, std::uint16_t code, smtp::EnhancedCode, std::initializer_list<View> words);
  void end(End why, smtp::EnhancedCode enhanced, std::initializer_list<View> words) { end(why, 0, enhanced, words); }
  void give_back();
  void retire_finished();
  void retire_front();
  void settle(Transaction&, std::size_t position, const message::Outcome&);
  void settle_all(Transaction&, const message::Outcome&);       // whoever has no outcome yet
  void settle_accepted(Transaction&, const message::Outcome&);  // whoever the content is for
  [[nodiscard]] message::Outcome reason() const;
  [[nodiscard]] View awaited_name() const;
  [[nodiscard]] Duration patience() const;
  [[nodiscard]] bool may_begin() const;
  [[nodiscard]] std::size_t depth() const;

  // ---- replies.cpp
  void on_reply(const smtp::Reply&);
  void on_banner(const smtp::Reply&);
  void on_ehlo(const smtp::Reply&);
  void on_helo(const smtp::Reply&);
  void on_transaction_reply(const smtp::Reply&);
  void on_unasked(const smtp::Reply&);
  void on_bye(const smtp::Reply&);
  void on_mail(Transaction&, const smtp::Reply&);
  void on_rcpt(Transaction&, const smtp::Reply&);
  void on_data(Transaction&, const smtp::Reply&);
  void on_content(Transaction&, const smtp::Reply&);
  void greeted();
  void refuse(const smtp::Reply&);
  void unexpected(const smtp::Reply&, View command);

  // ---- writing.cpp
  void write_all();
  void write_transactions();
  bool write_step(Transaction&);
  bool write_rset(Transaction&);
  bool write_mail(Transaction&);
  bool write_recipients(Transaction&);
  void write_recipient(Transaction&, std::size_t position);
  bool write_data(Transaction&);
  bool write_content(Transaction&);
  bool write_stuffed(Transaction&);
  bool write_chunks(Transaction&);
  bool announce_chunk(Transaction&);
  bool pull(Transaction&);
  void stop_writing(Transaction&);
  void end_failed_content();
  Transaction* begin_next();
  void begin_content(Transaction&);
  void refuse_unfit(Transaction&);

  // ---- transactions in flight, oldest first
  Transaction& at(std::size_t index) { return ring[(head + index) % ring.size()]; }
  [[nodiscard]] const Transaction& at(std::size_t index) const { return ring[(head + index) % ring.size()]; }
  // Whose command the next reply answers; null: no reply is owed.
  [[nodiscard]] const Transaction* awaiting() const;
  Transaction* awaiting() { return const_cast<Transaction*>(std::as_const(*this).awaiting()); }
  // The one that is being written; null: all are written.
  Transaction* writing();

  std::string hostname;
  config::Manners manners;
  config::DeliverTimeouts timeouts;
  Talk& talk;

  Phase phase = Phase::banner;
  bool reached = false;  // it has asked for work
  bool quit_wanted = false;
  bool output_pending = false;  // output() was given and not sent() yet
  bool pipelining = false;      // offered and wanted
  bool chunking = false;
  bool content_failed = false;        // of the one being written: it ends when those before it are answered
  bool peer_has_transaction = false;  // the peer may be inside one of ours that has ended: RSET first
  smtp::Capabilities capabilities;
  smtp::ReplyReader reader;
  std::size_t recipients_limit = kRecipientsPerTransaction;
  std::uint64_t begun = 0;      // messages
  std::uint64_t completed = 0;  // transactions that ended by replies
  std::uint64_t progress = 0;   // replies and sends
  std::uint64_t in_flight_octets = 0;

  std::array<Transaction, kTransactionsInFlight> ring;
  std::size_t head = 0;
  std::size_t count = 0;

  End how = End::none;
  std::uint16_t reason_code = 0;
  smtp::EnhancedCode reason_enhanced;
  std::size_t reason_length = 0;
  std::array<char, message::State::kTextLimit> reason_text;

  Gather out;
};

}  // namespace ringpost::deliver
