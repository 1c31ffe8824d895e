// The key table, key by key: each is read, refused where it should be, printed, and documented.
#include <doctest/doctest.h>

#include <algorithm>
#include <fstream>
#include <map>
#include <set>
#include <sstream>

#include "ringpost/config.h"

namespace ringpost::config {
namespace {

const Surroundings kSurroundings{.hostname = "box.example.net", .home = "/home/op", .state = ""};

// For each type: a value that is no default, in the form in which it is printed, and values that no key of the type
// takes.
struct Samples {
  std::string good;
  std::vector<std::string> bad;
};

const std::vector<std::string> kBadForAll{"1979-05-27", "1.5", "{ a = 1 }", "[[]]"};

const std::map<std::string, Samples> kSamples{
    {"switch", {"", {"1", "\"true\"", "[true]"}}},
    {"port", {"2599", {"-1", "\"5\"", "[5]", "true", "0", "65536", "9223372036854775807"}}},
    {"count", {"", {"-1", "\"5\"", "[5]", "true", "9223372036854775807"}}},
    {"size", {"", {"-1", "true", "[\"64M\"]", "\"64X\"", "\"\"", "\"99999999T\""}}},
    {"duration", {"", {"5", "\"5\"", "\"-1s\"", "\"\"", "[\"1s\"]", "true", "\"100000d\""}}},
    {"path", {"\"/some/file\"", {"5", "true", "[\"a\"]", "\"\\u0007\""}}},
    {"path of a socket",
     {"\"/some/socket\"", {"5", "true", "[\"a\"]", "\"\\u0007\"", "\"/" + std::string(107, 'a') + "\""}}},
    {"host name", {"\"mail.example.org\"", {"5", "[\"a\"]", "\"a b\"", "\"a..b\"", "\"\"", "\"*\""}}},
    {"domain", {"\"example.org\"", {"5", "[\"a\"]", "\"a b\"", "\"a..b\"", "\"\"", "\"**\""}}},
    {"text", {"\"Hello\"", {"5", "[\"a\"]", "\"\\u0007\"", "\"\\r\\n\"", "\"" + std::string(201, 'a') + "\""}}},
    {"mail address", {"\"pm@example.org\"", {"5", "[\"a@b\"]", "\"a\"", "\"a b@c\"", "\"a@b\\r\\n\""}}},
    {"address",
     {"\"127.0.0.7:2599\"", {"25", "\":25\"", "\"127.0.0.1\"", "\"localhost:25\"", "\"::1:25\"", "[\"127.0.0.1:1\"]"}}},
    {"address or list of addresses",
     {"[\"192.0.2.7:2599\", \"[::1]:2600\"]", {"5", "[\"a\"]", "[\"\"]", "[[\"127.0.0.1:1\"]]"}}},
    {"address or name, or list of them",
     {"[\"192.0.2.7:2599\", \"mail.example.org:2600\"]", {"5", "[\"a b\"]", "[\"\"]", "[]", "[[\"127.0.0.1:1\"]]"}}},
    {"list of networks", {"[\"192.0.2.0/24\", \"2001:db8::/32\"]", {"5", "[\"10.0.0.1/8\"]", "[\"\"]", "[true]"}}},
    {"list of durations", {"[\"7m\", \"8m\"]", {"5", "[]", "[\"5\"]", "[\"5m\", 5]", "\"\""}}},
    {"path or list of paths", {"[\"/some/file\"]", {"5", "[5]", "[\"\"]"}}},
    {"event type or list of event types", {"[\"reload\", \"trouble\"]", {"5", "[5]", "\"\"", "\"Reload\"", "[\"x\"]"}}},
    {"one of \"relay\", \"submission\", \"submissions\"", {"\"submission\"", {"\"smtp\"", "\"Relay\"", "25", "[]"}}},
    {"one of \"refuse\", \"allow\"", {"\"allow\"", {"\"yes\"", "true", "\"\""}}},
};

// Numbers have their bounds in the table: the least value is good (the most, where the least is the default).
std::string good_value(const KeyFacts& key) {
  if (key.type == "switch") return key.initial == "true" ? "false" : "true";
  const std::string& sample = kSamples.at(key.type).good;
  if (!sample.empty()) return sample;
  return key.initial == key.least ? key.most : key.least;
}

// The value next to a bound, outside.
std::string past(const std::string& bound, int step) {
  const bool quoted = bound.starts_with('"');
  const std::string bare = quoted ? bound.substr(1, bound.size() - 2) : bound;
  std::size_t digits = 0;
  const long long number = std::stoll(bare, &digits);
  if (number + step < 0) return "";
  const std::string next = std::to_string(number + step) + bare.substr(digits);
  return quoted ? "\"" + next + "\"" : next;
}

std::vector<std::string> bad_values(const KeyFacts& key) {
  std::vector<std::string> bad = kSamples.at(key.type).bad;
  bad.insert(bad.end(), kBadForAll.begin(), kBadForAll.end());
  const bool list = key.type.starts_with("list");
  for (const std::string& value :
       {key.least.empty() ? "" : past(key.least, -1), key.most.empty() ? "" : past(key.most, 1)}) {
    if (!value.empty()) bad.push_back(list ? "[" + value + "]" : value);
  }
  return bad;
}

// A file that sets one key.
struct File {
  std::string text;
  std::string key;    // as problems and settings name it
  unsigned line = 0;  // where it is set
};

File file_with(const KeyFacts& key, const std::string& value) {
  const std::string set = key.name + " = " + value + "\n";
  const std::string listener = "[[listener]]\naddress = \"127.0.0.1:2525\"\n";
  if (key.list == "listener") {
    return {"[[listener]]\n" + set + (key.name == "address" ? "" : "address = \"127.0.0.1:2525\"\n"),
            "listener[1]." + key.name, 2};
  }
  if (key.list == "route") {
    const std::string domain = key.name == "domain" ? "" : "domain = \"*\"\n";
    const std::string host = key.name == "host" ? "" : "host = \"192.0.2.1:25\"\n";
    return {listener + "[[route]]\n" + set + domain + host, "route[1]." + key.name, 4};
  }
  // These cannot stand alone.
  std::string companion;
  if (key.name == "tls.certificate") companion = "tls.key = " + value + "\n";
  if (key.name == "control.http") companion = "control.tokens = \"/some/file\"\n";
  if (key.name == "tls.key") companion = "tls.certificate = " + value + "\n";
  return {set + companion + listener, key.name, 1};
}

const Setting* setting_of(const Loaded& loaded, const std::string& key) {
  const auto found = std::find_if(loaded.settings.begin(), loaded.settings.end(),
                                  [&](const Setting& setting) { return setting.key == key; });
  return found == loaded.settings.end() ? nullptr : &*found;
}

// From the source tree's top or from anywhere below it.
std::string read_from_tree(const std::string& path) {
  std::string up;
  for (int depth = 0; depth < 6; ++depth, up += "../") {
    std::ifstream in(up + path);
    if (!in) continue;
    std::ostringstream text;
    text << in.rdbuf();
    return text.str();
  }
  return "";
}

}  // namespace

TEST_CASE("each key takes a good value, keeps it, and says where it came from") {
  for (const KeyFacts& key : keys()) {
    const std::string value = good_value(key);
    const File file = file_with(key, value);
    CAPTURE(file.text);
    const Checked checked = parse(file.text, "t.toml", kSurroundings);
    REQUIRE(checked);
    const Setting* setting = setting_of(*checked, file.key);
    REQUIRE(setting != nullptr);
    CHECK(setting->value == value);
    CHECK(setting->origin == "t.toml:" + std::to_string(file.line));
    if (!key.initial.empty()) CHECK(value != key.initial);
    const bool said = std::any_of(checked->notes.begin(), checked->notes.end(), [&](const Problem& note) {
      return note.key == file.key && note.what.starts_with("has no effect yet");
    });
    CHECK(said == (!key.has_effect || file.key == "listener[1].kind"));
  }
}

TEST_CASE("each key that changes is told, with the table's word on whether a reload takes it") {
  for (const KeyFacts& key : keys()) {
    if (key.required) continue;
    const Checked before =
        parse(file_with(key, key.initial.empty() ? good_value(key) : key.initial).text, "b", kSurroundings);
    const Checked after = parse(file_with(key, good_value(key)).text, "a", kSurroundings);
    CAPTURE(key.name);
    REQUIRE(before);
    REQUIRE(after);
    if (key.initial.empty()) continue;
    const auto changes = diff(before->config, after->config);
    const auto found = std::find_if(changes.begin(), changes.end(),
                                    [&](const Change& change) { return change.key == file_with(key, "").key; });
    REQUIRE(found != changes.end());
    CHECK(found->before == key.initial);
    CHECK(found->after == good_value(key));
    CHECK(found->reloadable == key.reloadable);
  }
}

TEST_CASE("each bad value of each key is an error that names file, line and key and says what would be right") {
  for (const KeyFacts& key : keys()) {
    for (const std::string& value : bad_values(key)) {
      const File file = file_with(key, value);
      CAPTURE(file.text);
      const Checked checked = parse(file.text, "t.toml", kSurroundings);
      REQUIRE_FALSE(checked);
      const auto found = std::find_if(checked.error().begin(), checked.error().end(),
                                      [&](const Problem& problem) { return problem.key == file.key; });
      REQUIRE(found != checked.error().end());
      CHECK(found->file == "t.toml");
      CHECK(found->line == file.line);
      CHECK_FALSE(found->what.empty());
      CHECK(found->remedy.starts_with("expected "));
    }
  }
}

TEST_CASE("each key is described once, in a sentence") {
  std::set<std::string> seen;
  for (const KeyFacts& key : keys()) {
    CAPTURE(key.name);
    CHECK(key.text.ends_with('.'));
    CHECK(seen.insert(key.list + "/" + key.name).second);
  }
  CHECK(seen.size() > 50);
}

TEST_CASE("a file that writes out every default is the default configuration") {
  std::string text;
  for (const KeyFacts& key : keys()) {
    if (key.list.empty() && !key.initial.empty()) text += key.name + " = " + key.initial + "\n";
  }
  const std::string listener = "[[listener]]\naddress = \"127.0.0.1:2525\"\n";
  CAPTURE(text);
  const Checked written = parse(text + listener, "t.toml", kSurroundings);
  const Checked bare = parse(listener, "t.toml", kSurroundings);
  REQUIRE(written);
  REQUIRE(bare);
  CHECK(diff(written->config, bare->config).empty());
}

TEST_CASE("the reference page in docs is what the table says") {
  const std::string page = reference_page();
  for (const KeyFacts& key : keys()) {
    CAPTURE(key.name);
    CHECK(page.find("**`" + key.name + "`** — " + key.type) != std::string::npos);
    CHECK(page.find(key.text) != std::string::npos);
  }
  const std::string kept = read_from_tree("docs/configuration.md");
  INFO("docs/configuration.md is old: ringpost config-reference > docs/configuration.md");
  CHECK((kept == page));
}

}  // namespace ringpost::config
