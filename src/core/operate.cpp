#include "core/operate.h"

#include <algorithm>
#include <utility>

#include <fmt/format.h>

#include "core/lines.h"
#include "core/post.h"
#include "core/requests.h"

namespace ringpost::core {
namespace {

constexpr std::size_t kPage = 256;          // lines of a list that a core sends at once
constexpr std::uint64_t kListLines = 100;   // when the request names no limit
constexpr std::uint64_t kQueueRows = 1000;  // likewise

using control::Command;
using control::Fault;

bool is_list(const Query& query) {
  return query.request.command == Command::list || query.request.command == Command::search;
}

}  // namespace

// A query as core 0 keeps it.
struct Operate::Asked : Query {
  explicit Asked(Operate& owner) : operate(owner), move(this, ring::call<&Asked::moved>) {}
  void moved() { operate.advance(*this); }
  Operate& operate;
  ring::Deferred move;  // the reply takes more, or nobody listens any more
};

Operate::Operate(Rooms& rooms, Dispatch& dispatch, Settle& settle)
    : rooms_(rooms),
      shop_{.rooms = rooms,
            .dispatch = dispatch,
            .settle = settle,
            .owner = this,
            .page = [](void* self, Query& query) { static_cast<Operate*>(self)->send_back(query); },
            .finished = [](void* self, Work& work) { static_cast<Operate*>(self)->finished(work); }},
      started_(rooms.ring.now()),
      ended_(rooms.ring.cores()) {}

Operate::~Operate() {
  // Only where this core could not wait for the others: they may still be at work on what they were asked. The process
  // ends with them.
  for (auto& asked : queries_) {
    asked->reply->on_moved(nullptr, nullptr);
    static_cast<void>(asked.release());
  }
}

// ---- core 0: request → query

// Any domain is a destination by its MX, so a slip of the pen would fail mail for good: an address without its port and
// a word without a dot are nobody's domain.
bool Operate::is_destination(View name) const {
  const route::Route* route = rooms_.router->by_name(name);
  if (route == nullptr || !route->by_mx() || name.starts_with('[')) return route != nullptr;
  return name.contains('.') && name.size() <= message::State::kViaLimit && !SocketAddress::parse(name, 25);
}

// A domain is meant in whatever case it is written; the hosts of a [[route]] are called as `queue` has them.
void Operate::name_destination(std::string& name) const {
  const route::Route* route = name.empty() ? nullptr : rooms_.router->by_name(name);
  if (!name.empty() && (route == nullptr || route->by_mx())) name = route::domain_name(name);
}

void Operate::execute(const control::Request& request, std::shared_ptr<control::Reply> reply) {
  if (stopping_) return reply->error(Fault::unavailable, "the relay is ending");
  auto asked = std::make_unique<Asked>(*this);
  if (auto filled = fill_query(*asked, request, rooms_.ring.wall()); !filled)
    return reply->error(Fault::usage, filled.error().text);
  name_destination(asked->filter.destination);
  name_destination(asked->request.route);
  if (!asked->request.route.empty() && !is_destination(asked->request.route))
    return reply->error(Fault::not_found, "no destination '" + request.route +
                                              "': a domain that is delivered by MX, or "
                                              "the hosts of a [[route]] as `queue` names them");
  Asked& query = *queries_.emplace_back(std::move(asked));
  query.reply = std::move(reply);
  query.reply->on_moved(&query, [](void* self) {
    auto& moved = *static_cast<Asked*>(self);
    moved.operate.rooms_.ring.defer(moved.move);
  });
  if (is_list(query) && query.request.limit == 0) query.request.limit = kListLines;
  if (query.request.command == Command::queue && query.request.limit == 0) query.request.limit = kQueueRows;
  query.page = static_cast<std::size_t>(std::min<std::uint64_t>(kPage, query.request.limit + 1));
  query.parts.resize(rooms_.ring.cores());
  for (std::uint16_t core = 0; core < rooms_.ring.cores(); ++core) ask(query, {core});
}

// Asks a core to begin, or to go on.
void Operate::ask(Asked& query, CoreId core) {
  Part& part = query.parts[core.value];
  if (ended_[core.value]) {
    part.finished = part.broken_off = true;
    return;
  }
  part.at_work = true;
  rooms_.ring.mail_to(core, mail_of(Post::query, rooms_.ring.core(), static_cast<Query*>(&query)));
}

void Operate::part_done(Query& query, CoreId core) {
  query.parts[core.value].at_work = false;
  advance(static_cast<Asked&>(query));
}

void Operate::core_ended(CoreId core) {
  ended_[core.value] = true;
  for (const auto& asked : queries_) {
    Part& part = asked->parts[core.value];
    if (part.finished) continue;
    part.at_work = false;
    part.finished = part.broken_off = true;
    rooms_.ring.defer(asked->move);
  }
}

// ---- core 0: parts → answer

void Operate::advance(Asked& query) {
  if (!query.over && query.reply->abandoned() && !control::facts_of(query.request.command).changes)
    end(query, [](control::Reply&) {});
  if (!query.over) merge(query);
  if (query.over) stop_parts(query);
  // While a part is at work its core writes it, and has a letter of it on the way.
  const bool finished =
      std::ranges::all_of(query.parts, [](const Part& part) { return !part.at_work && part.finished; });
  if (!query.over || !finished) return;
  std::erase_if(queries_, [&query](const auto& one) { return one.get() == &query; });
}

void Operate::stop_parts(Asked& query) {
  for (std::uint16_t core = 0; core < query.parts.size(); ++core)
    if (!query.parts[core].at_work && !query.parts[core].finished) ask(query, {core});
}

// Says what can be said now. Lines of several cores are said by their keys: so each core that has not finished must
// have one to compare.
void Operate::merge(Asked& query) {
  for (;;) {
    Part* first = nullptr;
    bool waiting = false;
    for (std::uint16_t core = 0; core < query.parts.size(); ++core) {
      Part& part = query.parts[core];
      if (part.at_work) {
        waiting = true;
        continue;
      }
      for (DestinationRow& row : part.destinations) add_row(query.rows.try_emplace(row.name).first->second, row);
      part.destinations.clear();
      if (part.said < part.lines.size()) {
        if (first == nullptr || part.lines[part.said].key < first->lines[first->said].key) first = &part;
        continue;
      }
      part.lines.clear();
      part.said = 0;
      if (part.finished) continue;
      ask(query, {core});
      waiting = waiting || part.at_work;
    }
    if (waiting) return;
    if (first == nullptr) break;
    if (query.reply->full()) return;
    if (is_list(query) && query.said == query.request.limit)
      return end(query, [&](control::Reply& reply) { reply.done(cursor_text(query.last)); });
    const Line& line = first->lines[first->said++];
    query.reply->line(line.json);
    query.last = line.key;
    ++query.said;
  }
  if (!query.answer_made && !make_answer(query)) return;
  say_answer(query);
}

// All parts have finished. False: the answer is an error, and was given.
bool Operate::make_answer(Asked& query) {
  query.answer_made = true;
  std::uint64_t affected = 0;
  const Part* troubled = nullptr;
  bool broken_off = false;
  for (const Part& part : query.parts) {
    affected += part.affected;
    broken_off |= part.broken_off;
    if (!part.trouble.empty()) troubled = &part;
  }
  const bool changes = control::facts_of(query.request.command).changes;
  if (changes && !query.request.dry_run) tell_command(query, affected);
  const auto no = [&](Fault fault, const std::string& text) {
    end(query, [&](control::Reply& reply) { reply.error(fault, text); });
    return false;
  };
  if (broken_off)
    return no(Fault::unavailable,
              changes ? fmt::format("the relay is ending: done for {} messages", affected) : "the relay is ending");
  if (troubled != nullptr) return no(Fault::failed, troubled->trouble);
  switch (query.request.command) {
    case Command::status:
      query.answer.push_back(
          status_line(query, {.hostname = rooms_.config->hostname, .uptime = rooms_.ring.now() - started_}));
      return true;
    case Command::queue:
      query.answer = queue_lines(query);
      return true;
    case Command::list:
    case Command::search:
      return true;
    case Command::show:
      if (query.said == 0)
        return no(Fault::not_found, "no message with this id in the spool: delivered, removed, or never accepted here");
      return true;
    default:
      if (query.filter.id && affected == 0) return no(Fault::not_found, why_nothing(query.request.command));
      query.answer.push_back(affected_line(affected, query.request.dry_run));
      return true;
    case Command::suspend:
    case Command::resume:
      if (query.request.command == Command::resume && affected == 0)
        return no(Fault::not_found, "no destination of this name is suspended");
      query.answer.push_back(suspension_line(query.filter.destination, query.request.command == Command::suspend));
      return true;
  }
}

void Operate::say_answer(Asked& query) {
  while (query.answered < query.answer.size()) {
    if (query.reply->full()) return;
    query.reply->line(query.answer[query.answered++]);
  }
  end(query, [](control::Reply& reply) { reply.done(); });
}

// The last word to the client. What is still at work for it stops.
void Operate::end(Asked& query, const std::function<void(control::Reply&)>& how) {
  query.over = true;
  query.stopped = true;
  query.reply->on_moved(nullptr, nullptr);
  how(*query.reply);
}

void Operate::tell_command(const Query& query, std::uint64_t affected) {
  const Command command = query.request.command;
  std::string text = fmt::format("{} {}", control::facts_of(command).name, query.filter.text);
  if (!query.request.route.empty()) text.append(" route=").append(query.request.route);
  if (command != Command::suspend && command != Command::resume)
    text.append(fmt::format(": {} message{}", affected, affected == 1 ? "" : "s"));
  rooms_.events.write({.type = report::EventType::command, .text = text, .by = query.request.by});
}

// ---- every core: query → part

void Operate::answer(Query& query) {
  if (Work* known = work_of(query)) return known->asked();
  Part& part = query.parts[rooms_.ring.core().value];
  if (stopping_ || query.stopped) {
    part.finished = true;
    part.broken_off = stopping_;
    return send_back(query);
  }
  if (query.request.command == Command::status) {
    part.counts = counts_of(rooms_);
    part.spool = rooms_.spool->statistics();
    part.dns = rooms_.lookups.resolver().statistics();
    part.events = rooms_.events.statistics();
    if (rooms_.ring.core() == CoreId{0}) part.events.dropped += rooms_.event_file->statistics().journal_dropped;
    part.finished = true;
    return send_back(query);
  }
  works_.push_back(make_work(shop_, query));
  works_.back()->asked();
}

Work* Operate::work_of(const Query& query) const {
  for (const auto& work : works_)
    if (&work->query() == &query) return work.get();
  return nullptr;
}

void Operate::send_back(Query& query) {
  rooms_.ring.mail_to({0}, mail_of(Post::query_done, rooms_.ring.core(), &query));
}

void Operate::finished(Work& work) {
  Query& query = work.query();
  work.part().finished = true;
  std::erase_if(works_, [&work](const auto& one) { return one.get() == &work; });
  send_back(query);
}

// ---- the end

void Operate::stop() {
  if (stopping_) return;
  stopping_ = true;
  while (!works_.empty()) {
    Work& work = *works_.front();
    if (work.paused()) {
      works_.pop_front();  // asked for more, it will be unknown, and finish then
      continue;
    }
    work.part().broken_off = true;
    finished(work);
  }
  // A reader may read for ever; what a command has changed is still told when all parts are back.
  for (auto at = queries_.begin(); at != queries_.end();) {
    Asked& query = **at++;
    if (query.over || control::facts_of(query.request.command).changes) continue;
    end(query, [](control::Reply& reply) { reply.error(Fault::unavailable, "the relay is ending"); });
    advance(query);
  }
}

}  // namespace ringpost::core
