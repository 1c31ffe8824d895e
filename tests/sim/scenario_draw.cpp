// What a seed stands for: the size of the run, its messages, and everything that goes wrong in it.
#include <algorithm>
#include <utility>

#include "scenario.h"

namespace ringpost::sim {
namespace {

const SocketAddress kRelay = SocketAddress::v4(10, 0, 0, 1, 2525);
const SocketAddress kNames = SocketAddress::v4(192, 0, 2, 53, 53);
constexpr unsigned kCoresMost = 3;
constexpr std::uint64_t kPeersMost = 3;
constexpr std::uint64_t kClientsMost = 6;
constexpr std::uint64_t kMessagesMost = 150;
constexpr Duration kLengthLeast = 2min;
constexpr Duration kLengthMost = 40min;
constexpr std::uint64_t kMebi = 1024 * 1024;

World::Options world_options(const ScenarioOptions& options, Random& random) {
  World::Options world;
  world.seed = random.next();
  world.cores = 1 + static_cast<unsigned>(random.below(kCoresMost));
  world.letters_lost = options.canary == Canary::lost_letter ? 20'000 : 0;
  return world;
}

SocketAddress peer(std::size_t number) { return SocketAddress::v4(192, 0, 2, static_cast<std::uint8_t>(number), 25); }

}  // namespace

Scenario::Scenario(const ScenarioOptions& options)
    : options_(options),
      random_(options.seed),
      world_(world_options(options, random_)),
      ledger_([this](std::string text) { world_.violation(std::move(text)); }),
      length_(options.length.count() > 0 ? options.length : kLengthLeast + moment(kLengthMost - kLengthLeast)),
      relay_(world_, draw_config()) {
  world_.trace().show(options.trace);
  world_.kill();  // nothing runs until the first start
  if (options.canary == Canary::early_reply) world_.disk().lie(DiskLie::not_durable);
  if (options.canary == Canary::dropped_write) world_.disk().lie(DiskLie::drops_some);
}

unsigned Scenario::chance(unsigned most, std::uint64_t of) {
  return random_.chance(1, of) ? static_cast<unsigned>(random_.below(most + 1)) : 0;
}

config::Config Scenario::draw_config() {
  config::Config config;
  config.hostname = "relay.test";
  config.cores = world_.cores();
  config.listeners = {{kRelay, config::ListenerKind::relay}};
  config.relay.networks = {*ringpost::Network::parse("10.0.0.0/8")};
  config.spool = {"/spool", 4 * kMebi, 1 * kMebi};
  config.deliver.private_addresses = config::PrivateAddresses::allow;
  config.deliver.manners.connections = 1 + static_cast<std::uint32_t>(random_.below(20));
  config.deliver.manners.messages_per_connection = 1 + static_cast<std::uint32_t>(random_.below(30));
  config.deliver.manners.pipelining = random_.chance(7, 8);
  config.deliver.manners.chunking = random_.chance(3, 4);
  config.deliver.manners.overlap = random_.chance(3, 4);
  auto& timeouts = config.deliver.timeouts;
  timeouts.banner = timeouts.helo = timeouts.mail = timeouts.rcpt = timeouts.data_init = timeouts.data_block = 1min;
  timeouts.data_done = 2min;
  config.receive.timeouts = {5min, 3min, 20min};
  config.retry.schedule = {10s, 30s, 1min, 2min};
  if (random_.chance(1, 8)) {
    config.retry.expire = 3min + moment(10min);
    ledger_.expiry_is_possible();
  }
  config.bounce.delay_after = random_.chance(1, 3) ? 30s + moment(5min) : Duration{0};
  config.bounce.full_content = random_.chance(1, 3) ? kMebi : 64 * 1024;
  config.limits.memory = 64 * kMebi;
  config.limits.queue_messages = 10'000;
  config.limits.sessions = 1000;
  config.control.socket = "/control";
  config.events.file = random_.chance(1, 2) ? "/log/events.jsonl" : "";
  config.events.rotate_size = 16 * 1024;
  config.events.rotate_age = 5min;
  config.events.keep = 3;
  config.events.sessions = true;
  draw_routes(config);
  world_.disk().prepare_directory("/spool");
  world_.disk().prepare_directory("/log");
  return config;
}

// ---- where the peers are

// In half of the runs by MX, with a first peer that has a second one behind it, as a route may have.
void Scenario::draw_routes(config::Config& config) {
  by_mx_ = random_.chance(1, 2);
  config.dns.servers = {kNames};
  config.dns.cache = random_.chance(1, 4) ? 2'000 : 100'000;
  // DSNs go to the senders' site.
  config.routes.push_back({"sender.test", {{peer(1 + random_.below(kPeersMost)), {}}}, config.deliver.manners});
  for (std::size_t i = 1; i <= kPeersMost && !by_mx_; ++i) {
    config::Route route{"d" + std::to_string(i) + ".test", {{peer(i), {}}}, config.deliver.manners};
    if (i == 1 && random_.chance(1, 2)) route.hosts.push_back({peer(2), {}});
    config.routes.push_back(std::move(route));
  }
}

// The truth about the peers' names; with trouble, told late, in parts, behind lies or at first not at all. Never a
// denial: that would be a verdict.
std::string Scenario::draw_zone(bool trouble) {
  constexpr const char* kTroubles[] = {"servfail",          "refuse",   "silence",  "delay delay=3s",
                                       "delay delay=700ms", "truncate", "wrong-id", "wrong-question",
                                       "wrong-source",      "lie",      "no-edns",  "wrong-id only",
                                       "compression-loop",  "garbage",  "empty"};
  std::string zone;
  for (std::size_t i = 1; i <= kPeersMost; ++i) {
    const std::string number = std::to_string(i);
    const std::string ttl = " " + std::to_string(5 + random_.below(300)) + " ";
    zone += "d" + number + ".test" + ttl + "MX 10 mx" + number + ".test\n";
    zone += "mx" + number + ".test" + ttl + "A " + peer(i).address_text() + "\n";
    for (const std::string& name : {"d" + number + ".test", "mx" + number + ".test"}) {
      if (!trouble || !random_.chance(1, 2)) continue;
      zone += name + " !" + kTroubles[random_.below(std::size(kTroubles))];
      if (random_.chance(3, 4)) zone += " first=" + std::to_string(1 + random_.below(12));
      zone += "\n";
    }
  }
  if (random_.chance(1, 2)) zone += "d1.test MX 20 mx2.test\n";
  return zone;
}

void Scenario::draw_names() {
  if (!by_mx_) return;
  names_.emplace(world_, kNames, draw_zone(random_.chance(3, 4)));
  for (std::uint64_t changes = random_.below(4); changes > 0; --changes)
    world_.schedule().after(moment(length_), [this] {
      if (faults_) names_->replace(draw_zone(true));
    });
  if (random_.chance(1, 3))
    world_.schedule().after(moment(length_), [this] {
      if (!faults_) return;
      world_.network().down(kNames, random_.chance(1, 2) ? Down::silent : Down::refused);
      world_.schedule().after(moment(10min), [this] { world_.network().down(kNames, Down::no); });
    });
}

// ---- mail

void Scenario::draw_messages() {
  for (std::size_t i = 1; i <= kPeersMost; ++i) smarthosts_.emplace_back(world_, ledger_, peer(i), random_.next());
  const std::uint64_t clients = 1 + random_.below(kClientsMost);
  for (std::uint64_t i = 0; i < clients; ++i) clients_.emplace_back(world_, ledger_, habits_, kRelay, random_.next());
  habits_.break_off = chance(400'000);
  habits_.pause_most = 1s + moment(length_ / 10);

  const std::uint64_t messages = 10 + random_.below(kMessagesMost);
  const bool large_ones = random_.chance(1, 4);
  for (std::uint64_t key = 0; key < messages; ++key) {
    MessageRecord message;
    message.key = key;
    message.reverse_path = "k" + std::to_string(key) + "@sender.test";
    const std::uint64_t recipients = random_.chance(3, 4) ? 1 : 1 + random_.below(6);
    for (std::uint64_t r = 0; r < recipients; ++r) {
      RecipientRecord recipient;
      recipient.path = "k" + std::to_string(key) + ".r" + std::to_string(r) + "@d" +
                       std::to_string(1 + random_.below(kPeersMost)) + ".test";
      message.recipients.push_back(std::move(recipient));
    }
    const std::size_t most = large_ones && random_.chance(1, 20) ? 600'000 : random_.chance(1, 8) ? 60'000 : 3'000;
    message.content = draw_content(message.reverse_path, static_cast<std::size_t>(random_.below(most)));
    message.ret_full = random_.chance(1, 3);
    message.eight_bit = message.content.find('\xC3') != std::string::npos;
    auto client = clients_.begin();
    std::advance(client, static_cast<std::ptrdiff_t>(random_.below(clients)));
    client->add(ledger_.add(std::move(message)));
  }
  for (Client& client : clients_) client.start();
}

// Lines of all kinds that content may have: dots first, long, empty, in eight bits.
std::string Scenario::draw_content(const std::string& reverse_path, std::size_t size) {
  std::string text = "From: <" + reverse_path + ">\r\nSubject: simulated\r\n\r\n";
  const bool eight_bit = random_.chance(1, 5);
  while (text.size() < size) {
    switch (random_.below(8)) {
      case 0:
        text += ".\r\n";
        break;
      case 1:
        text += "..leading dots\r\n";
        break;
      case 2:
        text += "\r\n";
        break;
      case 3:
        text += std::string(static_cast<std::size_t>(random_.below(3000)), 'x') + "\r\n";
        break;
      case 4:
        text += eight_bit ? "gr\xC3\xBC\xC3\x9F Gott\r\n" : "good day\r\n";
        break;
      default:
        for (std::uint64_t words = 1 + random_.below(12); words > 0; --words)
          text += std::to_string(random_.next()) + " ";
        text += "\r\n";
    }
  }
  return text;
}

// ---- trouble

void Scenario::draw_moods() {
  for (Smarthost& host : smarthosts_) {
    Mood& mood = host.mood();
    mood.defer = chance(100'000);
    mood.refuse = chance(30'000);
    mood.drop = chance(50'000);
    mood.hang = chance(20'000, 3);
    mood.slow = chance(200'000, 3);
    mood.nonsense = chance(10'000, 4);
    mood.leave = chance(20'000, 3);
    mood.lose_reply = chance(50'000);
  }
}

void Scenario::draw_network() {
  NetworkConditions& network = world_.network().conditions();
  network.latency_most = 100us + moment(random_.chance(1, 4) ? 200ms : 2ms);
  network.cut_small = chance(200'000);
  network.stall = chance(3'000);
  network.reset = chance(3'000);
  network.vanish = chance(10'000);
  network.refuse = chance(50'000);
  network.lose = chance(200'000);
  network.repeat = chance(100'000);
  network.no_socket = chance(100'000, 4);
}

void Scenario::draw_disk() {
  DiskFaults& disk = world_.disk().faults();
  disk.stall = chance(5'000, 3);
  disk.short_write = chance(20'000, 3);
  const unsigned bad = random_.chance(1, 8) ? 10'000 : 500;
  disk.write_error = chance(bad, 4);
  disk.sync_error = chance(bad, 4);
  disk.no_space = chance(bad, 4);
  disk.quota = chance(bad, 6);
  disk.read_error = chance(bad, 6);
  disk.open_error = chance(bad, 6);
  if (random_.chance(1, 6)) world_.disk().refuse_direct(true);
}

void Scenario::draw_crashes() {
  for (std::uint64_t kills = random_.below(4); kills > 0; --kills)
    world_.schedule().after(moment(length_), [this] {
      if (faults_) crash(false);
    });
  for (std::uint64_t losses = random_.below(4); losses > 0; --losses)
    world_.schedule().after(moment(length_), [this] {
      if (!faults_) return;
      if (random_.chance(1, 3)) return crash(true);
      // In the midst of what the disk does next.
      world_.disk().cut_at(DiskCall::change, 1 + random_.below(20));
    });
  if (random_.chance(1, 3))
    world_.schedule().after(moment(length_), [this] {
      if (faults_ && relay_.running()) relay_.drain();
    });
}

void Scenario::draw_other_events() {
  for (std::uint64_t jumps = random_.below(3); jumps > 0; --jumps)
    world_.schedule().after(moment(length_), [this] {
      if (!faults_) return;
      const Duration by = moment(2h) - 1h;
      world_.trace().note(world_.now(), "the clock jumps by " + std::to_string(by / 1s) + " s");
      world_.jump_wall(by);
    });
  if (random_.chance(1, 4))
    world_.schedule().after(moment(length_), [this] {
      if (!faults_) return;
      world_.trace().add(world_.now(), Trace::kWorld, "the disk is nearly full");
      world_.disk().set_capacity(world_.disk().used() + random_.below(3 * kMebi));
      world_.schedule().after(moment(5min), [this] { world_.disk().set_capacity(std::uint64_t{1} << 40); });
    });
  for (Smarthost& host : smarthosts_) {
    if (!random_.chance(1, 3)) continue;
    world_.schedule().after(moment(length_), [this, &host] {
      if (!faults_) return;
      const auto how = static_cast<Down>(random_.below(4));
      world_.trace().add(world_.now(), Trace::kWorld, "a peer is down: how", static_cast<std::uint64_t>(how));
      world_.network().down(host.address(), how);
      if (how == Down::no) host.listen(false);
      world_.schedule().after(moment(10min), [this, &host] {
        world_.network().down(host.address(), Down::no);
        host.listen(true);
      });
    });
  }
}

}  // namespace ringpost::sim
