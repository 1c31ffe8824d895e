#include "core/operate.h"

#include <algorithm>
#include <map>
#include <utility>

#include "core/post.h"
#include "core/walk.h"
#include "ringpost_options.h"

namespace ringpost::core {
namespace {

using message::Status;

constexpr std::uint64_t kListLines = 100;           // when the request names no limit
constexpr std::uint64_t kListMost = 10'000;         // lines of one list: they must fit in control::kAnswerWaiting
constexpr std::size_t kContentShown = 1024 * 1024;  // octets of content in a show

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
  }
  return "unknown";
}

View message_word(const spool::Message& message) { return message.state.count(Status::open) > 0 ? "queued" : "failed"; }

// The line of `list`.
std::string summary(const spool::Message& message) {
  std::optional<WallTime> due;
  message::RecipientState shown;
  for (std::size_t i = 0; i < message.state.size(); ++i) {
    const message::RecipientState state = message.state.at(i);
    if (state.status == Status::open && (!due || state.due < *due)) due = state.due;
    if (state.status == Status::open || state.status == Status::failed) shown = state;
  }
  std::string line;
  report::JsonLine json(line);
  json.text("id", message.id.text())
      .text("state", message_word(message))
      .text("from", message.envelope.reverse_path())
      .text("to", message.envelope.recipient(0).forward_path)
      .number("recipients", std::uint64_t{message.state.size()})
      .number("open", std::uint64_t{message.state.count(Status::open)})
      .number("failed", std::uint64_t{message.state.count(Status::failed)})
      .number("size", message.size())
      .time("accepted", message.envelope.accepted)
      .number("attempts", std::uint64_t{shown.attempts});
  if (due) json.time("next", *due);
  if (!shown.text.empty()) json.text("error", shown.text);
  json.end();
  return line;
}

std::uint64_t lines_wanted(const Query& query) {
  return query.request.limit == 0 ? kListLines : std::min(query.request.limit, kListMost);
}

std::string damaged_summary(SpoolId id) {
  std::string line;
  report::JsonLine json(line);
  json.text("id", id.text()).text("state", "damaged").end();
  return line;
}

std::string envelope_line(const spool::Message& message) {
  std::string line;
  report::JsonLine json(line);
  json.text("id", message.id.text())
      .text("state", message_word(message))
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
  if (!state.text.empty()) json.text("error", state.text);
  json.end();
  return line;
}

}  // namespace

std::optional<Command> command_of(View name) {
  constexpr std::pair<View, Command> kCommands[] = {{"status", Command::status}, {"queue", Command::queue},
                                                    {"list", Command::list},     {"show", Command::show},
                                                    {"flush", Command::flush},   {"remove", Command::remove}};
  for (const auto& [word, command] : kCommands)
    if (word == name) return command;
  return std::nullopt;
}

// A query's part that must look at messages: list, show, remove.
class Operate::Task : public Walk::Visitor {
 public:
  Task(Operate& operate, Query& query, std::vector<SpoolId> ids)
      : operate_(operate),
        query_(query),
        walk_(operate.rooms_, std::move(ids),
              query.request.content ? spool::Spool::Want::content : spool::Spool::Want::envelope, *this) {}

  void start() { walk_.start(); }

  void visit(spool::Message& message) override {
    switch (query_.command) {
      case Command::list:
        part().lines.push_back({message.envelope.accepted, summary(message)});
        break;
      case Command::show:
        show(message);
        break;
      case Command::remove:
        remove(message);
        break;
      case Command::status:
      case Command::queue:
      case Command::flush:
        break;
    }
  }

  void visit_damaged(SpoolId id) override {
    if (query_.command == Command::remove) {
      if (operate_.rooms_.spool->discard(id)) ++part().affected;
    } else {
      part().lines.push_back({{}, damaged_summary(id)});
    }
  }

  void walked() override {
    Operate& operate = operate_;
    Query& query = query_;
    std::erase_if(operate.tasks_, [this](const auto& task) { return task.get() == this; });
    operate.send_back(query);
  }

 private:
  Part& part() { return query_.parts[operate_.rooms_.ring.core().value]; }

  void show(spool::Message& message) {
    const auto add = [this](std::string line) { part().lines.push_back({{}, std::move(line)}); };
    add(envelope_line(message));
    for (std::uint32_t i = 0; i < message.state.size(); ++i)
      add(recipient_line(message, i,
                         operate_.rooms_.router->place(message.envelope.recipient(i).domain, scratch_).name));
    if (query_.request.content) add(content_line(message));
  }

  std::string content_line(spool::Message& message) {
    std::string line, octets;
    spool::Reader reader;
    reader.open(message);
    message::BodySource::Pull pull;
    // A large content lies in a file of its own, which this does not wait for: its head is what is in memory.
    while (octets.size() < kContentShown && (pull = reader.next()).state == message::BodySource::Pull::State::ready) {
      octets.append(pull.piece.substr(0, kContentShown - octets.size()));
      reader.release(pull.piece.size());
    }
    reader.close();
    report::JsonLine json(line);
    json.text("content", octets).flag("complete", octets.size() == message.size()).end();
    return line;
  }

