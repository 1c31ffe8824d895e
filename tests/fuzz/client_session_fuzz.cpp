// A client session against a server that says anything at any time. The first octets choose manners and messages; the
// rest is what the server says, cut into pieces between which the session has its turns. Whatever is said: each
// recipient gets one outcome or its job comes back, nothing is called delivered that was not answered 2xx, what is sent
// stays in its bounds, and the session gives everything back at the end.
#include <algorithm>
#include <array>
#include <cstdint>
#include <deque>
#include <memory>
#include <string>
#include <vector>

#include "pieces.h"
#include "ringpost/base/check.h"
#include "ringpost/deliver.h"

namespace {

using ringpost::View;
namespace deliver = ringpost::deliver;
namespace message = ringpost::message;

class Content final : public message::BodySource {
 public:
  std::string text;
  std::size_t piece = 7;
  bool waits = false;  // once, in the middle
  bool fails = false;  // there

  std::uint64_t size() const override { return text.size(); }
  Pull next() override {
    if (at_ >= text.size() / 2 && fails) return {Pull::State::failed, {}};
    if (at_ >= text.size() / 2 && waits) {
      waits = false;
      return {Pull::State::wait, {}};
    }
    const View out = View{text}.substr(at_, piece);
    at_ += out.size();
    return {out.empty() ? Pull::State::end : Pull::State::ready, out};
  }
  void release(std::size_t octets) override {
    released_ += octets;
    CHECK(released_ <= at_);
  }
  void rewind() override { at_ = released_ = 0; }
  void on_ready(void*, void (*)(void*)) override {}

 private:
  std::size_t at_ = 0;
  std::size_t released_ = 0;
};

struct Letter {
  message::Envelope envelope;
  message::ContentFacts facts;
  std::vector<std::uint32_t> recipients;
  std::vector<bool> settled;
  Content content;
  deliver::Job job;
  bool taken = false;
};

class Core final : public deliver::Talk {
 public:
  std::deque<Letter> letters;
  std::size_t next_letter = 0;
  int delivered = 0;

  deliver::Job* next() override {
    if (next_letter == letters.size()) return nullptr;
    Letter& letter = letters[next_letter++];
    letter.taken = true;
    return &letter.job;
  }
  void outcome(deliver::Job& job, std::uint32_t recipient, const message::Outcome& outcome) override {
    Letter& letter = letter_of(job);
    CHECK(!letter.settled.at(recipient));
    letter.settled[recipient] = true;
    CHECK(outcome.text.size() <= ringpost::smtp::kReplyText);
    CHECK(outcome.enhanced.given());
    if (outcome.kind != message::Outcome::Kind::delivered) return;
    CHECK(outcome.code / 100 == 2);
    ++delivered;
  }
  void done(deliver::Job& job) override {
    Letter& letter = letter_of(job);
    CHECK(std::find(letter.settled.begin(), letter.settled.end(), false) == letter.settled.end());
    letter.taken = false;
  }
  void returned(deliver::Job& job) override {
    Letter& letter = letter_of(job);
    CHECK(std::find(letter.settled.begin(), letter.settled.end(), true) == letter.settled.end());
    letter.taken = false;
  }
  void reached() override {}
  void bdat_unknown() override {}
  void ready() override {}

 private:
  Letter& letter_of(deliver::Job& job) {
    for (Letter& letter : letters)
      if (&letter.job == &job) {
        CHECK(letter.taken);
        return letter;
      }
    CHECK(false);
    return letters.front();
  }
};

void add_letter(Core& core, std::uint8_t kind) {
  Letter& letter = core.letters.emplace_back();
  letter.envelope.set_reverse_path(kind % 7 == 0 ? View{} : View{"a@example.org"});
  letter.envelope.smtputf8 = kind % 5 == 0;
  const std::size_t recipients = 1 + kind % 4;
  for (std::size_t i = 0; i < recipients; ++i) {
    letter.envelope.add_recipient(kind % 5 == 0 && i == 1 ? View{"\xC3\xA4@example.net"} : View{"b@example.net"}, 11, 0,
                                  {});
    letter.recipients.push_back(static_cast<std::uint32_t>(i));
  }
  letter.settled.resize(recipients);
  letter.content.text.assign(kind * 3U, kind % 2 == 0 ? '.' : 'x');
  for (std::size_t i = 2; i + 1 < letter.content.text.size(); i += 9) letter.content.text.replace(i, 2, "\r\n");
  letter.content.piece = 1 + kind % 50;
  letter.content.waits = kind % 11 == 0;
  letter.content.fails = kind % 13 == 0;
  letter.facts = {.size = letter.content.text.size(), .dot_lines = kind % 2 == 0, .eight_bit = kind % 3 == 0};
  letter.job = {ringpost::SpoolId{1}, {}, &letter.envelope, &letter.facts, letter.recipients, &letter.content};
}

// Takes what the session says, twice at the most: what waits goes on in the next turn.
void let_speak(deliver::ClientSession& session) {
  for (int i = 0; i < 2 && !session.ended(); ++i) {
    const auto pieces = session.output();
    CHECK(pieces.size() <= ringpost::ring::kSendPieces);
    std::size_t octets = 0;
    for (const iovec& piece : pieces) {
      CHECK(piece.iov_len > 0);
      octets += piece.iov_len;
    }
    if (octets == 0) return;
    session.sent(octets);
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  constexpr std::size_t kHead = 8;
  if (size < kHead) return 0;
  const View said(reinterpret_cast<const char*>(data) + kHead, size - kHead);
  ringpost::config::Manners manners;
  manners.pipelining = (data[0] & 1) != 0;
  manners.chunking = (data[0] & 2) != 0;
  manners.overlap = (data[0] & 4) != 0;
  manners.messages_per_connection = data[1] % 8;
  const ringpost::config::DeliverTimeouts timeouts;
  Core core;
  for (std::size_t i = 2; i < kHead; ++i) add_letter(core, data[i]);

  deliver::ClientSession session("client.example", manners, timeouts, core);
  std::uint64_t progress = 0;
  for (ringpost::fuzz::Pieces pieces(said); !pieces.done() && !session.ended();) {
    session.feed(std::string(pieces.next()));
    if ((data[0] & 8) == 0 || said.size() % 3 == 0) let_speak(session);
    CHECK(session.progress() >= progress);
    progress = session.progress();
    CHECK(session.patience() > ringpost::Duration{});
    CHECK(session.in_flight() <= deliver::kTransactionsInFlight);
    if (session.usable()) CHECK(!session.ended());
  }
  let_speak(session);
  if ((data[0] & 16) != 0) session.timed_out();
  session.broken("the end");
  CHECK(session.ended() && session.in_flight() == 0);
  for (const Letter& letter : core.letters) CHECK(!letter.taken);
  return 0;
}
