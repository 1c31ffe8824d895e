// One event as one JSON line. docs/events.md lists the keys; a test holds it against this.
#include <array>

#include "ringpost/report.h"

namespace ringpost::report {
namespace {

// Octets taken of peers' words: a line stays below kEventLine though each octet may become six.
constexpr std::size_t kPathShown = 600;
constexpr std::size_t kTextShown = 512;

View name_of(EventType type) {
  switch (type) {
    case EventType::reception:
      return "reception";
    case EventType::delivery:
      return "delivery";
    case EventType::transient_failure:
      return "transient_failure";
    case EventType::failure:
      return "failure";
    case EventType::refusal:
      return "refusal";
    case EventType::bounce:
      return "bounce";
    case EventType::removal:
      return "removal";
    case EventType::start:
      return "start";
    case EventType::stop:
      return "stop";
    case EventType::reload:
      return "reload";
    case EventType::trouble:
      return "trouble";
  }
  return "trouble";
}

void address(JsonLine& json, View key, const SocketAddress& at) {
  std::array<char, SocketAddress::kTextLength> room;
  if (at.known()) json.text(key, at.write(room));
}

void identity(JsonLine& json, View key, SpoolId id) {
  if (id.value == 0) return;
  const auto letters = id.letters();
  json.text(key, View{letters.data(), letters.size()});
}

}  // namespace

void write_event(std::string& out, const Event& event, WallTime at, CoreId core) {
  JsonLine json(out);
  json.time("time", at).text("type", name_of(event.type));
  identity(json, "id", event.id);
  if (event.has_from || !event.from.empty()) json.text("from", event.from, kPathShown);
  if (!event.to.empty()) json.text("to", event.to, kPathShown);
  address(json, "peer", event.peer);
  if (event.code != 0) json.number("code", std::uint64_t{event.code});
  if (event.enhanced.given()) {
    char room[smtp::EnhancedCode::kTextLength];
    json.text("enhanced", event.enhanced.write(room));
  }
  if (!event.text.empty()) json.text("text", event.text, kTextShown);
  if (event.attempt != 0) json.number("attempt", std::uint64_t{event.attempt});
  address(json, "source", event.source);
  if (!event.site.empty()) json.text("site", event.site, kPathShown);
  if (event.size != 0) json.number("size", event.size);
  if (event.recipients != 0) json.number("recipients", std::uint64_t{event.recipients});
  if (event.took >= Duration{0}) json.seconds("took", event.took);
  if (event.queued >= Duration{0}) json.seconds("queued", event.queued);
  identity(json, "report", event.report);
  json.number("core", std::uint64_t{core.value}).end();
  out.push_back('\n');
}

}  // namespace ringpost::report
