// The inside of a server session: where it stands, what it may do next, and what it keeps between two inputs.
//
// session.cpp has the machine itself, commands.cpp the commands without a transaction, envelope.cpp MAIL and RCPT,
// content.cpp DATA, BDAT and the end of a message. replies.h holds what was answered, transaction.h what is being
// received.
#pragma once

#include <algorithm>
#include <cstdint>
#include <string>

#include "replies.h"
#include "ringpost/receive.h"
#include "transaction.h"

namespace ringpost::receive {

// Commands that move no mail (NOOP, RSET, VRFY, HELP, another EHLO, empty chunks) that one session may give until its
// next message; a client that tests its connection needs a few of them for each.
inline constexpr std::uint32_t kIdleCommands = 100;

// Where a session stands.
//
//   greeted --EHLO/HELO--> ready --MAIL--> sender --RCPT--> recipients --DATA--> data --CRLF.CRLF--> ready
//                           ^                |                  |
//                           |               BDAT               BDAT
//                           |                v                  v
//                           |              chunk <--BDAT-- between
//                           |                |   --octets-->
//                           +--LAST----------+
//
//   RSET, EHLO, HELO: to ready from any phase that reads commands (greeted stays greeted at RSET).
//   skip: the octets of a chunk that has no transaction to belong to; back to the phase before.
//   ended: QUIT, 421, a break of the grammar that leaves no safe place to go on from. Nothing is read any more.
enum class Phase : std::uint8_t {
  greeted,     // reads commands: no EHLO or HELO yet
  ready,       // reads commands: no transaction
  sender,      // reads commands: MAIL was taken, no recipient yet
  recipients,  // reads commands: at least one recipient was taken
  data,        // reads content up to its final dot
  chunk,       // reads content: chunk_left_ octets
  between,     // reads commands: a chunk was taken and was not the last
  skip,        // drops chunk_left_ octets
  ended,
};

struct Session::Parts {
  Parts(const config::Config& config, const Peer& peer, Host& host, Ticket name, Pools& pools);
  ~Parts() { close_transaction(); }

  // ---- session.cpp: the machine
  std::size_t feed(View input);
  std::size_t step(View input);
  std::size_t take_line(View input);
  [[nodiscard]] bool takes_input() const;
  [[nodiscard]] bool reads_content() const;
  [[nodiscard]] bool between_transactions() const;
  [[nodiscard]] Duration patience() const;
  void banner();
  void answered(std::uint32_t sequence, const Result<void>& result);
  void sink_drained();
  void leave_if_draining();
  // The one way out of a transaction, whatever ended it.
  void close_transaction();
  void end();

  // ---- session.cpp: answers
  void say(View reply) { replies_.say(reply); }
  // A 4xx or 5xx that is the client's doing: counted, told to the host, and too many of them end the session.
  void refuse(std::uint16_t code, smtp::EnhancedCode enhanced, View text, View forward_path = {});
  void refuse(const smtp::Refusal& why, View forward_path = {});
  // The same, not counted against the client.
  void decline(std::uint16_t code, smtp::EnhancedCode enhanced, View text, View forward_path = {});
  // 421 and the end.
  void give_up(smtp::EnhancedCode enhanced, View text);
  void wrong_order(View text) { refuse(503, {5, 5, 1}, text); }  // RFC 5321 4.1.4
  // Counts a command that moves no mail; too many of them end the session.
  void count_idle_command();

  // ---- commands.cpp
  void obey(const smtp::Command& command);
  void hello(View argument, bool extended);
  void say_extensions();
  void reset(View argument);
  void quit(View argument);
  void verify(View argument);
  void help();
  void unknown(const smtp::Command& command);

  // ---- envelope.cpp
  void mail(View argument);
  void open_transaction(const smtp::MailCommand& command);
  void rcpt(View argument);
  void add_recipient(const smtp::RcptCommand& command);

  // ---- content.cpp
  void data(View argument);
  std::size_t take_data(View input);
  void bdat(View argument);
  void begin_chunk(std::uint64_t size);
  std::size_t take_chunk(View input);
  std::size_t skip_chunk(View input);
  void chunk_complete();
  void chunk_skipped();
  void content_begins(Transaction::Manner manner);
  void content_complete();
  void commit();
  void tell_denial();

  const config::Config& config_;
  Host& host_;
  Pools& pools_;
  const Ticket name_;  // its sequence is that of the last commit
  const SocketAddress client_;
  Replies replies_;
  smtp::LineScanner lines_;
  std::string helo_;  // what the client called itself
  Transaction* transaction_ = nullptr;
  void* wake_owner_ = nullptr;
  void (*wake_)(void*) = nullptr;
  std::uint64_t chunk_octets_ = 0;  // of the present chunk, whole
  std::uint64_t chunk_left_ = 0;    // of them, not come yet
  std::uint32_t commits_ = 0;       // sequence of the last one
  std::uint32_t contents_ = 0;      // begun in this session
  std::uint32_t progress_ = 0;
  std::uint32_t errors_ = 0;         // since the last message
  std::uint32_t idle_commands_ = 0;  // since the last message
  Phase phase_ = Phase::greeted;
  Phase after_skip_ = Phase::greeted;
  bool heard_ = false;  // some octet was consumed
  bool chunk_last_ = false;
  bool extended_ = false;  // EHLO, not HELO
  bool may_relay_ = false;
  bool draining_ = false;
};

struct Pools::Parts {
  explicit Parts(std::uint32_t capacity)
      : burst(burst_of(capacity)),
        sessions(capacity),
        transactions(capacity),
        marks(capacity),
        chunks(burst + capacity) {}

  // A session whose peer reads its replies needs one chunk; these are there for bursts. When more than half of them are
  // in use, a session stops parsing with less than a chunk held, so that there is one left for each.
  // As many as there are sessions, within bounds: a small relay has small bursts.
  static constexpr std::uint32_t burst_of(std::uint32_t capacity) { return std::clamp(capacity, 512U, 8192U); }
  [[nodiscard]] std::size_t replies_held() const {
    return chunks.used() < burst / 2 ? kRepliesHeld : ReplyChunk::kSize - kLongestReply;
  }

  std::uint32_t burst;
  Slab<Session::Parts> sessions;
  Slab<Transaction> transactions;
  Slab<Marks> marks;
  Slab<ReplyChunk> chunks;
};

}  // namespace ringpost::receive
