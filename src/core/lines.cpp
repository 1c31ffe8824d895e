#include "core/lines.h"

#include <algorithm>
#include <cmath>
#include <optional>

#include "ringpost_options.h"

namespace ringpost::core {
namespace {

using message::Status;

View status_word(Status status) {
  switch (status) {
    case Status::open:
      return "open";
    case Status::delivered:
      return "delivered";
    case Status::failed:
      return "failed";
    case Status::removed:
      return "removed";
    case Status::bounced:
      return "bounced";
    case Status::relayed:
      return "relayed";
    case Status::held:
      return "held";
  }
  return "unknown";
}

// With two decimals, which JsonLine has no number for.
std::string decimal(double value) {
  const auto hundredths = static_cast<std::uint64_t>(std::llround(std::max(value, 0.0) * 100));
  const std::string rest = std::to_string(hundredths % 100);
  return std::to_string(hundredths / 100) + (rest.size() == 1 ? ".0" : ".") + rest;
}

WallTime earlier(WallTime a, WallTime b) {
  if (a.milliseconds == 0 || b.milliseconds == 0) return std::max(a, b);
  return std::min(a, b);
}

}  // namespace

// ---- messages

std::string summary_line(const spool::Message& message) {
  std::optional<WallTime> due;
  message::RecipientState shown;
  for (std::size_t i = 0; i < message.state.size(); ++i) {
    const message::RecipientState state = message.state.at(i);
    if (state.status == Status::open && (!due || state.due < *due)) due = state.due;
    if (!is_over(state.status)) shown = state;
  }
  std::string line;
  report::JsonLine json(line);
  json.text("id", message.id.text())
      .text("state", word_of(standing_of(message.state)))
      .text("from", message.envelope.reverse_path())
      .text("to", message.envelope.recipient(0).forward_path)
      .number("recipients", std::uint64_t{message.state.size()})
      .number("open", std::uint64_t{message.state.count(Status::open)})
      .number("held", std::uint64_t{message.state.count(Status::held)})
      .number("failed", std::uint64_t{message.state.count(Status::failed)})
      .number("size", message.size())
      .time("accepted", message.envelope.accepted)
      .number("attempts", std::uint64_t{shown.attempts});
  if (due) json.time("next", *due);
  if (shown.code != 0) json.number("code", std::uint64_t{shown.code});
  if (!shown.text.empty()) json.text("error", shown.text);
  json.end();
  return line;
}

std::string damaged_line(SpoolId id) {
  std::string line;
  report::JsonLine json(line);
  json.text("id", id.text()).text("state", "damaged").end();
  return line;
}

std::string envelope_line(const spool::Message& message) {
  std::string line;
  report::JsonLine json(line);
  json.text("id", message.id.text())
      .text("state", word_of(standing_of(message.state)))
      .text("from", message.envelope.reverse_path())
      .text("client", message.envelope.client.text())
      .text("helo", message.envelope.helo())
      .number("size", message.size())
      .time("accepted", message.envelope.accepted)
      .flag("smtputf8", message.envelope.smtputf8);
  if (!message.envelope.envid().empty()) json.text("envid", message.envelope.envid());
  json.end();
  return line;
}

std::string recipient_line(const spool::Message& message, std::uint32_t index, View destination) {
  const message::RecipientState state = message.state.at(index);
  std::string line;
  report::JsonLine json(line);
  json.text("to", message.envelope.recipient(index).forward_path)
      .text("status", status_word(state.status))
      .text("destination", destination)
      .number("attempts", std::uint64_t{state.attempts});
  if (state.status == Status::open) json.time("next", state.due);
  if (index < message.attempting.size() && message.attempting[index]) json.flag("attempting", true);
  if (state.code != 0) json.number("code", std::uint64_t{state.code});
  if (state.enhanced.given()) {
    char room[smtp::EnhancedCode::kTextLength];
    json.text("enhanced", state.enhanced.write(room));
  }
  if (!state.text.empty()) json.text("error", state.text);
  if (state.attempted.milliseconds != 0) json.time("attempted", state.attempted);
  if (!state.host.empty()) json.text("host", state.host);
  if (!state.via.empty()) json.text("route", state.via);
  json.end();
  return line;
}

std::string content_line(View octets) {
  std::string line;
  report::JsonLine json(line);
  json.text("content", octets).end();
  return line;
}

// ---- the relay

std::string status_line(const Query& query, const Facade& facade) {
  Counts sum;
  spool::Statistics spool;
  dns::Statistics dns;
  report::Statistics events;
  for (const Part& part : query.parts) {
    sum.accepted += part.counts.accepted;
    sum.delivered += part.counts.delivered;
    sum.deferred += part.counts.deferred;
    sum.failed += part.counts.failed;
    sum.queued += part.counts.queued;
    sum.held += part.counts.held;
    sum.kept_failed += part.counts.kept_failed;
    sum.bounces += part.counts.bounces;
    sum.shortages += part.counts.shortages;
    sum.sessions += part.counts.sessions;
    sum.connections += part.counts.connections;
    sum.destinations += part.counts.destinations;
    spool.commits += part.spool.commits;
    spool.batches += part.spool.batches;
    spool.octets_written += part.spool.octets_written + part.spool.large_octets_written;
    spool.segments += part.spool.segments;
    spool.segments_recycled += part.spool.segments_recycled;
    dns.sent += part.dns.sent;
    dns.cached += part.dns.cached;
    dns.timeouts += part.dns.timeouts;
    dns.failures += part.dns.failures;
    dns.entries += part.dns.entries;
    dns.octets += part.dns.octets;
    events.written += part.events.written;
    events.dropped += part.events.dropped;
  }
  std::string line;
  report::JsonLine json(line);
  json.text("hostname", facade.hostname)
      .text("version", RINGPOST_VERSION)
      .seconds("uptime", facade.uptime)
      .number("cores", std::uint64_t{query.parts.size()})
      .number("accepted", sum.accepted)
      .number("delivered", sum.delivered)
      .number("deferred", sum.deferred)
      .number("failed", sum.failed)
      .number("queued", sum.queued)
      .number("held", sum.held)
      .number("kept_failed", sum.kept_failed)
      .number("bounces", sum.bounces)
      .number("shortages", sum.shortages)
      .number("sessions", sum.sessions)
      .number("connections", sum.connections)
      .number("destinations", sum.destinations)
      .number("spool_commits", spool.commits)
      .number("spool_batches", spool.batches)
      .number("spool_octets_written", spool.octets_written)
      .number("spool_segments", spool.segments)
      .number("spool_segments_recycled", spool.segments_recycled)
      .number("dns_asked", dns.sent)
      .number("dns_cached", dns.cached)
      .number("dns_timeouts", dns.timeouts)
      .number("dns_failures", dns.failures)
      .number("dns_entries", dns.entries)
      .number("dns_octets", dns.octets)
      .number("events_written", events.written)
      .number("events_dropped", events.dropped)
      .end();
  return line;
}

void add_row(DestinationRow& sum, const DestinationRow& row) {
  if (sum.name.empty()) sum.name = row.name;
  sum.ready += row.ready;
  sum.waiting += row.waiting;
  sum.attempting += row.attempting;
  sum.connections += row.connections;
  sum.failures = std::max(sum.failures, row.failures);
  sum.rate += row.rate;
  sum.oldest = earlier(sum.oldest, row.oldest);
  sum.next = earlier(sum.next, row.next);
  sum.paused_until = std::max(sum.paused_until, row.paused_until);
  sum.suspended |= row.suspended;
  if (sum.error.empty()) sum.error = row.error;
}

std::string destination_line(const DestinationRow& row) {
  std::string line;
  report::JsonLine json(line);
  json.text("destination", row.name)
      .number("messages", row.ready + row.waiting + row.attempting)
      .number("ready", row.ready)
      .number("waiting", row.waiting)
      .number("attempting", row.attempting)
      .number("connections", std::uint64_t{row.connections})
      .raw("rate", decimal(row.rate))
      .number("failures", std::uint64_t{row.failures});
  if (row.oldest.milliseconds != 0) json.time("oldest", row.oldest);
  if (row.next.milliseconds != 0) json.time("next", row.next);
  if (row.paused_until.milliseconds != 0) json.time("paused_until", row.paused_until);
  if (row.suspended) json.flag("suspended", true);
  if (!row.error.empty()) json.text("error", row.error);
  json.end();
  return line;
}

// ---- what was done

std::string affected_line(std::uint64_t messages, bool dry_run) {
  std::string line;
  report::JsonLine json(line);
  json.number("messages", messages);
  if (dry_run) json.flag("dry_run", true);
  json.end();
  return line;
}

std::string suspension_line(View destination, bool suspended) {
  std::string line;
  report::JsonLine json(line);
  json.text("destination", destination).flag("suspended", suspended).end();
  return line;
}

}  // namespace ringpost::core