  void remove(spool::Message& message) {
    if (message.state.count(Status::open) + message.state.count(Status::failed) == 0) return;
    operate_.settle_.remove(message);
    operate_.settle_.save(message);
    operate_.rooms_.queue->remove(message.id);
    ++part().affected;
  }

  Operate& operate_;
  Query& query_;
  Walk walk_;
  std::string scratch_;  // a destination's name
};

Operate::Operate(Rooms& rooms, Dispatch& dispatch, Settle& settle)
    : rooms_(rooms), dispatch_(dispatch), settle_(settle), started_(rooms.ring.now()) {}
Operate::~Operate() = default;

// ---- core 0: request → query

void Operate::execute(const control::Request& request, std::shared_ptr<control::Reply> reply) {
  const auto command = command_of(request.command);
  if (!command)
    return reply->error("unknown command '" + request.command + "': status, queue, list, show, flush, remove");
  std::optional<SpoolId> id;
  if (!request.id.empty()) {
    id = SpoolId::parse(request.id);
    if (!id) return reply->error("'" + request.id + "' is no spool id: 13 letters and digits, as in the 250");
  }
  const bool changes = *command == Command::flush || *command == Command::remove;
  if (*command == Command::show && !id) return reply->error("show needs a spool id");
  if (changes && (id.has_value() + !request.destination.empty() + request.all) != 1)
    return reply->error("say exactly one of: a spool id, a destination, all");
  auto query = std::make_unique<Query>();
  query->request = request;
  query->command = *command;
  query->id = id;
  query->reply = std::move(reply);
  query->parts.resize(rooms_.ring.cores());
  query->open = rooms_.ring.cores();
  Query* sent = query.release();  // comes back by part_done
  for (std::uint16_t core = 0; core < rooms_.ring.cores(); ++core)
    rooms_.ring.mail_to({core}, mail_of(Post::query, rooms_.ring.core(), sent));
}

void Operate::part_done(Query& query) {
  if (--query.open > 0) return;
  const std::unique_ptr<Query> owned(&query);
  write_answer(query);
}

// ---- every core: query → part

void Operate::answer(Query& query) {
  Part& part = query.parts[rooms_.ring.core().value];
  switch (query.command) {
    case Command::status:
      status(part);
      break;
    case Command::queue:
      destinations(part);
      break;
    case Command::flush:
      flush(query, part);
      break;
    case Command::list:
    case Command::show:
    case Command::remove:
      tasks_.push_back(std::make_unique<Task>(*this, query, chosen(query)));
      return tasks_.back()->start();
  }
  send_back(query);
}

void Operate::send_back(Query& query) {
  rooms_.ring.mail_to({0}, mail_of(Post::query_done, rooms_.ring.core(), &query));
}

void Operate::status(Part& part) const {
  part.counts = counts_of(rooms_);
  part.spool = rooms_.spool->statistics();
  part.dns = rooms_.lookups.resolver().statistics();
  part.events_written = rooms_.events.statistics().written;
  part.events_dropped = rooms_.events.statistics().dropped;
  if (rooms_.ring.core() == CoreId{0}) part.events_dropped += rooms_.event_file->statistics().journal_dropped;
}

void Operate::destinations(Part& part) const {
  for (std::uint32_t i = 0; i < rooms_.queue->destinations(); ++i) {
    const queue::Destination& shown = rooms_.queue->at({i});
    const std::uint32_t connections = rooms_.deliverer->connections({i});
    if (shown.ready + shown.waiting + shown.taken + connections > 0) part.destinations.push_back({shown, connections});
  }
}

void Operate::flush(const Query& query, Part& part) {
  const WallTime now = rooms_.ring.wall();
  if (query.id) {
    part.affected = rooms_.queue->flush(*query.id, now) ? 1 : 0;
  } else if (query.request.all) {
    part.affected = rooms_.queue->messages();
    rooms_.queue->flush_all(now);
  } else if (const auto destination = rooms_.queue->find(query.request.destination)) {
    const queue::Destination& shown = rooms_.queue->at(*destination);
    part.affected = shown.waiting + shown.ready;
    rooms_.queue->flush(*destination, now);
  }
  dispatch_.wake();
}

