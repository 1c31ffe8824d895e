// Requests as JSON and as text, by one table of their members.
#include "control/request.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <nlohmann/json.hpp>
#include <variant>

namespace ringpost::control {
namespace {

using nlohmann::json;

using Place = std::variant<std::string Request::*, bool Request::*, std::uint64_t Request::*>;
struct Member {
  View key;
  Place place;
};

constexpr Member kMembers[] = {
    {"id", &Request::id},           {"destination", &Request::destination},
    {"from", &Request::from},       {"to", &Request::to},
    {"older", &Request::older},     {"newer", &Request::newer},
    {"error", &Request::error},     {"code", &Request::code},
    {"state", &Request::state},     {"all", &Request::all},
    {"dry_run", &Request::dry_run}, {"route", &Request::route},
    {"headers", &Request::headers}, {"content", &Request::content},
    {"limit", &Request::limit},     {"after", &Request::after},
    {"by", &Request::by},
};

constexpr CommandFacts kCommands[] = {
    {Command::status, "status", false, "counts and state of the relay"},
    {Command::queue, "queue", false, "destinations with mail, the fullest first"},
    {Command::list, "list", false, "messages, the oldest first"},
    {Command::search, "search", false, "messages that a filter is about, the oldest first"},
    {Command::show, "show", false, "one message: envelope, recipients and their last attempts, header, content"},
    {Command::flush, "flush", true, "attempt now what waits"},
    {Command::hold, "hold", true, "attempt no more until released"},
    {Command::release, "release", true, "let go what is held, and attempt it now"},
    {Command::remove, "remove", true, "drop without delivering"},
    {Command::reroute, "reroute", true, "find the destination anew, or send to a given one, now"},
    {Command::suspend, "suspend", true, "attempt nothing at a destination until it is resumed"},
    {Command::resume, "resume", true, "end a destination's suspension"},
};

std::string all_commands() {
  std::string words;
  for (const CommandFacts& one : kCommands) words.append(words.empty() ? "" : ", ").append(one.name);
  return words;
}

const Member* member_of(View key, std::string& why) {
  for (const Member& member : kMembers)
    if (member.key == key) return &member;
  why = "unknown key \"" + std::string{key} + "\": command";
  for (const Member& member : kMembers) why.append(", ").append(member.key);
  return nullptr;
}

bool set_command(Request& request, View name, std::string& why) {
  for (const CommandFacts& one : kCommands)
    if (one.name == name) return request.command = one.command, true;
  why = "unknown command '" + std::string{name} + "': " + all_commands();
  return false;
}

// The member's value of JSON; false with `why` set when it has another type.
bool take(Request& request, const Member& member, const json& value, std::string& why) {
  const std::string quoted = "\"" + std::string{member.key} + "\"";
  if (const auto* text = std::get_if<std::string Request::*>(&member.place)) {
    if (!value.is_string()) return why = quoted + " must be a string", false;
    request.*(*text) = value.get<std::string>();
  } else if (const auto* flag = std::get_if<bool Request::*>(&member.place)) {
    if (!value.is_boolean()) return why = quoted + " must be true or false", false;
    request.*(*flag) = value.get<bool>();
  } else {
    if (!value.is_number_unsigned()) return why = quoted + " must be a whole number, not negative", false;
    request.*std::get<std::uint64_t Request::*>(member.place) = value.get<std::uint64_t>();
  }
  return true;
}

std::string dumped(const json& object) { return object.dump(-1, ' ', true, json::error_handler_t::replace); }

}  // namespace

std::span<const CommandFacts> commands() { return kCommands; }

const CommandFacts& facts_of(Command command) { return *std::ranges::find(kCommands, command, &CommandFacts::command); }

Result<Request> parse_request(View line) {
  const json object = json::parse(line, nullptr, false);
  if (object.is_discarded() || !object.is_object()) return fail("a request is one JSON object in a line");
  Request request;
  std::string why;
  bool command = false;
  for (const auto& [key, value] : object.items()) {
    if (key == "command") {
      if (!value.is_string()) return fail("\"command\" must be a string");
      if (!set_command(request, value.get_ref<const std::string&>(), why)) return fail(why);
      command = true;
      continue;
    }
    const Member* member = member_of(key, why);
    if (member == nullptr || !take(request, *member, value, why)) return fail(why);
  }
  if (!command) return fail("a request needs a \"command\": " + all_commands());
  return request;
}

bool set_member(Request& request, View key, View text, std::string& why) {
  if (key == "command") return set_command(request, text, why);
  const Member* member = member_of(key, why);
  if (member == nullptr) return false;
  if (const auto* words = std::get_if<std::string Request::*>(&member->place)) return request.*(*words) = text, true;
  if (const auto* flag = std::get_if<bool Request::*>(&member->place)) {
    request.*(*flag) = text == "true" || text == "1" || text.empty();
    if (request.*(*flag) || text == "false" || text == "0") return true;
    why = std::string{key} + " must be true or false";
    return false;
  }
  std::uint64_t& number = request.*std::get<std::uint64_t Request::*>(member->place);
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error == std::errc{} && end == text.data() + text.size() && !text.empty()) return true;
  why = std::string{key} + " must be a whole number, not negative";
  return false;
}

std::string request_line(const Request& request) {
  json object{{"command", facts_of(request.command).name}};
  const Request absent;
  for (const Member& member : kMembers)
    std::visit(
        [&](auto place) {
          if (request.*place != absent.*place) object[std::string{member.key}] = request.*place;
        },
        member.place);
  return dumped(object);
}

View fault_word(Fault fault) {
  constexpr std::array<View, 5> kWords{"usage", "not_found", "forbidden", "unavailable", "failed"};
  return kWords[static_cast<std::size_t>(fault)];
}

std::string error_line(Fault fault, View text) { return dumped({{"error", text}, {"kind", fault_word(fault)}}); }

std::string done_line(View after) {
  std::string line = R"({"done":true)";
  if (!after.empty()) line.append(R"(,"after":)").append(dumped(json(after)));
  return line.append("}");
}

}  // namespace ringpost::control
