// What a message costs beyond its octets: the header scan, the trace line, the stored forms of envelope and state.
#include <benchmark/benchmark.h>

#include <string>

#include "ringpost/message.h"

namespace {

namespace message = ringpost::message;

message::Envelope envelope() {
  message::Envelope result;
  result.accepted = {1'795'601'533'123};
  result.client = ringpost::SocketAddress::v4(192, 0, 2, 7, 40123);
  result.protocol = message::Protocol::esmtp;
  result.set_reverse_path("bounce+12345=user=example.org@news.example.com");
  result.set_helo("out17.news.example.com");
  result.add_recipient("user.name@example.org", 11, 0, "");
  return result;
}

void header_scan_2k(benchmark::State& state) {
  std::string header;
  while (header.size() < 2048)
    header += "X-Some-Field: with a value that has about the length of a line,\r\n\tand folded\r\n";
  header += "\r\n";
  for (auto _ : state) {
    message::HeaderScan scan;
    scan.feed(header);
    benchmark::DoNotOptimize(scan.received());
  }
}
BENCHMARK(header_scan_2k);

void trace_line(benchmark::State& state) {
  const message::Envelope from = envelope();
  std::string out;
  for (auto _ : state) {
    message::write_trace(out, from, ringpost::SpoolId::make(1, 2), "relay.example.net");
    benchmark::DoNotOptimize(out.data());
  }
}
BENCHMARK(trace_line);

void encode_envelope(benchmark::State& state) {
  const message::Envelope from = envelope();
  std::string out;
  for (auto _ : state) {
    out.clear();
    from.encode(out);
    benchmark::DoNotOptimize(out.data());
  }
}
BENCHMARK(encode_envelope);

void decode_envelope(benchmark::State& state) {
  std::string octets;
  envelope().encode(octets);
  message::Envelope into;
  for (auto _ : state) benchmark::DoNotOptimize(into.decode(octets));
}
BENCHMARK(decode_envelope);

void encode_state_of_1000(benchmark::State& state) {
  message::State from;
  from.reset(1000, {1'795'601'533'123});
  std::string out;
  for (auto _ : state) {
    out.clear();
    from.encode(out);
    benchmark::DoNotOptimize(out.data());
  }
}
BENCHMARK(encode_state_of_1000);

}  // namespace
