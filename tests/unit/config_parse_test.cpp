// Reading a file: what comes out of a good one, and that a bad one names each of its errors with file, line and key.
#include <doctest/doctest.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "ringpost/config.h"

namespace ringpost::config {
namespace {

const Surroundings kSurroundings{
    .hostname = "box.example.net", .home = "/home/op", .state = "", .resolv_conf = "nameserver 192.0.2.53"};

constexpr View kSmallest = "[[listener]]\naddress = \"127.0.0.1:2525\"\n";

Loaded good(const std::string& text) {
  Checked checked = parse(text, "f.toml", kSurroundings);
  for (const Problem& problem : checked ? std::vector<Problem>{} : checked.error()) MESSAGE(problem.text());
  REQUIRE(checked);
  return *std::move(checked);
}

// What is wrong with `text`, as an operator reads it.
std::vector<std::string> wrong(const std::string& text) {
  const Checked checked = parse(text, "f.toml", kSurroundings);
  std::vector<std::string> texts;
  if (!checked) {
    for (const Problem& problem : checked.error()) texts.push_back(problem.text());
  }
  return texts;
}

// The only problem of a file that starts with kSmallest, whose two lines come before.
std::string the_problem(const std::string& text) {
  const auto texts = wrong(std::string(kSmallest) + text);
  CAPTURE(text);
  REQUIRE(texts.size() == 1);
  return texts[0];
}

std::vector<std::string> notes(const std::string& text) {
  std::vector<std::string> texts;
  for (const Problem& note : good(text).notes) texts.push_back(note.text());
  return texts;
}

bool holds(const std::string& text, View part) { return text.find(part) != std::string::npos; }

}  // namespace

TEST_CASE("the configuration that outside harnesses write is taken as it is meant") {
  const Loaded loaded = good(R"(
hostname = "mx1.example.net"
cores = 0
drain = "30s"
[[listener]]
address = "127.0.0.1:2525"
kind = "relay"
[relay]
networks = ["127.0.0.0/8"]
[spool]
directory = "/var/spool/ringpost"
[dns]
servers = ["127.0.0.1:53"]
[[route]]
domain = "*"
host = "127.0.0.1:2526"
[deliver]
port = 25
connections = 20
messages_per_connection = 100
private_addresses = "refuse"
[retry]
schedule = ["5m", "15m", "1h", "4h"]
expire = "5d"
[limits]
memory = "2G"
queue_messages = 10000000
message_size = "50M"
recipients = 1000
sessions = 120000
[control]
socket = "/run/ringpost/control"
[metrics]
address = "127.0.0.1:9025"
[events]
file = "/var/log/ringpost/events.jsonl"
[tls]
certificate = "/etc/ringpost/cert.pem"
key = "/etc/ringpost/key.pem"
[auth]
users = "/etc/ringpost/users"
)");
  const Config& config = loaded.config;
  CHECK(config.hostname == "mx1.example.net");
  CHECK(config.drain == 30s);
  REQUIRE(config.listeners.size() == 1);
  CHECK(config.listeners[0].address == SocketAddress::v4(127, 0, 0, 1, 2525));
  REQUIRE(config.routes.size() == 1);
  CHECK(config.routes[0].hosts == std::vector{RouteHost{SocketAddress::v4(127, 0, 0, 1, 2526), {}}});
  CHECK(config.retry.schedule == std::vector<ringpost::Duration>{5min, 15min, 1h, 4h});
  CHECK(config.retry.expire == 120h);
  CHECK(config.limits.memory == 2 * kGibi);
  CHECK(config.limits.queue_messages == 10'000'000);
  CHECK(config.limits.message_size == 50 * kMebi);
  CHECK(config.tls.certificate == std::vector<std::string>{"/etc/ringpost/cert.pem"});
  CHECK(config.events.file == "/var/log/ringpost/events.jsonl");
}

TEST_CASE("a listener is all that a file must hold") {
  const Loaded loaded = good(std::string(kSmallest));
  CHECK(loaded.config.hostname == "box.example.net");
  CHECK(loaded.config.routes.empty());
  CHECK(loaded.notes.empty());
}

TEST_CASE("a host name of the machine that is no domain is not taken into the protocol") {
  for (const char* name : {"my_box!", "", "-a", "a..b", "b\xc3\xbcro"}) {
    CAPTURE(name);
    const Checked checked = parse(kSmallest, "f", Surroundings{.hostname = name, .home = "", .state = ""});
    REQUIRE(checked);
    CHECK(checked->config.hostname == "localhost");
  }
}

TEST_CASE("a host name may be an address literal") {
  CHECK(good("hostname = \"[192.0.2.1]\"\n" + std::string(kSmallest)).config.hostname == "[192.0.2.1]");
  CHECK(wrong("hostname = \"[192.0.2.1]:25\"\n" + std::string(kSmallest)).size() == 1);
}

TEST_CASE("what a route does not say it has from [deliver], in whatever order they stand") {
  const Config config = good(std::string(kSmallest) + R"(
[[route]]
domain = "Example.NET"
host = ["192.0.2.1", "[192.0.2.2]:26", "[2001:db8::1]"]
connections = 3
overlap = false
[[route]]
domain = "*.Example.org"
host = "192.0.2.3"
[deliver]
port = 2500
connections = 7
chunking = false
)")
                            .config;
  REQUIRE(config.routes.size() == 2);
  const Route& first = config.routes[0];
  CHECK(first.domain == "example.net");
  REQUIRE(first.hosts.size() == 3);
  CHECK(first.hosts[0].text() == "192.0.2.1:2500");
  CHECK(first.hosts[1].text() == "192.0.2.2:26");
  CHECK(first.hosts[2].text() == "[2001:db8::1]:2500");
  CHECK(first.manners.connections == 3);
  CHECK_FALSE(first.manners.overlap);
  CHECK_FALSE(first.manners.chunking);
  CHECK(first.manners.pipelining);
  CHECK(config.routes[1].domain == ".example.org");
  CHECK(config.routes[1].manners.connections == 7);
  CHECK(config.routes[1].manners.overlap);
}

TEST_CASE("a syntax error names its line") {
  const auto texts = wrong("hostname = \"a\"\n\ncores = 5m\n");
  REQUIRE(texts.size() == 1);
  CHECK(texts[0].starts_with("f.toml:3: "));
  CHECK(wrong("a = 1\na = 2\n").at(0).starts_with("f.toml:2: "));
  CHECK(wrong("[[listener]\n").size() == 1);
}

TEST_CASE("every error of a file is told, in the order of its lines") {
  const auto texts = wrong(R"(hostname = 5
cores = 5000
nonsense = true
[relay]
networks = ["10.0.0.0/8", "10.0.0.0/33", "nobody"]
[[listener]]
address = "localhost:25"
[retry]
schedule = [
  "5m",
  "soon",
]
)");
  REQUIRE(texts.size() == 7);
  CHECK(holds(texts[0], "f.toml:1: hostname: is a number: expected a name"));
  CHECK(holds(texts[1], "f.toml:2: cores: 5000 is outside the range: expected a number (0 to 1024)"));
  CHECK(holds(texts[2], "f.toml:3: nonsense: is unknown"));
  CHECK(holds(texts[3], "f.toml:5: relay.networks: \"10.0.0.0/33\""));
  CHECK(holds(texts[4], "f.toml:5: relay.networks: \"nobody\""));
  CHECK(holds(texts[5], "f.toml:7: listener[1].address: \"localhost\" is not"));
  CHECK(holds(texts[6], "f.toml:11: retry.schedule: \"soon\" is no duration: expected"));
}

TEST_CASE("an unknown key is told with the nearest one that is known") {
  CHECK(holds(the_problem("[limits]\nmesage_size = \"1M\"\n"),
              "f.toml:4: limits.mesage_size: is unknown: did you mean limits.message_size?"));
  CHECK(holds(the_problem("[spool]\nmemory = \"1G\"\n"), "did you mean limits.memory?"));
  CHECK(holds(the_problem("adress = \"127.0.0.1:1\"\n"),
              "listener[1].adress: is unknown: did you mean listener.address?"));
  CHECK(holds(the_problem("[deliver.timeouts]\ndatadone = \"1s\"\n"), "did you mean deliver.timeouts.data_done?"));
  CHECK(holds(the_problem("[zzzzzzzzzzzzzzz]\n"), "zzzzzzzzzzzzzzz: is unknown: the keys are listed in"));
}

TEST_CASE("tables and lists in the wrong shape are told") {
  CHECK(holds(wrong("[listener]\naddress = \"127.0.0.1:25\"\n").at(0),
              "f.toml:1: listener: is a table: expected a list of tables: write [[listener]]"));
  CHECK(holds(wrong("listener = [5]\n").at(0), "listener[1]: is a number: expected a table"));
  CHECK(holds(wrong("limits = 5\n" + std::string(kSmallest)).at(0), "f.toml:1: limits: is a number: expected a table"));
  CHECK(
      holds(the_problem("[receive]\ntimeouts = \"5m\"\n"), "f.toml:4: receive.timeouts: is a text: expected a table"));
  CHECK(holds(the_problem("[limits.memory]\nmost = 5\n"), "limits.memory: is a table: expected a size"));
  CHECK(wrong("").size() == 1);
  CHECK(holds(wrong("").at(0), "f.toml:1: listener: is missing"));
}

TEST_CASE("a listener or a route that lacks what it must have is told at its own line") {
  CHECK(holds(the_problem("[[listener]]\nkind = \"relay\"\n"),
              "f.toml:3: listener[2].address: is missing: expected an address"));
  CHECK(holds(the_problem("[[route]]\n"), "f.toml:3: route[1].domain: is missing"));
}

TEST_CASE("two listeners cannot share an address unless the system chooses the port") {
  CHECK(holds(the_problem("[[listener]]\naddress = \"127.0.0.1:2525\"\n"),
              "f.toml:4: listener[2].address: is the same as that of listener[1]"));
  const std::string any = "[[listener]]\naddress = \"127.0.0.1:0\"\n";
  CHECK(good(any + any).config.listeners.size() == 2);
}

TEST_CASE("a port must be written where nothing says which it is") {
  CHECK(holds(wrong("[[listener]]\naddress = \"127.0.0.1\"\n").at(0), "has no port"));
  CHECK(holds(the_problem("[[route]]\ndomain = \"*\"\nhost = \"127.0.0.1:0\"\n"), "has no port"));
  CHECK(good(std::string(kSmallest) + "[dns]\nservers = [\"192.0.2.53\"]\n").config.dns.servers.at(0).port == 53);
}

TEST_CASE("what two keys say together is checked") {
  CHECK(holds(the_problem("[tls]\ncertificate = [\"a\", \"b\"]\nkey = \"a\"\n"),
              "f.toml:4: tls.certificate: names 2 files and tls.key 1"));
  CHECK(holds(the_problem("[tls]\nkey = \"a\"\n"), "f.toml:4: tls.certificate"));
  CHECK(holds(the_problem("[spool]\nsegment_size = \"9000K\"\n[retry]\nexpire=\"1\"\n"), "retry.expire"));
  CHECK(
      holds(the_problem("[spool]\nsegment_size = 8388609\n"), "f.toml:4: spool.segment_size: is not a multiple of 4K"));
}

TEST_CASE("bad domains of routes are refused and odd good ones are not") {
  const auto with = [](const std::string& domain) {
    return wrong(std::string(kSmallest) + "[[route]]\ndomain = '" + domain + "'\nhost = \"192.0.2.1\"\n");
  };
  for (const char* bad : {"", ".", "*.", "**", "*.*", "a..b", "example.net.", "-a.net", "a b", "user@example.net", "*a",
                          "[192.0.2.1", "[192.0.2.1]:25", "..example.net"}) {
    CAPTURE(bad);
    REQUIRE(with(bad).size() == 1);
    CHECK(holds(with(bad)[0], "f.toml:4: route[1].domain: "));
  }
  for (const char* odd : {"net",
                          "b\xc3\xbc"
                          "cher.example",
                          "[192.0.2.1]", "[IPv6:::1]", "xn--bcher-kva.example", "1.2", "*.net"}) {
    CAPTURE(odd);
    CHECK(with(odd).empty());
  }
  CHECK(with(std::string(63, 'a') + ".net").empty());
  CHECK(with(std::string(64, 'a') + ".net").size() == 1);
}

TEST_CASE("texts that would break a protocol or a system call are refused") {
  CHECK(holds(the_problem("[receive]\nbanner = \"a\\r\\n250 b\"\n"), "printable ASCII"));
  CHECK(holds(the_problem("[spool]\ndirectory = \"/a\\u0000b\"\n"), "control character"));
  CHECK(holds(the_problem("[spool]\ndirectory = \"\"\n"), "is empty"));
  CHECK(holds(the_problem("[control]\nsocket = \"/" + std::string(107, 'a') + "\"\n"), "longer than 107 octets"));
  CHECK(good(std::string(kSmallest) + "[control]\nsocket = \"\"\n").config.control.socket.empty());
}

TEST_CASE("notes: keys without effect yet, routes never reached, and mail that would go round") {
  CHECK(notes(std::string(kSmallest) + "[auth]\nusers = \"/users\"\n") ==
        std::vector<std::string>{"f.toml:4: auth.users: has no effect yet"});
  const auto texts = notes(std::string(kSmallest) + R"([[listener]]
address = "127.0.0.1:587"
kind = "submission"
[[route]]
domain = ".example.net"
host = "127.0.0.1:2525"
[[route]]
domain = "a.example.net"
host = "192.0.2.1"
[[route]]
domain = "example.net"
host = "192.0.2.1"
[retry]
expire = "1m"
)");
  REQUIRE(texts.size() == 4);
  CHECK(holds(texts[0], "f.toml:5: listener[2].kind: has no effect yet"));
  CHECK(holds(texts[1], "f.toml:8: route[1].host: is a listener of this relay"));
  CHECK(holds(texts[2], "f.toml:10: route[2].domain: is never reached: route[1]"));
  CHECK(holds(texts[3], "f.toml:16: retry.expire: is shorter than the first wait"));
}

TEST_CASE("a host name without a dot is noted when mail leaves this machine") {
  const std::string short_name = "hostname = \"box\"\n" + std::string(kSmallest);
  CHECK(notes(short_name).size() == 1);  // by MX it leaves
  CHECK(notes(short_name + "[[route]]\ndomain = \"*\"\nhost = \"127.0.0.1\"\n").empty());
  const auto texts = notes(short_name + "[[route]]\ndomain = \"*\"\nhost = \"192.0.2.1\"\n");
  REQUIRE(texts.size() == 1);
  CHECK(holds(texts[0], "f.toml:1: hostname: is \"box\", which is no full name"));
  CHECK(notes("hostname = \"[192.0.2.9]\"\n" + std::string(kSmallest) +
              "[[route]]\ndomain = \"*\"\nhost = \"192.0.2.1\"\n")
            .empty());
}

TEST_CASE("deep nesting is refused and does not end the process") {
  std::string deep = "a = ";
  for (int i = 0; i < 100; ++i) deep += "[";
  for (int i = 0; i < 100; ++i) deep += "]";
  CHECK(holds(wrong(deep).at(0), "nested too deep"));
  std::string table = "[a";
  for (int i = 0; i < 2000; ++i) table += ".a";
  CHECK(holds(wrong(table + "]\n").at(0), "nested too deep"));
}

TEST_CASE("a file that is not there, a directory and an endless file are each one problem") {
  const Checked missing = load("/nonexistent/ringpost.toml", kSurroundings);
  REQUIRE_FALSE(missing);
  REQUIRE(missing.error().size() == 1);
  CHECK(holds(missing.error()[0].text(), "/nonexistent/ringpost.toml:1: cannot be opened: No such file"));
  CHECK(holds(load("/tmp", kSurroundings).error().at(0).text(), "is a directory"));
  CHECK(holds(load("/dev/zero", kSurroundings).error().at(0).text(), "is larger than 4M octets"));
}

TEST_CASE("a file on the disk is read like a text") {
  std::string path = (std::filesystem::temp_directory_path() / "ringpost-config-XXXXXX").string();
  const int fd = mkstemp(path.data());
  REQUIRE(fd >= 0);
  std::ofstream(path) << kSmallest;
  const Checked checked = load(path, kSurroundings);
  std::filesystem::remove(path);
  REQUIRE(checked);
  CHECK(std::any_of(checked->settings.begin(), checked->settings.end(),
                    [&](const Setting& setting) { return setting.origin == path + ":2"; }));
}

TEST_CASE("the files of conf.d are read behind the file, in the order of their names, and each says what it set") {
  namespace fs = std::filesystem;
  const std::string directory = (fs::temp_directory_path() / "ringpost-config-XXXXXX").string();
  std::string made = directory;
  REQUIRE(::mkdtemp(made.data()) != nullptr);
  const fs::path top = made;
  const auto write = [&](const fs::path& name, View text) { std::ofstream(top / name) << text; };
  fs::create_directory(top / "conf.d");
  write("f.toml", "drain = \"1s\"\n[limits]\nrecipients = 100\n[[route]]\ndomain = \"a.test\"\nhost = \"192.0.2.1\"\n");
  write("conf.d/20.toml", "[limits]\n\nrecipients = 300\n[[listener]]\naddress = \"127.0.0.1:1\"\n");
  write("conf.d/10.toml", "drain = \"2s\"\n[limits]\nrecipients = 200\n[deliver]\nport = 26\nconnections = 7\n");
  write("conf.d/30.toml", "[[route]]\ndomain = \"*\"\nhost = \"192.0.2.2\"\n");
  for (const char* other : {"conf.d/40.toml~", "conf.d/.50.toml", "conf.d/60.toml.dpkg-old"})
    write(other, "nonsense = 1\n");

  const std::string main = (top / "f.toml").string();
  const std::string below = (top / "conf.d/").string();
  const Checked checked = load(main, kSurroundings);
  for (const Problem& problem : checked ? std::vector<Problem>{} : checked.error()) MESSAGE(problem.text());
  REQUIRE(checked);
  CHECK(checked->file == main);
  CHECK(checked->config.limits.recipients == 300);
  CHECK(checked->config.drain == 2s);
  REQUIRE(checked->config.routes.size() == 2);
  CHECK(checked->config.routes[0].domain == "a.test");
  CHECK(checked->config.routes[0].hosts.front().port() == 26);
  CHECK(checked->config.routes[0].manners.connections == 7);
  const auto origin_of = [&](View key) {
    const auto found = std::find_if(checked->settings.begin(), checked->settings.end(),
                                    [&](const Setting& setting) { return setting.key == key; });
    return found == checked->settings.end() ? "" : found->origin;
  };
  CHECK(origin_of("limits.recipients") == below + "20.toml:3");
  CHECK(origin_of("drain") == below + "10.toml:1");
  CHECK(origin_of("route[1].domain") == main + ":5");
  CHECK(origin_of("route[2].domain") == below + "30.toml:2");
  CHECK(origin_of("listener[1].address") == below + "20.toml:5");

  write("conf.d/05.toml", "[[route]]\n\nhost = 1\n");
  write("conf.d/10.toml", "[limits]\nrecipents = 200\n");
  write("conf.d/30.toml", "[[listener\n");
  const Checked bad = load(main, kSurroundings);
  REQUIRE(!bad);
  std::vector<std::string> texts;
  for (const Problem& problem : bad.error()) texts.push_back(problem.text());
  REQUIRE(texts.size() == 4);
  CHECK(texts[0].starts_with(below + "05.toml:1: route[2].domain: is missing"));
  CHECK(texts[1].starts_with(below + "05.toml:3: route[2].host: "));
  CHECK(texts[2].starts_with(below + "10.toml:2: limits.recipents: is unknown: did you mean limits.recipients?"));
  CHECK(texts[3].starts_with(below + "30.toml:1: "));
  fs::remove_all(top);
}

TEST_CASE("what pools lack is told at the file that sets limits.memory") {
  const std::vector<Text> texts = {{"a", std::string(kSmallest)}, {"b", "[limits]\nmemory = \"16M\"\n"}};
  const Checked checked = parse(texts, kSurroundings);
  REQUIRE(checked);
  const std::vector<MemoryLine> plan = {{"pool", 1, 17 * kMebi, "too much"}};
  const auto problem = memory_problem(*checked, plan);
  REQUIRE(problem);
  CHECK(problem->text().starts_with("b:2: limits.memory: "));
}

TEST_CASE("the embedded configuration is good wherever the user lives") {
  for (const Surroundings& where : {Surroundings{"box", "/home/op", ""}, Surroundings{"box", "/home/op", "/state"},
                                    Surroundings{"", "", ""}, Surroundings{"box", "/home/o'\"\\p", "relative"}}) {
    CAPTURE(where.home);
    const Checked checked = embedded(where);
    REQUIRE(checked);
    const Config& config = checked->config;
    CHECK(checked->notes.empty());
    REQUIRE(config.listeners.size() == 1);
    CHECK(config.listeners[0].address.text() == "127.0.0.1:2525");
    REQUIRE(config.routes.size() == 1);
    CHECK(config.routes[0].hosts.at(0).text() == "127.0.0.1:2526");
    CHECK(config.relay.networks == loopback_networks());
  }
  CHECK(embedded({"box", "/home/op", ""})->config.spool.directory == "/home/op/.local/state/ringpost/spool");
  CHECK(embedded({"box", "/home/op", "/state"})->config.spool.directory == "/state/ringpost/spool");
  CHECK(embedded({"box", "/home/o'\"\\p", "x"})->config.control.socket ==
        "/home/o'\"\\p/.local/state/ringpost/control");
}

TEST_CASE("a route's host may be a name, with the port that it says or deliver.port") {
  const Config config = good(std::string(kSmallest) + R"(
[[route]]
domain = "a.example"
host = ["Mail.Example.NET", "mx.example.net:2525", "192.0.2.1"]
[[route]]
domain = "b.example"
connections = 2
[deliver]
port = 26
)")
                            .config;
  REQUIRE(config.routes.size() == 2);
  REQUIRE(config.routes[0].hosts.size() == 3);
  CHECK(config.routes[0].hosts[0].text() == "mail.example.net:26");
  CHECK(config.routes[0].hosts[1].text() == "mx.example.net:2525");
  CHECK(config.routes[0].hosts[2].text() == "192.0.2.1:26");
  CHECK(config.routes[1].hosts.empty());  // by MX
  CHECK(config.routes[1].manners.connections == 2);
  for (const char* bad : {"mail.example.net:0", "mail.example.net:99999", "mail.example.net:x", "192.0.2.300", "a b",
                          "", "2001:db8::1", "mail..example"}) {
    CAPTURE(bad);
    const auto texts = wrong(std::string(kSmallest) + "[[route]]\ndomain = \"*\"\nhost = \"" + bad + "\"\n");
    CHECK(texts.size() == 1);
  }
  CHECK(wrong(std::string(kSmallest) + "[[route]]\ndomain = \"*\"\nhost = []\n").size() == 1);
}

TEST_CASE("name servers are those of the file, else those of resolv.conf") {
  Surroundings system;
  system.hostname = "mx1.example.net";
  system.resolv_conf =
      "# nameserver 192.0.2.9\nsearch example.net\nnameserver 192.0.2.53 \n nameserver\t2001:db8::53\n"
      "nameserver fe80::1%eth0\nnameserver 192.0.2.53\nnameserver\noptions edns0\n; end";
  const auto found = parse(kSmallest, "f.toml", system);
  REQUIRE(found.has_value());
  REQUIRE(found->config.dns.servers.size() == 2);
  CHECK(found->config.dns.servers[0].text() == "192.0.2.53:53");
  CHECK(found->config.dns.servers[1].text() == "[2001:db8::53]:53");
  const auto said = parse(std::string(kSmallest) + "[dns]\nservers = \"192.0.2.1:5353\"\n", "f.toml", system);
  REQUIRE(said.has_value());
  REQUIRE(said->config.dns.servers.size() == 1);
  CHECK(said->config.dns.servers[0].text() == "192.0.2.1:5353");
}

TEST_CASE("a hosts file gives each of its names an address, and what it cannot say is passed over") {
  Surroundings system;
  system.hosts =
      "127.0.0.1\tlocalhost Mail.example.net # here\n::1 localhost\nfe80::1%lo0 link\nnonsense a\n192.0.2.1\n"
      "192.0.2.7  relay.example.net. bad_..name\n";
  const auto found = parse(kSmallest, "f.toml", system);
  REQUIRE(found.has_value());
  const auto& hosts = found->config.hosts;
  REQUIRE(hosts.size() == 4);
  CHECK(hosts[0] == NamedAddress{"localhost", SocketAddress::v4(127, 0, 0, 1, 0)});
  CHECK(hosts[1].name == "mail.example.net");
  CHECK(hosts[2].address.address_text() == "::1");
  CHECK(hosts[3].name == "relay.example.net");
}
}  // namespace ringpost::config
