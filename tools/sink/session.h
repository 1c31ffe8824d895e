// One SMTP session of the sink: takes what a client sends, fills an output, misbehaves as told. No I/O and no clock:
// its connection reads, writes, waits and closes for it.
#pragma once

#include <array>
#include <cstdint>
#include <string>

#include "behaviour.h"
#include "message_record.h"
#include "ringpost/base/random.h"
#include "ringpost/smtp.h"
#include "tools/common/ledger.h"

namespace ringpost::sink {

struct Counts {
  std::uint64_t connections = 0;
  std::uint64_t refused_connections = 0;  // over --max-connections
  std::uint64_t messages = 0;
  std::uint64_t recipients = 0;  // of those messages
  std::uint64_t octets = 0;      // of those messages
  std::uint64_t bdat_messages = 0;
  std::uint64_t unoffered_pipelining = 0;  // commands that came before the reply to the last, without the offer
  std::uint64_t errors = 0;                // commands answered 5xx by the protocol, not by a rule
  std::array<std::array<std::uint64_t, kDeeds>, kStages> deeds{};
};

// What all sessions of a sink share; outlives them.
struct Shared {
  std::string hostname = "sink.example";
  std::string ehlo_reply;  // ready to send
  bool chunking = true;
  bool pipelining = true;
  std::uint64_t size_limit = 0;  // octets; 0: none
  Behaviour behaviour;
  Random random{0};
  Counts counts;
  tools::Ledger ledger;
  WallTime wall;  // of this turn
};

// The EHLO reply for these extensions, each a line as it is ("SIZE 1000"); sets what else follows from them.
void offer(Shared& shared, const std::vector<std::string>& extensions);

class Session {
 public:
  explicit Session(Shared& shared) : shared_(shared) {}

  void greet();
  // Takes commands and message octets off the front of `input`; gives how many. It takes nothing while it waits for
  // resume(), hangs or is over; an unfinished line is left for the next call.
  std::size_t feed(View input);
  // What to send; the caller takes it.
  std::string& output() { return output_; }
  // More than zero: the caller calls resume() after so long.
  [[nodiscard]] Duration waits() const { return waits_; }
  void resume();
  // Told to hang within a message: the connection leaves what the client sends in the kernel.
  [[nodiscard]] bool stops_reading() const { return phase_ == Phase::hung && stage_ == Stage::body; }
  [[nodiscard]] bool over() const { return phase_ == Phase::over; }  // close when the output is sent

 private:
  //   connect → command ⇄ data (→ 354 … dot)
  //                     ⇄ chunk (BDAT octets)
  //   any → hung, any → over
  enum class Phase : std::uint8_t { command, data, chunk, hung, over };
  // What the dialogue does at a stage when no rule is against it.
  using Step = void (Session::*)();

  // Lets the rules decide, then takes `step` or does what they say; at once or after a delay.
  void at(Stage stage, Step step, View recipient = {});
  void act();
  void refuse(std::uint16_t code);
  void reply(View line) { output_ += line; }
  void reply_error(const smtp::Refusal& refusal);
  void after_refusal();

  std::size_t feed_line(View input);
  std::size_t feed_data(View input);
  std::size_t feed_chunk(View input);
  void command(View line);
  void ehlo(const smtp::Command& command);
  void mail(View argument);
  void rcpt(View argument);
  void data();
  void bdat(View argument);
  bool body_begins();
  void content(View octets);
  void chunk_done();
  void message_done();
  void reset();

  void step_greeting();
  void step_ehlo();
  void step_helo();
  void step_mail();
  void step_rcpt();
  void step_data();
  void step_body() {}
  void step_message();
  void step_quit();

  Shared& shared_;
  std::string output_;
  smtp::LineScanner lines_;
  smtp::BodyScanner body_;
  smtp::BodyCounter counter_;
  MessageRecord record_;
  std::string recipient_;  // of the RCPT being decided
  Phase phase_ = Phase::command;
  Stage stage_ = Stage::connect;  // of the pending decision
  Step step_ = nullptr;
  Decision decision_;
  Duration waits_{0};
  bool closed_to_mail_ = false;  // the greeting was a 554
  bool in_transaction_ = false;
  bool body_begun_ = false;
  bool bdat_ = false;
  bool last_chunk_ = false;
  bool discard_chunk_ = false;  // BDAT without a transaction: its octets are not a message
  std::uint32_t recipients_ = 0;
  std::uint64_t chunk_left_ = 0;
  std::uint64_t message_octets_ = 0;
};

}  // namespace ringpost::sink
