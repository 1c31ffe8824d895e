// One simulated run of the whole relay, from a seed: the clients, peers, faults and crashes that the seed stands for,
// the calm after them, and the judgement.
#pragma once

#include <cstdint>
#include <list>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "client.h"
#include "dns_server.h"
#include "ledger.h"
#include "relay.h"
#include "smarthost.h"
#include "world.h"

namespace ringpost::sim {

// Bugs planted in the world around the relay, to see that they are found.
enum class Canary : std::uint8_t {
  none,
  early_reply,    // durable writes complete before anything is durable: a 250 too early
  dropped_write,  // now and then a write is said to be done and is not
  lost_letter,    // now and then a letter between cores is lost
};

struct ScenarioOptions {
  std::uint64_t seed = 1;
  Duration length{};  // of the time with faults; zero: drawn from the seed
  bool trace = false;
  Canary canary = Canary::none;
};

struct Verdict {
  std::vector<std::string> violations;  // empty: passed
  std::vector<std::string> story;       // the last lines of the trace, when not
  std::string summary;                  // one line
  std::uint64_t hash = 0;
  std::uint64_t steps = 0;
};

class Scenario {
 public:
  explicit Scenario(const ScenarioOptions&);
  ~Scenario();
  Verdict run();
  [[nodiscard]] World& world() { return world_; }

 private:
  config::Config draw_config();
  void draw_routes(config::Config& config);
  std::string draw_zone(bool trouble);
  void draw_names();
  void draw_messages();
  std::string draw_content(const std::string& reverse_path, std::size_t size);
  void draw_moods();
  void draw_network();
  void draw_disk();
  void draw_crashes();
  void draw_other_events();

  void run_faults();
  void calm();
  void run_dry();
  std::string open_in_spool();
  void end_relay();
  void judge();

  void crash(bool power);
  void crashed(Duration longer = {});
  void restart_soon();
  void restart();
  void after_step();

  [[nodiscard]] unsigned chance(unsigned most, std::uint64_t of = 2);  // 0, or once in `of` up to `most`
  Duration moment(Duration most) { return Duration{static_cast<std::int64_t>(random_.below(count(most)))}; }
  static std::uint64_t count(Duration time) { return static_cast<std::uint64_t>(time.count()); }

  ScenarioOptions options_;
  Random random_;
  World world_;
  Ledger ledger_;
  Duration length_;
  bool by_mx_ = false;  // the relay looks the peers up
  Relay relay_;
  std::optional<DnsServer> names_;
  ClientHabits habits_;
  std::list<Smarthost> smarthosts_;
  std::list<Client> clients_;
  std::uint64_t crashes_ = 0;
  bool faults_ = true;  // false: the calm has begun
};

}  // namespace ringpost::sim
