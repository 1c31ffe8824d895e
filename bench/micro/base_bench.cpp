// What base costs on the hot path: checksums of batches, slots of pools, ids as text, one recorded latency.
#include <benchmark/benchmark.h>

#include <cstdint>
#include <string>

#include "ringpost/base/arena.h"
#include "ringpost/base/counter.h"
#include "ringpost/base/crc32c.h"
#include "ringpost/base/escape.h"
#include "ringpost/base/ids.h"
#include "ringpost/base/slab.h"

namespace {

using namespace ringpost;

void checksum(benchmark::State& state) {
  const std::string octets(static_cast<std::size_t>(state.range(0)), 'x');
  for (auto _ : state) benchmark::DoNotOptimize(crc32c(octets));
  state.SetBytesProcessed(state.iterations() * state.range(0));
}
BENCHMARK(checksum)->Arg(64)->Arg(256)->Arg(1024)->Arg(4096)->Arg(65536)->Arg(1 << 20);

void slab_acquire_release(benchmark::State& state) {
  struct Session {
    char octets[1024];
  };
  Slab<Session> slab(1024);
  for (auto _ : state) {
    Session* session = slab.acquire();
    benchmark::DoNotOptimize(session);
    slab.release(*session);
  }
}
BENCHMARK(slab_acquire_release);

void arena_envelope(benchmark::State& state) {
  Arena arena(1 << 20);
  for (auto _ : state) {
    benchmark::DoNotOptimize(arena.copy("sender@example.net"));
    benchmark::DoNotOptimize(arena.copy("recipient@example.org"));
    arena.reset();
  }
}
BENCHMARK(arena_envelope);

void spool_id_letters(benchmark::State& state) {
  std::uint64_t count = 0;
  for (auto _ : state) benchmark::DoNotOptimize(SpoolId::make(3, ++count).letters());
}
BENCHMARK(spool_id_letters);

void histogram_record(benchmark::State& state) {
  Histogram histogram;
  std::uint64_t value = 1;
  for (auto _ : state) histogram.record(value = value * 3 % 1'000'003);
}
BENCHMARK(histogram_record);

void escape_reply(benchmark::State& state) {
  std::string out;
  for (auto _ : state) {
    out.clear();
    append_escaped(out, "550 5.1.1 <nobody@example.org>: Recipient address rejected: User unknown");
    benchmark::DoNotOptimize(out.data());
  }
}
BENCHMARK(escape_reply);

}  // namespace
