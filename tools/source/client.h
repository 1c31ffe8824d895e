// One connection of the source and its dialogue. Drives the socket itself, since a load client has nothing else to
// hide behind a seam; what to send comes from the Plan, when from the Work, what came of it goes to the Report.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "plan.h"
#include "report.h"
#include "ringpost/ring.h"
#include "ringpost/smtp.h"
#include "work.h"

namespace ringpost::source {

enum class Dialogue : std::uint8_t {
  lockstep,   // one command, one reply
  pipelined,  // MAIL RCPT DATA in one send, then the content (RFC 2920)
  overlap,    // the content and the next message's MAIL RCPT DATA in one send
  bdat,       // MAIL RCPT BDAT LAST content, several messages in one send (RFC 3030)
};

struct ClientOptions {
  SocketAddress target;
  SocketAddress source;  // unspecified: the system's choice
  Dialogue dialogue = Dialogue::pipelined;
  std::uint32_t messages_per_connection = 0;  // 0: no limit
  std::uint32_t burst = 8;                    // messages of one bdat send
  std::string ehlo = "source.example";
  Duration timeout{std::chrono::minutes(5)};  // for a connection and for each reply
  bool reconnect = false;
};

struct Source;

class Client {
 public:
  Client(Source& source, const ClientOptions& options);

  void open();
  // Ends soon; what is in flight counts as broken.
  void abandon(View why);
  [[nodiscard]] bool closed() const { return phase_ == Phase::closed && !pause_.armed(); }

 private:
  //   closed → connecting → talking → closing → closed
  enum class Phase : std::uint8_t { closed, connecting, talking, closing };
  enum class Kind : std::uint8_t { banner, ehlo, helo, mail, rcpt, data, content, reset, quit };

  struct Message {
    std::uint64_t number = 0;
    Content content;
    Instant begun;
    std::vector<std::uint16_t> recipient_codes;
    std::uint32_t recipients_taken = 0;
    std::uint16_t refusal = 0;  // the first reply that was against the whole message
    std::string refusal_text;
    bool in_use = false;
    bool mail_taken = false;
    bool go_ahead = false;  // 354
    bool by_data = true;
  };
  struct Awaited {
    Kind kind;
    Message* message;
  };
  // A part of what is sent: of text_, by its place there, or of the plan.
  struct Part {
    const char* octets;  // null: of text_
    std::size_t offset;
    std::size_t size;
  };

  // ---- connection
  void on_connect(const ring::Completion& done);
  void on_receive(const ring::Completion& done);
  void on_send(const ring::Completion& done);
  void on_timeout();
  void lost(View why);
  void broken(Message& message, View why);
  void close_if_done();
  void go_on_after_close();

  // ---- replies
  void take(View octets);
  void replied(const smtp::Reply& reply);
  void replied_to(const Awaited& awaited, const smtp::Reply& reply);
  void replied_to_hello(Kind kind, const smtp::Reply& reply);
  void refused(Message& message, const smtp::Reply& reply);
  void conclude(Message& message, const smtp::Reply* last);

  // ---- dialogue
  void step();
  void step_lockstep();
  void step_pipelined();
  void step_bdat();
  Message* begin_message();
  [[nodiscard]] Message& free_message();
  [[nodiscard]] bool may_begin() const;

  // ---- what is sent
  void say(View text) { text_part(text.size()), text_ += text; }
  void text_part(std::size_t size);
  void say_mail(Message& message);
  void say_recipient(Message& message, std::uint32_t k);
  void say_envelope(Message& message);
  void say_content(Message& message);
  void say_bdat(Message& message);
  void say_reset_if_needed();
  void say_quit();
  void add_octets(View octets);
  void await(Kind kind, Message* message = nullptr) { awaited_.push_back({kind, message}); }
  void flush();

  Source& source_;
  const ClientOptions& options_;
  ring::Socket socket_;
  Phase phase_ = Phase::closed;
  Dialogue dialogue_;  // what the peer's offer leaves of the one asked for
  smtp::ReplyReader reader_;
  smtp::Capabilities offer_;
  std::string text_;     // of the next send
  std::string sending_;  // of the one in the kernel
  std::vector<Part> parts_;
  std::vector<Awaited> awaited_;
  std::size_t next_awaited_ = 0;
  std::vector<std::unique_ptr<Message>> messages_;
  Message* current_ = nullptr;
  Message* next_ = nullptr;             // overlap: its envelope is on the way
  std::uint32_t recipients_asked_ = 0;  // lockstep
  std::uint32_t taken_on_connection_ = 0;
  std::uint32_t burst_;
  bool need_reset_ = false;
  bool quit_said_ = false;
  bool flush_waits_ = false;  // for the send before it to complete
  bool failed_ = false;       // the connection broke: reconnect only if that is wanted
  Instant last_progress_;

  ring::Operation connect_{this, ring::handler<&Client::on_connect>};
  ring::Operation receive_{this, ring::handler<&Client::on_receive>};
  ring::Operation send_{this, ring::handler<&Client::on_send>};
  ring::Timer timeout_{this, ring::call<&Client::on_timeout>};
  ring::Timer pause_{this, ring::call<&Client::open>};
  ring::Timer rate_{this, ring::call<&Client::step>};
};

// What the connections of a run share; outlives them.
struct Source {
  ring::Ring& ring;
  const Plan& plan;
  Work& work;
  Report& report;
  tools::Ledger& ledger;
  ring::Deferred& write_ledger;  // what to defer after a line
  void* owner;
  void (*client_closed)(void* owner);  // may be called often
};

}  // namespace ringpost::source
