// What a message costs in the spool's own code: gathering, checksum, copy into the batch, bookkeeping and release,
// without the disk (a null log) and without a kernel. The budget is 2 us for 4 KiB. And what a queued message costs in
// memory.
#include <benchmark/benchmark.h>
#include <stdlib.h>

#include <array>
#include <memory>
#include <string>

#include "ringpost/base/check.h"
#include "ringpost/spool.h"

namespace {

using namespace ringpost;

// A loop whose turns the benchmark makes itself; nothing of it reaches a kernel.
class StillRing final : public ring::Ring {
 public:
  StillRing() : Ring(CoreId{0}, 1, 1) {}
  void turn() { run_deferred(); }

  WallTime wall() const override { return {}; }
  void run() override {}
  Result<ring::Socket> listen(const SocketAddress&, const ring::ListenOptions&) override { return fail("no"); }
  Result<ring::Socket> listen_local(const std::string&) override { return fail("no"); }
  Result<SocketAddress> local_address(ring::Socket) override { return fail("no"); }
  Result<SocketAddress> peer_address(ring::Socket) override { return fail("no"); }
  void accept(ring::Operation&, ring::Socket) override {}
  Result<ring::Socket> socket_to(const SocketAddress&, const SocketAddress&) override { return fail("no"); }
  Result<ring::Socket> datagram_to(const SocketAddress&) override { return fail("no"); }
  void connect(ring::Operation&, ring::Socket, const SocketAddress&) override {}
  void receive(ring::Operation&, ring::Socket) override {}
  void send(ring::Operation&, ring::Socket, std::span<const iovec>) override {}
  void shutdown_write(ring::Socket) override {}
  void close(ring::Socket) override {}
  void cancel(ring::Operation&) override {}
  ring::Files& files() override { return ring::kernel_files(); }
  void open(ring::Operation&, const char*, ring::Files::Open) override {}
  void read(ring::Operation&, ring::File, Room, std::uint64_t) override {}
  void write(ring::Operation&, ring::File, View, std::uint64_t, bool) override {}
  void sync(ring::Operation&, ring::File) override {}
  void allocate(ring::Operation&, ring::File, std::uint64_t) override {}
  void remove(ring::Operation&, const char*) override {}
  void close(ring::File) override {}
  void mail_to(CoreId, const ring::Mail&) override {}
  void help(ring::Operation&, std::move_only_function<int()>) override {}
};

constexpr std::size_t kInBatch = 32;  // messages of one turn: what a busy core commits together

struct Sender {
  explicit Sender(StillRing& ring) {
    char path[] = "/tmp/ringpost-bench-XXXXXX";
    RINGPOST_CHECK(mkdtemp(path) != nullptr);
    directory = path;
    spool::Options options;
    options.directory = directory;
    options.durable = false;
    options.messages = 100'000;
    spool::Recovery recovery;
    auto opened = spool::Spool::open(
        ring, options, [](SpoolId, const message::Envelope&, const message::State&, spool::Note&) {}, recovery);
    RINGPOST_CHECK(opened.has_value());
    log = std::move(*opened);
  }
  ~Sender() {
    log.reset();
    for (const char* name : {"/log-00", "/large", ""}) ::rmdir((directory + name).c_str());
  }

  spool::Message* draft(View content) {
    spool::Message* made = log->begin();
    made->envelope.set_reverse_path("bounces-12345@news.example.org");
    made->envelope.set_helo("mail.news.example.org");
    made->envelope.add_recipient("somebody.else@customer.example.net", 20, 0, {});
    made->trace.assign(200, 't');
    made->state.reset(1, {});
    for (std::size_t at = 0; at < content.size(); at += 8192) made->content->push(content.substr(at, 8192));
    return made;
  }

  std::string directory;
  std::unique_ptr<spool::Spool> log;
};

// Accepted, committed, delivered, ended: a message's whole life in the spool.
void life_of_a_message(benchmark::State& state) {
  StillRing ring;
  Sender sender(ring);
  const std::string content(static_cast<std::size_t>(state.range(0)), 'x');
  std::array<spool::Message*, kInBatch> messages{};
  for (auto _ : state) {
    std::array<std::unique_ptr<spool::Commit>, kInBatch> commits;
    std::size_t durable = 0;
    for (std::size_t i = 0; i < kInBatch; ++i) {
      messages[i] = sender.draft(content);
      commits[i] = std::make_unique<spool::Commit>(
          &durable, [](void* count, spool::Message&, const Result<void>&) { ++*static_cast<std::size_t*>(count); });
      sender.log->commit(*messages[i], *commits[i]);
    }
    while (durable < kInBatch) ring.turn();  // of large ones not all fit in one batch
    for (spool::Message* message : messages) {
      message::RecipientState settled;
      settled.status = message::Status::delivered;
      message->state.set(0, settled);
      sender.log->save(*message, nullptr);
      message->release();
    }
  }
  RINGPOST_CHECK(sender.log->size() <= 2 * kInBatch);
  state.SetItemsProcessed(state.iterations() * static_cast<std::int64_t>(kInBatch));
}
BENCHMARK(life_of_a_message)->Arg(1024)->Arg(4096)->Arg(65536);

// Messages that wait in the queue: accepted and let go of.
void accept_many(benchmark::State& state) {
  StillRing ring;
  const std::string content(100, 'x');
  const auto many = static_cast<std::size_t>(state.range(0));
  for (auto _ : state) {
    Sender sender(ring);
    for (std::size_t i = 0; i < many; ++i) {
      spool::Message* message = sender.draft(content);
      spool::Commit commit(nullptr, [](void*, spool::Message&, const Result<void>&) {});
      sender.log->commit(*message, commit);
      message->release();
      if (i % kInBatch == 0) ring.turn();
    }
    ring.turn();
    RINGPOST_CHECK(sender.log->size() == many);
    const double octets = static_cast<double>(sender.log->statistics().index_octets);
    state.counters["index_octets_per_message"] = octets / static_cast<double>(many);
  }
  state.SetItemsProcessed(state.iterations() * state.range(0));
}
BENCHMARK(accept_many)->Arg(90'000)->Unit(benchmark::kMillisecond);

}  // namespace
