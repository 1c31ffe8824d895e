// One mail transaction from MAIL to the reply that ends it: the draft that is filled, and the one pass over its content
// (stuffing, line ends, size, Received fields). It lives in a pool and belongs to a session only while there is a
// transaction.
//
// Who calls: Session. Never here: commands, replies, the order of things.
#pragma once

#include <bitset>
#include <cstdint>
#include <utility>

#include "ringpost/message.h"
#include "ringpost/receive.h"
#include "ringpost/smtp.h"

namespace ringpost::receive {

// Why a transaction will not be taken, found while its content is still arriving.
struct Denial {
  std::uint16_t code = 0;  // 0: none
  smtp::EnhancedCode enhanced;
  View text;  // static
  [[nodiscard]] bool given() const { return code != 0; }
};

class Transaction {
 public:
  // `draft` is new and empty; from here on this owns it, until commit() or the end.
  Transaction(Host& host, message::Draft& draft) : host_(host), draft_(&draft) {}
  ~Transaction() { abandon(); }
  Transaction(const Transaction&) = delete;
  Transaction& operator=(const Transaction&) = delete;

  // ---- envelope. Null once the transaction is denied: then nothing is kept any more.
  [[nodiscard]] message::Draft* draft() { return draft_; }
  [[nodiscard]] bool smtputf8() const { return smtputf8_; }
  void set_sender(const smtp::MailCommand& mail, View helo, bool extended, const SocketAddress& client);
  // Adds a recipient unless the same one, with the same parameters, is there: who is named twice gets one copy.
  void add_recipient(const smtp::RcptCommand& rcpt);
  // RCPTs accepted, repeated ones counted.
  [[nodiscard]] std::uint32_t recipients() const { return recipients_; }
  // RCPTs over the limit, for the session to bound them; counted up by each call.
  std::uint32_t one_over_limit() { return ++over_limit_; }

  // ---- content
  enum class Manner : std::uint8_t { data, bdat };
  // The first octet is about to come. `drained` is called with `owner` when a full sink can take octets again.
  void begin_content(Manner manner, void* owner, void (*drained)(void* owner));
  // Octets that follow 354, dots and all; gives how many were consumed. Stops at the end of data or when the sink is
  // full.
  std::size_t take_data(View input, const config::Config& config);
  // Octets of a BDAT chunk, as they are. The sink may be full behind them.
  void take_chunk(View octets, const config::Config& config);
  [[nodiscard]] bool data_ended() const { return data_ended_; }
  [[nodiscard]] bool sink_full() const { return sink_full_; }
  void sink_drained() { sink_full_ = false; }

  // ---- the end
  // Not to be taken: the draft is given up now, the rest of the content is consumed without being kept. The first one
  // counts.
  void deny(const Denial& why);
  [[nodiscard]] const Denial& denial() const { return denial_; }
  // True once: the first reply that carries the denial is an error of the client, repetitions for further chunks are
  // not.
  bool tell_denial() { return !std::exchange(denial_told_, true); }
  // The last octet has come: judges the content as a whole.
  void complete(const config::Config& config);
  // A CR or LF that stood alone: damage or smuggling. Asked at the end of the content.
  [[nodiscard]] bool bare() const;
  // Completes the draft and hands it to the host. Only when not denied; the transaction is over.
  void commit(Ticket ticket, View hostname);
  [[nodiscard]] std::uint64_t octets() const { return octets_; }

 private:
  void keep(View octets, const config::Config& config);
  bool contain(std::uint64_t octets, std::uint32_t received, const config::Config& config);
  void abandon();
  message::Draft& let_go();
  [[nodiscard]] smtp::BodyFacts facts() const;

  Host& host_;
  message::Draft* draft_;
  Denial denial_;
  std::uint64_t octets_ = 0;  // of the content, kept or not
  std::uint32_t recipients_ = 0;
  std::uint32_t over_limit_ = 0;
  Manner manner_ = Manner::data;
  bool smtputf8_ = false;
  bool sink_full_ = false;
  bool data_ended_ = false;
  bool denial_told_ = false;
  std::bitset<1024> seen_;  // by hash of the forward-path: who is not in it was not named before
  smtp::BodyScanner scanner_;
  smtp::BodyCounter counter_;
  message::HeaderScan header_;
};

}  // namespace ringpost::receive
