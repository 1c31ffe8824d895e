// What an operator is told: changes and what a reload takes, effective values, and the memory plan.
#include <doctest/doctest.h>

#include <algorithm>
#include <limits>

#include "ringpost/config.h"

namespace ringpost::config {
namespace {

const Surroundings kSurroundings{.hostname = "box.example.net", .home = "/home/op", .state = ""};

Loaded loaded(const std::string& text) {
  Checked checked = parse("[[listener]]\naddress = \"127.0.0.1:2525\"\n" + text, "f.toml", kSurroundings);
  REQUIRE(checked);
  return *std::move(checked);
}

Config config(const std::string& text) { return loaded(text).config; }

const Change* change_of(const std::vector<Change>& changes, View key) {
  const auto found =
      std::find_if(changes.begin(), changes.end(), [&](const Change& change) { return change.key == key; });
  return found == changes.end() ? nullptr : &*found;
}

}  // namespace

TEST_CASE("a problem without remedy or key leaves no empty words") {
  CHECK(Problem{"f", 3, "", "bad", ""}.text() == "f:3: bad");
  CHECK(Problem{"f", 3, "k", "bad", ""}.text() == "f:3: k: bad");
  CHECK(Problem{"f", 3, "k", "bad", "good"}.text() == "f:3: k: bad: good");
}

TEST_CASE("what changed is named with both values and whether a reload takes it") {
  const Config before = config("[limits]\nmemory = \"3G\"\nrecipients = 10\n");
  const Config after = config("[limits]\nmemory = \"4G\"\nrecipients = 20\n");
  CHECK(diff(before, before).empty());
  const auto changes = diff(before, after);
  REQUIRE(changes.size() == 2);
  const Change* memory = change_of(changes, "limits.memory");
  REQUIRE(memory != nullptr);
  CHECK(memory->before == "\"3G\"");
  CHECK(memory->after == "\"4G\"");
  CHECK_FALSE(memory->reloadable);
  const Change* recipients = change_of(changes, "limits.recipients");
  REQUIRE(recipients != nullptr);
  CHECK(recipients->after == "20");
  CHECK(recipients->reloadable);
}

TEST_CASE("routes are compared entry by entry, and listeners need a restart") {
  const std::string one = "[[route]]\ndomain = \"*\"\nhost = \"192.0.2.1\"\n";
  const std::string other = "[[route]]\ndomain = \"*\"\nhost = \"192.0.2.2\"\n";
  auto changes = diff(config(one), config(other));
  REQUIRE(changes.size() == 1);
  CHECK(changes[0].key == "route[1].host");
  CHECK(changes[0].reloadable);

  changes = diff(config(""), config(one));
  REQUIRE(changes.size() == 1);
  CHECK(changes[0].key == "route");
  CHECK(changes[0].reloadable);

  changes = diff(config(""), config("[[listener]]\naddress = \"127.0.0.1:2526\"\n"));
  REQUIRE(changes.size() == 1);
  CHECK(changes[0].key == "listener");
  CHECK_FALSE(changes[0].reloadable);
}

TEST_CASE("a reload takes what it can and keeps the rest as it was") {
  const Config before = config("[limits]\nmemory = \"1G\"\nrecipients = 10\n[spool]\ndirectory = \"/a\"\n");
  const Config after = config(R"([limits]
memory = "2G"
recipients = 20
[spool]
directory = "/b"
[[listener]]
address = "127.0.0.1:9999"
[[route]]
domain = "*"
host = "192.0.2.2"
)");
  const Config now = reloaded(before, after);
  CHECK(now.limits.memory == kGibi);
  CHECK(now.limits.recipients == 20);
  CHECK(now.spool.directory == "/a");
  CHECK(now.listeners.size() == 1);
  CHECK(now.routes.size() == 1);
  for (const Change& change : diff(before, now)) CHECK(change.reloadable);
  for (const Change& change : diff(now, after)) CHECK_FALSE(change.reloadable);
}

TEST_CASE("explain tells each key's value and the line, the default or the other key that it came from") {
  const Loaded all =
      loaded("[deliver]\nconnections = 5\n[[route]]\ndomain = \"*\"\nhost = \"192.0.2.1\"\noverlap = false\n");
  const auto origin = [&](View key) {
    for (const Setting& setting : all.settings) {
      if (setting.key == key) return setting.value + " from " + setting.origin;
    }
    return std::string("missing");
  };
  CHECK(origin("hostname") == "\"box.example.net\" from system");
  CHECK(origin("listener[1].address") == "\"127.0.0.1:2525\" from f.toml:2");
  CHECK(origin("listener[1].kind") == "\"relay\" from default");
  CHECK(origin("deliver.connections") == "5 from f.toml:4");
  CHECK(origin("route[1].connections") == "5 from [deliver]");
  CHECK(origin("route[1].overlap") == "false from f.toml:8");
  CHECK(origin("route[1].host") == "[\"192.0.2.1:25\"] from f.toml:7");
  const std::string text = explain(all.settings);
  CHECK(static_cast<std::size_t>(std::count(text.begin(), text.end(), '\n')) == all.settings.size());
  CHECK(text.find("deliver.connections ") != std::string::npos);
  CHECK(text.find("# f.toml:4\n") != std::string::npos);
}

TEST_CASE("the memory plan is a sum that says what is left or missing") {
  const std::vector<MemoryLine> lines{{"sessions", 1000, 256, "one for each client"},
                                      {"body chunks", 10, kMebi, "bodies"}};
  CHECK(total_octets(lines) == 256000 + 10 * kMebi);
  const std::string fits = memory_plan_text(lines, 64 * kMebi);
  CHECK(fits.find("sessions") != std::string::npos);
  CHECK(fits.find("one for each client") != std::string::npos);
  CHECK(fits.find("10.2 MiB") != std::string::npos);
  CHECK(fits.find("53.8 MiB are left") != std::string::npos);
  CHECK(memory_plan_text(lines, kMebi).find("9.2 MiB are missing") != std::string::npos);
}

TEST_CASE("a plan that does not fit into limits.memory is a problem at its line") {
  const std::vector<MemoryLine> plan{{"chunks", 100, kMebi, ""}};
  CHECK_FALSE(memory_problem(loaded("[limits]\nmemory = \"100M\"\n"), plan));
  const auto set = memory_problem(loaded("[limits]\nmemory = \"99M\"\n"), plan);
  REQUIRE(set);
  CHECK(set->text() ==
        "f.toml:4: limits.memory: is less than the 100.0 MiB of the pools: expected at least \"101M\", or fewer "
        "limits.sessions or cores");
  const std::vector<MemoryLine> vast{{"chunks", 100, kGibi, ""}};
  CHECK(memory_problem(loaded(""), vast)->line == 1);
}

TEST_CASE("where the file does not say how many sessions there may be, a small memory has fewer") {
  CHECK(config("").limits.sessions == 120'000);
  CHECK(config("[limits]\nmemory = \"64M\"\n").limits.sessions == 1024);
  CHECK(config("[limits]\nmemory = \"16M\"\n").limits.sessions == kFewestSessions);
  CHECK(config("[limits]\nmemory = \"64M\"\nsessions = 50000\n").limits.sessions == 50'000);
}

TEST_CASE("a sum past all memory does not wrap around") {
  constexpr auto kAll = std::numeric_limits<std::uint64_t>::max();
  const std::vector<MemoryLine> lines{{"a", kAll / 2, 3, ""}, {"b", 1, 1, ""}};
  CHECK(total_octets(lines) == kAll);
  CHECK(MemoryLine{"c", 0, kAll, ""}.octets() == 0);
  CHECK_FALSE(memory_plan_text(lines, kGibi).empty());
}

}  // namespace ringpost::config
