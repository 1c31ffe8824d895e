#include "core/gather.h"

#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <utility>

#include "core/post.h"
#include "ringpost_options.h"

namespace ringpost::core {
namespace {

using report::Measure;
using report::Metric;

constexpr std::uint32_t kDestinationsPerTurn = 1024;  // some 100 µs: mail goes on in between
constexpr View kMetricsType = "text/plain; version=0.0.4; charset=utf-8";
constexpr int kOk = 200, kNotFound = 404, kUnavailable = 503;

View words_of(spool::Refusal refusal) {
  switch (refusal) {
    case spool::Refusal::none:
      return "takes mail";
    case spool::Refusal::disk_full:
      return "the spool's disk is full";
    case spool::Refusal::memory_full:
      return "memory for contents is short";
    case spool::Refusal::queue_full:
      return "the queue is full";
    case spool::Refusal::stopped:
      return "the spool has stopped";
  }
  return "unknown";
}

// The most that was resident, for a process that may not read /proc.
std::uint64_t most_resident_octets() {
  rusage usage{};
  ::getrusage(RUSAGE_SELF, &usage);
  return static_cast<std::uint64_t>(usage.ru_maxrss) * 1024;
}

// /proc/self/statm: pages, resident pages, … procfs does not wait for a disk.
std::uint64_t resident_octets() {
  ring::Files& files = ring::kernel_files();
  const auto opened = files.open("/proc/self/statm", ring::Files::Open::read);
  if (!opened) return most_resident_octets();
  std::array<char, 128> text{};
  const auto octets = files.read(*opened, Room{text}, 0);
  files.close(*opened);
  const View words{text.data(), octets.value_or(0)};
  const std::size_t blank = words.find(' ');
  std::uint64_t pages = 0;
  if (blank != View::npos) std::from_chars(words.data() + blank + 1, words.data() + words.size(), pages);
  return pages * static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE));
}

void measure_dns(report::Metrics& m, const dns::Statistics& dns) {
  m.set(Metric::dns_lookups, dns.lookups);
  m.set(Metric::dns_cached, dns.cached);
  m.set(Metric::dns_joined, dns.joined);
  m.set(Metric::dns_sent, dns.sent);
  m.set(Metric::dns_timeouts, dns.timeouts);
  m.set(Metric::dns_failures, dns.failures);
  m.set(Metric::dns_ignored, dns.ignored);
  m.set(Metric::dns_entries, dns.entries);
  m.set(Metric::dns_octets, dns.octets);
}

void measure_spool(report::Metrics& m, const spool::Statistics& spool) {
  m.set(Metric::spool_commits, spool.commits);
  m.set(Metric::spool_batches, spool.batches);
  m.set(Metric::spool_log_octets, spool.octets_written);
  m.set(Metric::spool_large_octets, spool.large_octets_written);
  m.set(Metric::spool_segments, spool.segments);
  m.set(Metric::spool_recycled, spool.segments_recycled);
  m.set(Metric::spool_index_octets, spool.index_octets);
  m.set(Metric::spool_damaged, spool.damaged_messages);
  m.set(Metric::chunks_used, spool.chunks_total - spool.chunks_free);
  m.set(Metric::chunks_total, spool.chunks_total);
  m.set(Measure::batch_time, spool.batch_time);
  m.set(Measure::batch_octets, spool.batch_octets);
  m.set(Measure::batch_messages, spool.batch_messages);
}

void measure_ring(report::Metrics& m, const ring::Statistics& ring) {
  m.set(Metric::ring_turns, ring.turns);
  m.set(Metric::ring_completions, ring.completions);
  m.set(Metric::ring_submissions, ring.submissions);
  m.set(Metric::ring_operations, ring.operations);
  m.set(Metric::ring_buffers, ring.receive_buffers);
  m.set(Metric::ring_parked, ring.receives_parked);
  m.set(Metric::ring_exhausted, ring.buffers_exhausted);
  m.set(Metric::ring_overflows, ring.completion_overflows);
}

}  // namespace

// ---- core 0: request → gathering

