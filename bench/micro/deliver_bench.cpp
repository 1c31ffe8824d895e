// What one message costs in the client's session: commands written, replies read, outcome told; no network. Each
// iteration is one message; the server's words are ready-made.
#include <benchmark/benchmark.h>

#include <cstdint>
#include <string>
#include <vector>

#include "ringpost/base/check.h"
#include "ringpost/deliver.h"

namespace {

using namespace ringpost;
using deliver::ClientSession;

// A content in chunks as spool keeps it: the trace line, then the rest.
class Content final : public message::BodySource {
 public:
  std::string trace = std::string(200, 't') + "\r\n";
  std::string text;

  std::uint64_t size() const override { return trace.size() + text.size(); }
  Pull next() override {
    constexpr std::size_t kChunk = 16384;
    if (at_ == 0) return give(trace);
    const std::size_t from = at_ - trace.size();
    if (from == text.size()) return {};
    return give(View{text}.substr(from, kChunk));
  }
  void release(std::size_t) override {}
  void rewind() override { at_ = 0; }
  void on_ready(void*, void (*)(void*)) override {}

 private:
  Pull give(View piece) {
    at_ += piece.size();
    return {Pull::State::ready, piece};
  }
  std::size_t at_ = 0;
};

class Core final : public deliver::Talk {
 public:
  explicit Core(std::size_t octets) {
    envelope.set_reverse_path("bounces-12345@news.example.org");
    envelope.add_recipient("somebody.else@customer.example.net", 20, 0, {});
    for (Content& content : contents) content.text.assign(octets, 'x');
    facts.size = octets;
    for (std::size_t i = 0; i < jobs.size(); ++i)
      jobs[i] = {SpoolId{1}, {}, &envelope, &facts, recipients, &contents[i]};
  }
  deliver::Job* next() override {
    if (left == 0) return nullptr;
    --left;
    const std::size_t index = taken++ % jobs.size();
    contents[index].rewind();
    return &jobs[index];
  }
  void outcome(deliver::Job&, std::uint32_t, const message::Outcome& o) override {
    delivered += o.kind == message::Outcome::Kind::delivered;
  }
  void done(deliver::Job&) override {}
  void returned(deliver::Job&) override {}
  void reached() override {}
  void bdat_unknown() override {}
  void ready() override {}

  message::Envelope envelope;
  message::ContentFacts facts;
  std::vector<std::uint32_t> recipients{0};
  std::array<Content, deliver::kTransactionsInFlight + 1> contents;
  std::array<deliver::Job, deliver::kTransactionsInFlight + 1> jobs;
  std::size_t left = 0;
  std::size_t taken = 0;
  std::int64_t delivered = 0;
};

void say(ClientSession& session) {
  for (;;) {
    const auto pieces = session.output();
    std::size_t octets = 0;
    for (const iovec& piece : pieces) octets += piece.iov_len;
    if (octets == 0) return;
    session.sent(octets);
  }
}

struct Bench {
  explicit Bench(std::size_t octets, View capabilities)
      : core(octets), session("mx1.example.net", manners, timeouts, core) {
    session.feed("220 s\r\n");
    say(session);
    session.feed(capabilities);
  }
  ~Bench() { session.broken("over"); }

  config::Manners manners{.messages_per_connection = 0};
  config::DeliverTimeouts timeouts;
  Core core;
  ClientSession session;
};

constexpr View kMail = "250 2.1.0 Ok\r\n";
constexpr View kRcpt = "250 2.1.5 Ok\r\n";
constexpr View kKept = "250 2.0.0 Ok: queued as 4hXq2Z1xYzz9r\r\n";

void bdat_burst(benchmark::State& state) {
  Bench bench(static_cast<std::size_t>(state.range(0)),
              "250-s\r\n250-PIPELINING\r\n250-SIZE 52428800\r\n250 CHUNKING\r\n");
  std::string replies;
  for (std::size_t i = 0; i < deliver::kTransactionsInFlight; ++i) {
    if (i > 0) replies += "250 2.0.0 Ok\r\n";
    (replies += kMail) += kRcpt;
    replies += kKept;
  }
  for (auto _ : state) {
    bench.core.left = deliver::kTransactionsInFlight;
    say(bench.session);
    bench.session.feed(replies);
  }
  state.SetItemsProcessed(state.iterations() * static_cast<std::int64_t>(deliver::kTransactionsInFlight));
  RINGPOST_CHECK(bench.core.delivered ==
                 state.iterations() * static_cast<std::int64_t>(deliver::kTransactionsInFlight));
}
BENCHMARK(bdat_burst)->Arg(4096)->Arg(65536);

void data_with_next_envelope(benchmark::State& state) {
  Bench bench(static_cast<std::size_t>(state.range(0)), "250-s\r\n250-SIZE 52428800\r\n250 PIPELINING\r\n");
  std::string replies;
  ((replies += kMail) += kRcpt) += "354 End data with <CR><LF>.<CR><LF>\r\n";
  const std::string overlapped = std::string(kKept) + replies;
  bench.core.left = 1;
  say(bench.session);
  bench.session.feed(replies);
  for (auto _ : state) {
    bench.core.left = 1;
    say(bench.session);
    bench.session.feed(overlapped);
  }
  state.SetItemsProcessed(state.iterations());
  RINGPOST_CHECK(bench.core.delivered == state.iterations());
}
BENCHMARK(data_with_next_envelope)->Arg(4096)->Arg(65536);

}  // namespace
