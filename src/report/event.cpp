// One event as one JSON line. docs/events.md lists the keys; a test holds it against this.
#include <algorithm>
#include <array>
#include <iterator>

#include "report/json_text.h"
#include "ringpost/config.h"
#include "ringpost/report.h"

namespace ringpost::report {
namespace {

// Octets taken of peers' words: a line stays below kEventLine though each octet may become six.
constexpr std::size_t kPathShown = 600;
constexpr std::size_t kTextShown = 512;
constexpr std::size_t kHostShown = 220;  // a name of DNS has 253 at the most
constexpr std::size_t kByShown = 128;

static_assert(std::size(config::kEventTypes) == static_cast<std::size_t>(EventType::trouble) + 1);

View name_of(EventType type) { return config::kEventTypes[static_cast<std::size_t>(type)]; }

// A line's most octets: keys, numbers and names of fixed length take less than a KiB.
// No event has both a host and who gave a command.
static_assert(kMostPerOctet * (3 * kPathShown + kTextShown + std::max(kHostShown, kByShown)) + 1024 <= kEventLine);

template <std::size_t Size>
void address(JsonCursor& json, const char (&key)[Size], const SocketAddress& at) {
  std::array<char, SocketAddress::kTextLength> room;
  if (at.known()) json.plain(key, at.write(room));
}

template <std::size_t Size>
void identity(JsonCursor& json, const char (&key)[Size], SpoolId id) {
  if (id.value == 0) return;
  const auto letters = id.letters();
  json.plain(key, {letters.data(), letters.size()});
}

char* put_event(char* to, const Event& event, WallTime at, CoreId core) {
  JsonCursor json(to);
  json.time("time", at);
  json.plain("type", name_of(event.type));
  identity(json, "id", event.id);
  if (event.has_from || !event.from.empty()) json.text("from", event.from.substr(0, kPathShown));
  if (!event.to.empty()) json.text("to", event.to.substr(0, kPathShown));
  address(json, "peer", event.peer);
  if (!event.host.empty()) json.text("host", event.host.substr(0, kHostShown));
  if (event.code != 0) json.number("code", event.code);
  if (event.enhanced.given()) {
    char room[smtp::EnhancedCode::kTextLength];
    json.plain("enhanced", event.enhanced.write(room));
  }
  if (!event.text.empty()) json.text("text", event.text.substr(0, kTextShown));
  if (event.attempt != 0) json.number("attempt", event.attempt);
  address(json, "source", event.source);
  if (!event.site.empty()) json.text("site", event.site.substr(0, kPathShown));
  if (event.size != 0) json.number("size", event.size);
  if (event.recipients != 0) json.number("recipients", event.recipients);
  if (event.has_messages) json.number("messages", event.messages);
  if (event.took >= Duration{0}) json.seconds("took", event.took);
  if (event.queued >= Duration{0}) json.seconds("queued", event.queued);
  if (event.until.milliseconds != 0) json.time("until", event.until);
  identity(json, "report", event.report);
  if (!event.by.empty()) json.text("by", event.by.substr(0, kByShown));
  json.number("core", core.value);
  to = json.end();
  *to++ = '\n';
  return to;
}

}  // namespace

// The string grows once, by the most a line may need, and is cut to what was written.
void write_event(std::string& out, const Event& event, WallTime at, CoreId core) {
  const std::size_t before = out.size();
  out.resize_and_overwrite(before + kEventLine, [&](char* text, std::size_t) {
    return static_cast<std::size_t>(put_event(text + before, event, at, core) - text);
  });
}

}  // namespace ringpost::report