void Gather::execute(std::shared_ptr<control::HttpExchange> exchange) {
  if (!exchange) return;
  const std::string& path = exchange->request().path;
  if (exchange->request().method != "GET" || (path != "/metrics" && path != "/healthz"))
    return exchange->answer(kNotFound, "text/plain", "GET /metrics or /healthz\n");
  if (ending_) return exchange->answer(kUnavailable, "text/plain", "the relay is going down\n");
  auto gathering = std::make_unique<Gathering>();
  gathering->health = path == "/healthz";
  gathering->exchange = std::move(exchange);
  gathering->crowded = rooms_.config->metrics.destinations;
  gathering->parts.resize(rooms_.ring.cores());
  gathering->open = rooms_.ring.cores();
  Gathering* sent = gathering.release();  // comes back by part_done
  for (std::uint16_t core = 0; core < rooms_.ring.cores(); ++core)
    rooms_.ring.mail_to({core}, mail_of(Post::gather, rooms_.ring.core(), sent));
}

void Gather::part_done(Gathering& gathering) {
  if (--gathering.open > 0) return;
  const std::unique_ptr<Gathering> owned(&gathering);
  if (gathering.health) return write_health(gathering);
  report::Metrics& sum = gathering.parts.front().metrics;
  for (std::size_t i = 1; i < gathering.parts.size(); ++i) {
    sum.merge(gathering.parts[i].metrics);
    sum.crowded(gathering.parts[i].metrics.crowded(), gathering.crowded);
  }
  measure_process(sum);
  gathering.exchange->answer(kOk, kMetricsType, sum.text(RINGPOST_VERSION));
}

void Gather::write_health(Gathering& gathering) {
  std::string text;
  for (std::size_t core = 0; core < gathering.parts.size(); ++core) {
    const spool::Refusal refusal = gathering.parts[core].refusal;
    if (refusal == spool::Refusal::none) continue;
    text.append("core ").append(std::to_string(core)).append(": ").append(words_of(refusal)).append("\n");
  }
  const bool well = text.empty();
  gathering.exchange->answer(well ? kOk : kUnavailable, "text/plain", well ? "ok\n" : text);
}

// What is one for the whole process.
void Gather::measure_process(report::Metrics& sum) const {
  const report::EventFile::Statistics events = rooms_.event_file->statistics();
  sum.add(Metric::events_dropped, events.journal_dropped);
  sum.set(Metric::events_errors, events.errors);
  sum.set(Metric::events_rotations, events.rotations);
  sum.set(Metric::cores, rooms_.ring.cores());
  sum.set(Metric::memory_resident, resident_octets());
  sum.set(Metric::memory_limit, rooms_.config->limits.memory);
  sum.set(Metric::started, static_cast<std::uint64_t>(started_.milliseconds));
}

// ---- every core: gathering → part

void Gather::answer(Gathering& gathering) {
  Gathering::Part& part = gathering.parts[rooms_.ring.core().value];
  part.refusal = rooms_.spool->refusal();
  if (gathering.health) return send_back(gathering);
  measure(part.metrics);
  walks_.push_back({.gathering = &gathering, .at = 0, .crowded = {}, .oldest = {}});
  if (!slice_.armed()) rooms_.ring.arm(slice_, Duration{0});
}

void Gather::send_back(Gathering& gathering) {
  rooms_.ring.mail_to({0}, mail_of(Post::gathered, rooms_.ring.core(), &gathering));
}

void Gather::next_slice() {
  if (walks_.empty()) return;
  Walk& walk = walks_.front();
  const auto all = static_cast<std::uint32_t>(rooms_.queue->destinations());
  const std::uint32_t end = std::min(all, walk.at + kDestinationsPerTurn);
  while (walk.at < end) count(walk, walk.at++);
  if (walk.at == all) {
    report::Metrics& metrics = walk.gathering->parts[rooms_.ring.core().value].metrics;
    metrics.crowded(std::move(walk.crowded), walk.gathering->crowded);
    if (walk.oldest.milliseconds != 0)
      metrics.set(Metric::oldest_due, static_cast<std::uint64_t>(std::max<std::int64_t>(
                                          0, rooms_.ring.wall().milliseconds - walk.oldest.milliseconds)));
    send_back(*walk.gathering);
    walks_.pop_front();
  }
  if (!walks_.empty()) rooms_.ring.arm(slice_, Duration{0});
}