// The messages that a query is about, the oldest first, at most as many as it wants.
std::vector<SpoolId> Operate::chosen(const Query& query) const {
  if (query.id) return {*query.id};
  std::vector<SpoolId> ids;
  const auto wanted = query.request.destination.empty() ? std::nullopt : rooms_.queue->find(query.request.destination);
  if (!query.request.destination.empty() && !wanted) return ids;
  rooms_.spool->for_each([&](SpoolId id, bool) {
    bool there = !wanted;
    if (wanted)
      rooms_.queue->entries_of(id, [&](DestinationId destination, WallTime, bool) { there |= destination == *wanted; });
    if (there) ids.push_back(id);
  });
  std::ranges::sort(ids);
  if (query.command == Command::list && ids.size() > lines_wanted(query)) ids.resize(lines_wanted(query));
  return ids;
}

// ---- core 0: parts → answer

void Operate::write_answer(const Query& query) {
  control::Reply& reply = *query.reply;
  std::uint64_t affected = 0;
  for (const Part& part : query.parts) affected += part.affected;
  switch (query.command) {
    case Command::status:
      write_status(query);
      break;
    case Command::queue:
      write_queue(query);
      break;
    case Command::show:
      write_lines(query);
      if (std::ranges::all_of(query.parts, [](const Part& part) { return part.lines.empty(); }))
        return reply.error("no message with this id in the spool: delivered, removed, or never accepted here");
      break;
    case Command::list:
      write_lines(query);
      break;
    case Command::flush:
    case Command::remove: {
      if (query.id && affected == 0) return reply.error("no message with this id waits here");
      std::string line;
      report::JsonLine json(line);
      json.number("messages", affected).end();
      reply.line(line);
      break;
    }
  }
  reply.done();
}

// What the cores found, the oldest first; lines of one message stay in their order.
void Operate::write_lines(const Query& query) {
  struct Found {
    WallTime accepted;
    std::size_t number;
    const std::string* json;
  };
  std::vector<Found> lines;
  for (const Part& part : query.parts)
    for (const Line& line : part.lines) lines.push_back({line.accepted, lines.size(), &line.json});
  std::ranges::sort(lines, {}, [](const Found& line) { return std::pair(line.accepted, line.number); });
  if (query.command == Command::list && lines.size() > lines_wanted(query)) lines.resize(lines_wanted(query));
  for (const Found& line : lines) query.reply->line(*line.json);
}

void Operate::write_status(const Query& query) {
  Counts sum;
  spool::Statistics spool;
  dns::Statistics dns;
  std::uint64_t written = 0, dropped = 0;
  for (const Part& part : query.parts) {
    sum.accepted += part.counts.accepted;
    sum.delivered += part.counts.delivered;
    sum.deferred += part.counts.deferred;
    sum.failed += part.counts.failed;
    sum.queued += part.counts.queued;
    sum.kept_failed += part.counts.kept_failed;
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
    written += part.events_written;
    dropped += part.events_dropped;
  }
  std::string line;
  report::JsonLine json(line);
  json.text("hostname", rooms_.config->hostname)
      .text("version", RINGPOST_VERSION)
      .seconds("uptime", rooms_.ring.now() - started_)
      .number("cores", std::uint64_t{rooms_.ring.cores()})
      .number("accepted", sum.accepted)
      .number("delivered", sum.delivered)
      .number("deferred", sum.deferred)
      .number("failed", sum.failed)
      .number("queued", sum.queued)
      .number("kept_failed", sum.kept_failed)
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
      .number("events_written", written)
      .number("events_dropped", dropped)
      .end();
  query.reply->line(line);
}

void Operate::write_queue(const Query& query) {
  std::map<std::string, DestinationRow> rows;
  for (const Part& part : query.parts) {
    for (const DestinationRow& row : part.destinations) {
      const auto [found, made] = rows.try_emplace(row.shown.name, row);
      if (made) continue;
      queue::Destination& sum = found->second.shown;
      sum.ready += row.shown.ready;
      sum.waiting += row.shown.waiting;
      sum.taken += row.shown.taken;
      sum.failures = std::max(sum.failures, row.shown.failures);
      sum.paused_until = std::max(sum.paused_until, row.shown.paused_until);
      if (sum.last_error.empty()) sum.last_error = row.shown.last_error;
      if (row.shown.ready > 0 && (sum.oldest.milliseconds == 0 || row.shown.oldest < sum.oldest))
        sum.oldest = row.shown.oldest;
      found->second.connections += row.connections;
    }
  }
  for (const auto& [name, row] : rows) {
    std::string line;
    report::JsonLine json(line);
    json.text("destination", name)
        .number("ready", row.shown.ready)
        .number("waiting", row.shown.waiting)
        .number("attempting", row.shown.taken)
        .number("connections", std::uint64_t{row.connections})
        .number("failures", std::uint64_t{row.shown.failures});
    if (row.shown.oldest.milliseconds != 0) json.time("oldest_due", row.shown.oldest);
    if (row.shown.paused_until.milliseconds != 0) json.time("paused_until", row.shown.paused_until);
    if (!row.shown.last_error.empty()) json.text("error", row.shown.last_error);
    json.end();
    query.reply->line(line);
  }
}

}  // namespace ringpost::core
