#include "core/requests.h"

#include <algorithm>
#include <charconv>

#include "core/lines.h"

namespace ringpost::core {
namespace {

using control::Command;
using control::Request;

// "<seconds>.<id>"
bool take_cursor(View text, ListKey& key) {
  if (text.empty()) return true;
  const std::size_t dot = text.find('.');
  if (dot == View::npos) return false;
  const auto [end, error] = std::from_chars(text.data(), text.data() + dot, key.accepted);
  const auto id = SpoolId::parse(text.substr(dot + 1));
  if (error != std::errc{} || end != text.data() + dot || !id) return false;
  key.id = *id;
  return true;
}

// What a command may be said with beside the words that say which messages.
Result<void> check_words(const Request& request) {
  const View name = control::facts_of(request.command).name;
  const auto only_for = [&](bool given, bool allowed, View key) -> Result<void> {
    if (given && !allowed) return fail(std::string{key} + " means nothing to " + std::string{name});
    return {};
  };
  const Command command = request.command;
  const bool list = command == Command::list || command == Command::search;
  const bool changes = control::facts_of(command).changes;
  const bool of_destination = command == Command::suspend || command == Command::resume;
  for (const auto& checked :
       {only_for(request.headers || request.content, command == Command::show, "headers, content"),
        only_for(request.limit != 0, list || command == Command::queue, "limit"),
        only_for(!request.after.empty(), list, "after"),
        only_for(!request.route.empty(), command == Command::reroute, "route"),
        only_for(request.all, changes && !of_destination, "all"),
        only_for(request.dry_run, changes && !of_destination, "dry_run")})
    if (!checked) return checked;
  return {};
}

// Which messages a command must, may and must not be told.
Result<void> check_filter(const Query& query) {
  const Request& request = query.request;
  const Filter& filter = query.filter;
  if (std::ranges::any_of(filter.destination, [](unsigned char c) { return c <= ' ' || c == 0x7f; }))
    return fail("destination: a name has no blanks and no control octets");
  if (filter.standing == Standing::damaged && filter.text != "state=damaged" && !filter.id)
    return fail("of a damaged message nothing is known but its id: say state=damaged and nothing else");
  const bool destination_alone = !filter.destination.empty() && filter.text == "destination=" + filter.destination;
  switch (request.command) {
    case Command::status:
      if (!filter.empty()) return fail("status is of the whole relay");
      return {};
    case Command::queue:
      if (!filter.empty() && !destination_alone) return fail("queue can be asked for one destination, nothing else");
      return {};
    case Command::list:
      return {};
    case Command::search:
      if (filter.empty())
        return fail("search needs something to search for: from, to, destination, older, newer, error, code, state");
      return {};
    case Command::show:
      if (!filter.id || filter.text != "id=" + request.id) return fail("show needs a spool id, and nothing else");
      return {};
    case Command::suspend:
    case Command::resume:
      if (!destination_alone) return fail("say the destination, as `queue` names it, and nothing else");
      return {};
    default:
      if (filter.empty() && !request.all) return fail("say which messages: a spool id, a filter, or all");
      if (!filter.empty() && request.all) return fail("all is every message: say it alone, or leave it out");
      return {};
  }
}

}  // namespace

Result<void> fill_query(Query& query, const Request& request, WallTime now) {
  query.request = request;
  auto filter = Filter::of(request, now);
  if (!filter) return std::unexpected(filter.error());
  query.filter = std::move(*filter);
  if (!take_cursor(request.after, query.after))
    return fail("'" + request.after + "' is no cursor: it comes with an answer");
  if (auto words = check_words(request); !words) return words;
  return check_filter(query);
}

std::string cursor_text(const ListKey& last) { return std::to_string(last.accepted) + '.' + last.id.text(); }

std::vector<std::string> queue_lines(const Query& query) {
  std::vector<const DestinationRow*> rows;
  rows.reserve(query.rows.size());
  for (const auto& [name, row] : query.rows)
    if (query.filter.destination.empty() || query.filter.destination == name) rows.push_back(&row);
  const auto fuller = [](const DestinationRow* a, const DestinationRow* b) {
    const std::uint64_t has = a->ready + a->waiting + a->attempting, other = b->ready + b->waiting + b->attempting;
    return has != other ? has > other : a->name < b->name;
  };
  const auto wanted = static_cast<std::ptrdiff_t>(std::min<std::uint64_t>(rows.size(), query.request.limit));
  std::ranges::partial_sort(rows, rows.begin() + wanted, fuller);
  std::vector<std::string> lines;
  for (const DestinationRow* row : std::span{rows}.first(static_cast<std::size_t>(wanted)))
    lines.push_back(destination_line(*row));
  return lines;
}

std::string why_nothing(Command command) {
  switch (command) {
    case Command::flush:
      return "no message with this id waits here";
    case Command::hold:
      return "no message with this id is queued here";
    case Command::release:
      return "no message with this id is held here";
    default:
      return "no message with this id is here";
  }
}

}  // namespace ringpost::core
