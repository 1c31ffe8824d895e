// Any octets, cut anywhere, into a server session: it stays within its bounds, gives every draft back or away exactly
// once, and says and keeps the same however the octets were cut.
#include <cstdint>
#include <cstdlib>
#include <string>

#include "../dialog/memory_host.h"
#include "ringpost/base/random.h"
#include "ringpost/receive.h"

namespace {

using namespace ringpost;

// All that a session did, as one text.
struct Outcome {
  std::string said;
  std::string kept;
  bool operator==(const Outcome&) const = default;
};

class Play {
 public:
  Play() {
    config_.hostname = "mx.server.example";
    config_.limits.message_size = 2000;
    config_.limits.recipients = 5;
    config_.receive.max_received = 3;
    peer_.client = SocketAddress::v4(127, 0, 0, 1, 40000);
  }

  // `cuts` null: all in one piece.
  Outcome run(View octets, Random* cuts) {
    {
      receive::Session session{config_, peer_, host_, receive::Ticket{}, pools_};
      while (!octets.empty() && !session.ended()) {
        const std::size_t piece = cuts == nullptr ? octets.size() : 1 + cuts->below(octets.size());
        offer(session, octets.substr(0, piece), cuts);
        octets.remove_prefix(piece);
      }
      collect(session, nullptr);
    }
    for (const auto& kept : host_.kept) tell(*kept.draft);
    RINGPOST_CHECK(host_.open.empty());
    return std::move(outcome_);
  }

 private:
  void offer(receive::Session& session, View octets, Random* cuts) {
    pending_.append(octets);
    for (;;) {
      const std::string offered = pending_;
      const std::size_t consumed = session.feed(offered);
      RINGPOST_CHECK(consumed <= offered.size());
      pending_.erase(0, consumed);
      for (const receive::Ticket& ticket : host_.awaited) session.committed(ticket.sequence, {});
      host_.awaited.clear();
      collect(session, cuts);
      if (consumed == 0 || pending_.empty()) break;
    }
    // What is left is an unfinished line, or the session has ended.
    RINGPOST_CHECK(session.ended() || pending_.size() <= smtp::kCommandLine);
  }

  void collect(receive::Session& session, Random* cuts) {
    while (!session.output().empty()) {
      const View said = session.output();
      const std::size_t taken = cuts == nullptr ? said.size() : 1 + cuts->below(said.size());
      outcome_.said.append(said.substr(0, taken));
      session.sent(taken);
    }
  }

  void tell(const dialog::MemoryDraft& draft) {
    RINGPOST_CHECK(draft.facts.size == draft.sink.content.size() && draft.facts.size <= config_.limits.message_size);
    RINGPOST_CHECK(draft.envelope.recipient_count() > 0);
    draft.envelope.encode(outcome_.kept);
    outcome_.kept += draft.trace + draft.sink.content;
  }

  config::Config config_;
  receive::Peer peer_;
  dialog::MemoryHost host_;
  receive::Pools pools_{1};
  std::string pending_;
  Outcome outcome_;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 1) return 0;
  const View octets{reinterpret_cast<const char*>(data) + 1, size - 1};
  Random cuts{data[0]};
  const Outcome whole = Play{}.run(octets, nullptr);
  const Outcome cut = Play{}.run(octets, &cuts);
  RINGPOST_CHECK(whole == cut);
  return 0;
}
