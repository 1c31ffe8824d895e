// What the tests of a client session stand on: letters with a content in memory that can wait, fail or have a small
// window; a Talk that hands them out and watches that each recipient gets exactly one outcome before done(); and a
// server in memory that keeps to the letter of RFC 5321, 2920 and 3030, reports each breach of them, and can misbehave.
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "ringpost/deliver.h"

namespace ringpost::deliver::test {

// A content of pieces of `piece` octets, of which at most `window` are out unreleased (0: no bound). At `wait_at` it
// says wait once, until resume(); at `fail_at` it fails.
class Source final : public message::BodySource {
 public:
  std::string text;
  std::size_t piece = 4096;
  std::size_t window = 0;
  std::optional<std::size_t> wait_at, fail_at;
  std::size_t given = 0, released = 0;
  int rewinds = 0;

  std::uint64_t size() const override { return text.size(); }
  Pull next() override {
    if (wait_at && given >= *wait_at) return {Pull::State::wait, {}};
    if (fail_at && given >= *fail_at) return {Pull::State::failed, {}};
    if (given == text.size()) return {Pull::State::end, {}};
    if (window > 0 && given - released >= window) return {Pull::State::wait, {}};
    const View out = View{text}.substr(given, piece);
    given += out.size();
    return {Pull::State::ready, out};
  }
  void release(std::size_t octets) override {
    released += octets;
    RINGPOST_CHECK(released <= given);
  }
  void rewind() override { given = released = 0, ++rewinds; }
  void on_ready(void* owner, void (*ready)(void* owner)) override { owner_ = owner, ready_ = ready; }
  void resume() {
    wait_at.reset();
    ready_(owner_);
  }

 private:
  void* owner_ = nullptr;
  void (*ready_)(void* owner) = nullptr;
};

struct Letter {
  message::Envelope envelope;
  message::ContentFacts facts;
  std::vector<std::uint32_t> recipients;
  Source source;
  Job job;
  // "delivered 250 2.0.0 text", by index into the envelope; empty: none yet.
  std::vector<std::string> outcomes;
  bool taken = false, done = false;
  int returned = 0;

  Letter(std::uint64_t number, std::size_t count, std::string content, View from = "from@example.org");
  [[nodiscard]] std::size_t with(View prefix) const;  // recipients whose outcome begins so
  void note(std::uint32_t recipient, const message::Outcome&);
  [[nodiscard]] bool over() const { return done || returned > 0; }
};

// Hands out the letters in order and keeps what comes back.
class Scene : public Talk {
 public:
  config::Manners manners;
  config::DeliverTimeouts timeouts;
  std::deque<std::unique_ptr<Letter>> letters;
  std::size_t next_letter = 0;
  bool requeue = false;  // returned letters go out again at once
  int reached_count = 0, ready_count = 0, bdat_unknown_count = 0;
  std::optional<ClientSession> session;

  ~Scene() override {
    if (session) session->broken("test over");
  }
  Letter& add(std::size_t recipients = 1, std::string content = "Subject: x\r\n\r\nbody\r\n");
  void start() { session.emplace("client.example", manners, timeouts, *this); }
  // What the session says now, and as much as it says behind that.
  std::string said();
  void hear(View octets) { session->feed(octets); }
  // said() == expected, then hears `reply`; false with a message where not.
  bool dialogue(View expected, View reply);

  Job* next() override;
  void outcome(Job&, std::uint32_t recipient, const message::Outcome&) override;
  void done(Job&) override;
  void returned(Job&) override;
  void reached() override { ++reached_count; }
  void bdat_unknown() override { ++bdat_unknown_count; }
  void ready() override { ++ready_count; }

 private:
  Letter& letter_of(Job&);
};

enum class Stage { banner, ehlo, mail, rcpt, data, content, end, rset, quit };
enum class Fault { none, drop, later, never, bye, hang, nonsense, drip, early, go_on, done };

// A strict server: octets in, octets out.
class Server {
 public:
  std::string capabilities =
      "PIPELINING\r\nCHUNKING\r\nSIZE 100000000\r\n8BITMIME\r\nSMTPUTF8\r\nDSN\r\nENHANCEDSTATUSCODES";
  Stage fault_stage = Stage::banner;
  Fault fault = Fault::none;
  int fault_from = 1;                      // how manieth time the stage is reached
  std::size_t recipients_most = SIZE_MAX;  // 452 4.5.3 after so many in one transaction
  bool knows_bdat = true;                  // false: offers CHUNKING, answers 502 and takes the octets for commands
  std::map<std::string, std::string> rcpt_replies;  // by forward-path: said instead of 250
  bool opens_data_always = false;                   // 354 although no recipient is left (RFC 2920 3.1)

  struct Message {
    std::string from;
    std::vector<std::string> to;
    std::string content;
  };
  std::vector<Message> messages;
  std::vector<std::string> commands;
  std::vector<std::string> breaches;  // of the protocol, by the client
  bool closed = false, silent = false;

  std::string greet();
  // Takes octets and gives the replies.
  std::string take(View octets);

 private:
  std::string command(View line);
  std::string ehlo(View line);
  std::string mail(View line);
  std::string rcpt(View line);
  std::string data();
  std::string bdat(View line);
  void end_of_transaction();
  std::string take_data();
  std::string take_chunk();
  std::string finish();
  // The reply of a stage, as the fault wants it.
  std::string reply(Stage, std::string normal);
  bool faulty(Stage);
  bool dies_in_content();

  enum class Place { commands, data, chunk } place_ = Place::commands;
  std::string in_;
  std::size_t chunk_left_ = 0;
  bool chunk_last_ = false, chunk_wanted_ = false;
  bool greeted_ = false, open_ = false, quit_ = false, chunks_begun_ = false;
  int counts_[16] = {};
  Message now_;
};

// Runs until nobody says anything more; the session is told of a drop, and of the time being up when the server hangs.
void run(Scene&, Server&, std::size_t segment = SIZE_MAX);

}  // namespace ringpost::deliver::test
