// One message on its way through one SMTP session: what was written of it, which replies are owed for that, and how
// each recipient stands. Plain state with the questions one asks of it; Machine writes and reads. A slot is used over
// and over and keeps its memory.
//
// Two things go through the same dialogue at different times, so there are two positions:
//
//   written:  rset ─> mail ─> rcpt… ─> data ─> content ─> over      Step, what comes next; `over`: nothing more
//   awaited:  rset ─> mail ─> rcpt… ─> data ─> content… ─> none     the oldest command that was not answered
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "ringpost/base/bytes.h"
#include "ringpost/deliver.h"
#include "ringpost/smtp.h"

namespace ringpost::deliver {

enum class Step : std::uint8_t { rset, mail, rcpt, data, content, over };

struct Transaction {
  enum class Fate : std::uint8_t {
    open,      // not asked for, or to be asked for again in a transaction that follows
    asked,     // its RCPT was written
    accepted,  // the peer took its RCPT
    settled,   // it has its outcome
  };

  Job* job = nullptr;
  std::vector<Fate> fates;  // by position in job->recipients
  std::size_t settled = 0;  // of them
  std::size_t accepted = 0;

  // ---- written
  Step step = Step::over;
  std::size_t next_asked = 0;  // position from which the next recipient to ask for is looked for
  std::size_t asked = 0;       // recipients in this transaction
  bool began_writing = false;
  bool content_complete = false;   // its last octet and its end were written
  bool in_output = false;          // the kernel may be reading its pieces
  std::uint64_t content_size = 0;  // octets of the source
  std::uint64_t content_left = 0;  // of them: not written yet
  std::uint64_t chunk_left = 0;    // of them: in the chunk that was announced (RFC 3030)
  View piece;                      // what is left of the piece pulled last
  std::size_t piece_size = 0;      // of that piece when it was pulled
  std::size_t to_release = 0;      // octets of pieces whose end stands in the output
  smtp::DotStuffer stuffer;

  // ---- awaited
  bool rset_owed = false;
  bool mail_owed = false;
  bool data_owed = false;
  std::size_t rcpts_owed = 0;
  std::size_t contents_owed = 0;  // the final dot, or chunks
  std::size_t next_answered = 0;  // position from which the recipient of the next RCPT reply is looked for
  bool answered = false;          // some reply has come
  bool mail_accepted = false;
  bool envelope_refused = false;  // MAIL was refused, or DATA was
  bool go_ahead = false;          // 354 has come
  bool content_refused = false;   // a chunk was

  // A new message in this slot.
  void begin(Job& its) {
    job = &its;
    fates.assign(its.recipients.size(), Fate::open);
    settled = 0;
    begin_round();
  }
  // A new transaction for the recipients still open.
  void begin_round() {
    accepted = asked = next_asked = next_answered = 0;
    step = Step::mail;
    began_writing = content_complete = in_output = false;
    content_size = content_left = chunk_left = 0;
    piece = {};
    piece_size = to_release = 0;
    rset_owed = mail_owed = data_owed = false;
    rcpts_owed = contents_owed = 0;
    answered = mail_accepted = envelope_refused = go_ahead = content_refused = false;
  }

  [[nodiscard]] bool all_settled() const { return settled == fates.size(); }
  [[nodiscard]] bool owes_reply() const { return awaited() != Step::over; }
  // Which command the next reply answers; over: none.
  [[nodiscard]] Step awaited() const {
    if (rset_owed) return Step::rset;
    if (mail_owed) return Step::mail;
    if (rcpts_owed > 0) return Step::rcpt;
    if (data_owed) return Step::data;
    return contents_owed > 0 ? Step::content : Step::over;
  }
  // The peer has not said yet whether it takes this transaction at all.
  [[nodiscard]] bool unheard() const { return !mail_accepted && !envelope_refused; }
  // Nothing more is written and no reply is owed.
  [[nodiscard]] bool finished() const { return step == Step::over && !owes_reply(); }
  // All of the envelope that was written is answered, and nobody is left who could be sent the content.
  [[nodiscard]] bool pointless() const {
    return envelope_refused || (began_writing && accepted == 0 && !mail_owed && !rset_owed && rcpts_owed == 0);
  }
  // Octets of the content were announced, or asked for by 354, and are not all written: only a break can end it.
  [[nodiscard]] bool inside_content() const {
    return step == Step::content && (chunk_left > 0 || (go_ahead && !content_complete));
  }
};

}  // namespace ringpost::deliver
