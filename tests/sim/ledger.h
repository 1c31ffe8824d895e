// The judge from outside: what clients handed in and were told, what peers took, and what must follow from it. It knows
// nothing of the relay but its promises (I1–I5 and I9); it hears from the simulated clients and peers as things happen
// and, at the end, what the relay's spool says of itself.
//
// A message is known by the number in its reverse-path, a recipient by its place: k17@sender.test, k17.r0@d2.test. A
// DSN is known by its null reverse-path and its Message-ID, and judged by what it tells its reader.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "network.h"
#include "ringpost/message.h"

namespace ringpost::sim {

// A peer took responsibility for one recipient: its 2xx to the end of the content was written.
struct Taking {
  EndpointPointer end;          // the peer's end of the connection; null: no reply was sent
  std::uint64_t reply_end = 0;  // octets written on it up to the end of that reply
};

struct RecipientRecord {
  std::string path;
  unsigned offers = 0;            // times it was part of a complete content that was handed in
  unsigned refused_offers = 0;    // of them: answered with 4xx or 5xx
  unsigned acknowledgements = 0;  // of them: answered with 250
  bool peer_refused = false;      // a peer said 5xx to it, so that failing is right
  std::vector<Taking> takings{};
  std::set<std::string> told_failed{};  // ids of the DSNs that said so to the sender
  std::set<std::string> told_delayed{};
  // What the spool says at the end, over all copies.
  unsigned open = 0;
  unsigned failed = 0;
};

struct MessageRecord {
  std::uint64_t key = 0;
  std::string reverse_path;
  std::string content;
  bool eight_bit = false;
  bool ret_full = false;
  bool dsn_refused = false;  // a peer said 5xx to a DSN for its sender: what it told is known to nobody
  std::vector<RecipientRecord> recipients;
  std::vector<std::string> acknowledgements;  // the texts of the 250s: each names a spool id
  bool settled = false;                       // no client will offer it again
};

class Ledger {
 public:
  using Violation = std::function<void(std::string)>;
  explicit Ledger(Violation violation) : violation_(std::move(violation)) {}

  MessageRecord& add(MessageRecord message);  // gives it its key
  [[nodiscard]] std::deque<MessageRecord>& messages() { return messages_; }

  // ---- from clients; `recipients` are places
  void offered(MessageRecord&, const std::vector<std::size_t>& recipients);
  void refused(MessageRecord&, const std::vector<std::size_t>& recipients);
  // One of the recipients that were said to be offered was not part of it: its RCPT was refused.
  void withdrawn(MessageRecord& message, std::size_t recipient) { --message.recipients[recipient].offers; }
  // The relay said 5xx to a message that it has no reason to refuse.
  void refused_for_good(MessageRecord&, int code);
  void acknowledged(MessageRecord&, const std::vector<std::size_t>& recipients, std::string reply);

  // ---- from peers
  void took(View reverse_path, const std::vector<std::string>& forward_paths, View content, const Taking&);
  void peer_refused(View reverse_path, const std::vector<std::string>& forward_paths);  // empty: all of the message's

  // ---- from the world: the process ended at `when` without having kept what happened since `unkept_since`
  void crashed(Instant unkept_since, Instant when) { crashes_.push_back({unkept_since, when}); }
  // What the spool holds at the end, one call a message.
  void kept(const message::Envelope&, const message::State&);

  // A message may fail because its time is over, too.
  void expiry_is_possible() { may_expire_ = true; }

  // ---- judgement
  // Who is still owed, for the report of a seed that does not drain.
  [[nodiscard]] std::string owed(std::size_t at_most) const;
  void judge();

  struct Totals {
    std::uint64_t messages = 0;
    std::uint64_t acknowledged = 0;
    std::uint64_t takings = 0;
    std::uint64_t repeated = 0;  // takings past the first, all of them allowed
    std::uint64_t failed = 0;    // told to their senders
    std::uint64_t delayed = 0;
  };
  [[nodiscard]] Totals totals() const;

 private:
  struct Crash {
    Instant unkept_since;
    Instant when;
  };
  struct Found {
    MessageRecord* message = nullptr;
    std::size_t recipient = 0;
  };
  MessageRecord* find(View reverse_path);
  Found find_recipient(View forward_path);
  [[nodiscard]] bool counted(const Taking&) const;
  void judge(const MessageRecord&, const RecipientRecord&);
  void took_dsn(const std::vector<std::string>& forward_paths, View content);
  void told(MessageRecord&, View status, const std::string& dsn);
  void check_content(const MessageRecord&, View content);
  void check_id(const MessageRecord&, View trace);
  static bool owed(const MessageRecord&, const RecipientRecord&);

  Violation violation_;
  std::deque<MessageRecord> messages_;  // by key, stay where they are
  bool may_expire_ = false;
  std::vector<Crash> crashes_;
};

}  // namespace ringpost::sim
