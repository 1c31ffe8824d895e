// What the words cost: a body of 4 KiB in (end of data, dots, facts) and out (stuffing), by each instruction set, and
// the commands and replies of one message.
#include <benchmark/benchmark.h>

#include <string>

#include "ringpost/smtp.h"

namespace {

using ringpost::Room;
using ringpost::View;
namespace smtp = ringpost::smtp;

// A body of lines of 76 octets, as base64 has them; every `dotted`-th begins with a dot (0: none).
std::string body(std::size_t octets, std::size_t dotted) {
  std::string text;
  for (std::size_t line = 1; text.size() + 78 <= octets; ++line) {
    const bool dot = dotted != 0 && line % dotted == 0;
    text += (dot ? "." : "x") + std::string(75, 'a') + "\r\n";
  }
  return text;
}

std::string as_data(std::string_view clean) {
  smtp::DotStuffer stuffer;
  std::string out;
  while (!clean.empty()) out += stuffer.next(clean);
  return out += stuffer.end();
}

void scan(benchmark::State& state, smtp::Simd simd, std::size_t octets, std::size_t dotted) {
  if (!smtp::simd_available(simd)) return state.SkipWithError("this CPU has none");
  const std::string text = as_data(body(octets, dotted));
  smtp::BodyScanner scanner(simd);
  for (auto _ : state) {
    scanner.reset();
    View input = text;
    while (!input.empty()) {
      const auto run = scanner.next(input);
      benchmark::DoNotOptimize(run.clean.data());
      input.remove_prefix(run.consumed);
    }
  }
  state.SetBytesProcessed(state.iterations() * static_cast<std::int64_t>(text.size()));
}

void stuff(benchmark::State& state, bool has_dot_lines, std::size_t dotted) {
  const std::string text = body(4096, dotted);
  smtp::DotStuffer stuffer;
  for (auto _ : state) {
    stuffer.reset(has_dot_lines);
    View piece = text;
    while (!piece.empty()) benchmark::DoNotOptimize(stuffer.next(piece).data());
    benchmark::DoNotOptimize(stuffer.end().data());
  }
}

BENCHMARK_CAPTURE(scan, data_4k_best, smtp::Simd::best, 4096, 0);
BENCHMARK_CAPTURE(scan, data_4k_sse2, smtp::Simd::sse2, 4096, 0);
BENCHMARK_CAPTURE(scan, data_4k_scalar, smtp::Simd::scalar, 4096, 0);
BENCHMARK_CAPTURE(scan, data_4k_dotted, smtp::Simd::best, 4096, 10);
BENCHMARK_CAPTURE(scan, data_1m_best, smtp::Simd::best, 1 << 20, 0);
BENCHMARK_CAPTURE(stuff, known_undotted_4k, false, 0);
BENCHMARK_CAPTURE(stuff, unknown_4k, true, 0);
BENCHMARK_CAPTURE(stuff, dotted_4k, true, 10);

// The worst that a peer can make of it: nothing but stuffed lines.
void scan_dots_only(benchmark::State& state) {
  std::string text;
  while (text.size() < 65536) text += "..\r\n";
  text += ".\r\n";
  smtp::BodyScanner scanner;
  for (auto _ : state) {
    scanner.reset();
    View input = text;
    while (!input.empty()) input.remove_prefix(scanner.next(input).consumed);
  }
  state.SetBytesProcessed(state.iterations() * static_cast<std::int64_t>(text.size()));
}
BENCHMARK(scan_dots_only);

void count_chunk_4k(benchmark::State& state) {
  const std::string text = body(4096, 0);
  smtp::BodyCounter counter;
  for (auto _ : state) {
    counter.reset();
    counter.take(text);
    benchmark::DoNotOptimize(counter.facts());
  }
}
BENCHMARK(count_chunk_4k);

// The envelope of one message, as a pipelining client sends it.
void envelope_commands(benchmark::State& state) {
  constexpr View kInput =
      "MAIL FROM:<bounce+12345=user=example.org@news.example.com> SIZE=4096 BODY=8BITMIME\r\n"
      "RCPT TO:<user.name@example.org>\r\n"
      "DATA\r\n";
  smtp::LineScanner scanner;
  for (auto _ : state) {
    View input = kInput;
    while (!input.empty()) {
      const smtp::Line line = scanner.next(input);
      input.remove_prefix(line.consumed);
      const smtp::Command command = smtp::split_command(line.text);
      if (command.verb == smtp::Verb::mail) benchmark::DoNotOptimize(smtp::parse_mail(command.argument));
      if (command.verb == smtp::Verb::rcpt) benchmark::DoNotOptimize(smtp::parse_rcpt(command.argument, false));
    }
  }
}
BENCHMARK(envelope_commands);

void write_one_reply(benchmark::State& state) {
  std::array<char, 256> room;
  for (auto _ : state) {
    benchmark::DoNotOptimize(smtp::write_reply(room, 250, {2, 0, 0}, "0000000000123 accepted"));
    benchmark::DoNotOptimize(room.data());
  }
}
BENCHMARK(write_one_reply);

void read_pipelined_replies(benchmark::State& state) {
  constexpr View kInput =
      "250 2.1.0 Sender ok\r\n250 2.1.5 Recipient ok\r\n354 End data with <CR><LF>.<CR><LF>\r\n"
      "250 2.0.0 Ok: queued as 4Xn2Kq1Jz7z9rxL\r\n";
  smtp::ReplyReader reader;
  for (auto _ : state) {
    View input = kInput;
    while (!input.empty()) input.remove_prefix(reader.feed(input).consumed);
    benchmark::DoNotOptimize(reader.reply().code);
  }
}
BENCHMARK(read_pipelined_replies);

}  // namespace