void Gather::count(Walk& walk, std::uint32_t destination) {
  const queue::Destination& shown = rooms_.queue->at({destination});
  const std::uint64_t waiting = shown.ready + shown.waiting + shown.taken;
  if (waiting == 0) return;
  report::Metrics& metrics = walk.gathering->parts[rooms_.ring.core().value].metrics;
  const bool paused = shown.paused_until > rooms_.ring.wall();
  const bool failing = shown.failures > 0 || !shown.last_error.empty();
  metrics.add(paused    ? Metric::destinations_paused
              : failing ? Metric::destinations_failing
                        : Metric::destinations_healthy,
              1);
  metrics.add(paused ? Metric::waiting_paused : failing ? Metric::waiting_failing : Metric::waiting_healthy, waiting);
  if (!paused && shown.ready > 0 && (walk.oldest.milliseconds == 0 || shown.oldest < walk.oldest))
    walk.oldest = shown.oldest;
  const std::uint32_t most = walk.gathering->crowded;
  if (most == 0) return;
  walk.crowded.push_back({shown.name, waiting, rooms_.deliverer->connections({destination})});
  // A destination's rows of several cores add up afterwards: so a few more than asked for are kept.
  if (walk.crowded.size() < 4 * std::size_t{most} + 64) return;
  std::ranges::nth_element(walk.crowded, walk.crowded.begin() + 2 * static_cast<std::ptrdiff_t>(most),
                           std::ranges::greater{}, &report::Crowded::waiting);
  walk.crowded.resize(2 * std::size_t{most});
}

void Gather::measure(report::Metrics& m) const {
  const Counts counts = counts_of(rooms_);
  const receive::Statistics& in = rooms_.receiver->statistics();
  m.set(Metric::messages_accepted, counts.accepted);
  m.set(Metric::octets_accepted, in.octets);
  m.set(Metric::sessions_begun, in.connections);
  m.set(Metric::sessions, in.sessions);
  m.set(Metric::transactions_in, in.transactions);
  m.set(Metric::replies_4, in.refused[4]);
  m.set(Metric::replies_5, in.refused[5]);

  const deliver::Statistics& out = rooms_.deliverer->statistics();
  m.set(Metric::recipients_delivered, counts.delivered);
  m.set(Metric::recipients_deferred, counts.deferred);
  m.set(Metric::recipients_failed, counts.failed);
  m.set(Metric::bounces, counts.bounces);
  m.set(Metric::octets_delivered, out.octets);
  m.set(Metric::connections_made, out.connections);
  m.set(Metric::connect_failures, out.connect_failures);
  m.set(Metric::connections, out.open);
  m.set(Metric::transactions_out, out.transactions);

  m.set(Metric::queue_messages, counts.queued);
  m.set(Metric::queue_entries, rooms_.queue->entries());
  m.set(Metric::messages_failed, counts.kept_failed);

  m.set(Metric::destinations_known, counts.destinations);

  measure_dns(m, rooms_.lookups.resolver().statistics());
  measure_spool(m, rooms_.spool->statistics());
  measure_ring(m, rooms_.ring.statistics());

  const spool::Refusal refusal = rooms_.spool->refusal();
  m.set(Metric::refusing_disk, refusal == spool::Refusal::disk_full ? 1 : 0);
  m.set(Metric::refusing_memory, refusal == spool::Refusal::memory_full ? 1 : 0);
  m.set(Metric::refusing_queue, refusal == spool::Refusal::queue_full ? 1 : 0);
  m.set(Metric::refusing_stopped, refusal == spool::Refusal::stopped ? 1 : 0);

  m.set(Metric::events_written, rooms_.events.statistics().written);
  m.set(Metric::events_dropped, rooms_.events.statistics().dropped);

  m.set(Measure::accept_time, rooms_.accept_time);
  m.set(Measure::queue_time, rooms_.queue_time);
  m.set(Measure::connect_time, out.connect_time);
  m.set(Measure::greeting_time, out.greeting_time);
  m.set(Measure::envelope_time, out.envelope_time);
  m.set(Measure::content_time, out.content_time);
}

}  // namespace ringpost::core
