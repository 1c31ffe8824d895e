#include "control/request.h"

#include <nlohmann/json.hpp>

namespace ringpost::control {
namespace {

using nlohmann::json;

// Puts one member into the request; false with `why` set when it has no place there.
bool take(Request& request, const std::string& key, const json& value, std::string& why) {
  const auto text = [&](std::string& into) {
    if (!value.is_string()) return why = "\"" + key + "\" must be a string", false;
    into = value.get<std::string>();
    return true;
  };
  const auto flag = [&](bool& into) {
    if (!value.is_boolean()) return why = "\"" + key + "\" must be true or false", false;
    into = value.get<bool>();
    return true;
  };
  if (key == "command") return text(request.command);
  if (key == "id") return text(request.id);
  if (key == "destination") return text(request.destination);
  if (key == "all") return flag(request.all);
  if (key == "content") return flag(request.content);
  if (key == "limit") {
    if (!value.is_number_unsigned()) return why = "\"limit\" must be a whole number, not negative", false;
    request.limit = value.get<std::uint64_t>();
    return true;
  }
  why = "unknown key \"" + key + "\": command, id, destination, all, content, limit";
  return false;
}

}  // namespace

Result<Request> parse_request(View line) {
  const json object = json::parse(line, nullptr, false);
  if (object.is_discarded() || !object.is_object()) return fail("a request is one JSON object in a line");
  Request request;
  std::string why;
  for (const auto& [key, value] : object.items())
    if (!take(request, key, value, why)) return fail(why);
  if (request.command.empty()) return fail("a request needs a \"command\"");
  return request;
}

std::string error_line(View text) { return json{{"error", text}}.dump(-1, ' ', true, json::error_handler_t::replace); }

}  // namespace ringpost::control
