// What the server session costs for one message of 4 KiB, without network and spool: the two dialogues of a fast
// client, and lockstep. The sink only counts, the trace line is written, the commit is answered at once.
#include <benchmark/benchmark.h>

#include <string>

#include "ringpost/receive.h"

namespace {

using ringpost::View;
namespace message = ringpost::message;
namespace receive = ringpost::receive;

class CountingSink : public message::BodySink {
 public:
  State push(View octets) override {
    benchmark::DoNotOptimize(octets.data());
    return State::ok;
  }
  void on_drained(void*, void (*)(void*)) override {}
};

class NullHost : public receive::Host {
 public:
  NullHost() { draft_.content = &sink_; }
  std::uint32_t last = 0;

  ringpost::WallTime wall() override { return {1'764'066'000'000}; }
  message::Draft* begin(receive::Refused&) override {
    draft_.id = ringpost::SpoolId::make(1, ++count_);
    draft_.envelope.clear();
    return &draft_;
  }
  void commit(message::Draft&, receive::Ticket ticket) override { last = ticket.sequence; }
  void abandon(message::Draft&) override {}
  void refused(const ringpost::SocketAddress&, View, View, std::uint16_t, ringpost::smtp::EnhancedCode, View) override {
  }

 private:
  CountingSink sink_;
  message::Draft draft_;
  std::uint64_t count_ = 0;
};

std::string content() {
  std::string text = "Subject: a bench\r\nFrom: <a@client.example>\r\nTo: <b@server.example>\r\n\r\n";
  while (text.size() < 4096) text += std::string(70, 'a') + "\r\n";
  return text;
}

const std::string kEnvelope = "MAIL FROM:<a@client.example>\r\nRCPT TO:<b@server.example>\r\n";

struct Talk {
  ringpost::config::Config config;
  NullHost host;
  receive::Pools pools{1};
  std::unique_ptr<receive::Session> session;

  Talk() {
    config.hostname = "mx.server.example";
    receive::Peer peer;
    peer.client = ringpost::SocketAddress::v4(127, 0, 0, 1, 40000);
    session = std::make_unique<receive::Session>(config, peer, host, receive::Ticket{}, pools);
    say("EHLO client.example\r\n");
  }
  void say(View octets) {
    if (session->feed(octets) != octets.size()) std::abort();
    flush();
  }
  void keep() {
    session->committed(host.last, {});
    flush();
  }
  void flush() {
    while (!session->output().empty()) session->sent(session->output().size());
  }
};

// One send: the body with its dot, and the next envelope.
void overlapped(benchmark::State& state) {
  Talk talk;
  const std::string turn = content() + ".\r\n" + kEnvelope + "DATA\r\n";
  talk.say(kEnvelope + "DATA\r\n");
  for (auto _ : state) {
    talk.say(turn);
    talk.keep();
  }
}
BENCHMARK(overlapped);

void bdat(benchmark::State& state) {
  Talk talk;
  const std::string body = content();
  const std::string turn = kEnvelope + "BDAT " + std::to_string(body.size()) + " LAST\r\n" + body;
  for (auto _ : state) {
    talk.say(turn);
    talk.keep();
  }
}
BENCHMARK(bdat);

void lockstep(benchmark::State& state) {
  Talk talk;
  const std::string body = content() + ".\r\n";
  for (auto _ : state) {
    talk.say("MAIL FROM:<a@client.example>\r\n");
    talk.say("RCPT TO:<b@server.example>\r\n");
    talk.say("DATA\r\n");
    talk.say(body);
    talk.keep();
  }
}
BENCHMARK(lockstep);

}  // namespace
