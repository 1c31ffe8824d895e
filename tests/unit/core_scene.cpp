// The relay of core's tests, and who talks to it.
#include "core_scene.h"

#include <doctest/doctest.h>

#include "../sim/lines.h"

namespace ringpost::core::test {
namespace {

const SocketAddress kClient = SocketAddress::v4(10, 0, 0, 9, 0);
constexpr Duration kAnswerMost = 1min;
constexpr Duration kEndMost = 2min;

}  // namespace

Talker::Talker(sim::World& world, const SocketAddress& server) : end_(world.network().make(kClient)) {
  end_->attach(this);
  world.network().connect(*end_, server);
}

void Talker::say(View octets) {
  pending_ += octets;
  push();
}

void Talker::push() {
  if (end_->can_write()) pending_.erase(0, end_->write(pending_));
}

void Talker::on_readable() {
  said += end_->readable();
  end_->consume(end_->readable().size());
}

std::size_t Talker::heard(View prefix) const {
  std::size_t count = 0;
  for (std::size_t at = 0; at < said.size();) {
    count += View{said}.substr(at).starts_with(prefix);
    const std::size_t end = said.find('\n', at);
    if (end == std::string::npos) break;
    at = end + 1;
  }
  return count;
}

Scene::Scene(unsigned cores, std::uint64_t seed) : world({.seed = seed, .cores = cores}) {
  config.hostname = "relay.test";
  config.cores = cores;
  config.listeners = {{kRelay, config::ListenerKind::relay}};
  config.relay.networks = {*Network::parse("10.0.0.0/8")};
  config.spool = {"/spool", 4 * config::kMebi, config::kMebi};
  config.deliver.private_addresses = config::PrivateAddresses::allow;
  config.limits.memory = 64 * config::kMebi;
  config.limits.queue_messages = 10'000;
  config.limits.sessions = 1000;
  config.control.socket = "/control";
  world.disk().prepare_directory("/spool");
  world.kill();  // nothing runs until start()
}

Scene::~Scene() {
  if (relay_ && relay_->running()) end();
  for (const std::string& violation : world.violations()) FAIL_CHECK(violation);
}

void Scene::route(const std::string& domain, std::vector<SocketAddress> hosts) {
  config::Route route{domain, {}, config.deliver.manners};
  for (const SocketAddress& host : hosts) route.hosts.push_back({host, {}});
  config.routes.push_back(std::move(route));
}

void Scene::start() {
  relay_ = std::make_unique<sim::Relay>(world, config);
  REQUIRE(relay_->start());
}

void Scene::end() {
  relay_->drain();
  CHECK(world.run_until([&] { return relay_->ended(); }, kEndMost));
  if (relay_->ended()) relay_->bury();
}

void Scene::lose_power(sim::Survivors survivors) { relay_->lose_power(std::move(survivors)); }

std::string Scene::transaction(const std::vector<std::string>& to, View content) {
  std::string octets = "MAIL FROM:<from@sender.test>\r\n";
  for (const std::string& path : to) octets += "RCPT TO:<" + path + ">\r\n";
  return octets + "DATA\r\n" + sim::stuffed(content);
}

bool Scene::send(const std::vector<std::string>& to, View content) {
  Talker talker(world, kRelay);
  const auto heard = [&](View prefix) {
    return world.run_until([&] { return talker.heard(prefix) > 0 || talker.heard("4") + talker.heard("5") > 0; },
                           kAnswerMost) &&
           talker.heard(prefix) > 0;
  };
  talker.say("EHLO client.test\r\n");
  if (!heard("250 ")) return false;
  talker.say(transaction(to, content));
  return heard("250 2.0.0");
}

std::string Scene::ask(View request) {
  Talker talker(world, world.network().local_name(config.control.socket));
  talker.say(std::string{request} + "\n");
  CHECK(world.run_until([&] { return talker.heard(R"({"done")") + talker.heard(R"({"error")") > 0; }, kAnswerMost));
  return talker.said;
}

std::map<SpoolId, Kept> Scene::kept() {
  std::map<SpoolId, Kept> all;
  const auto read = spool::read_logs(world.disk().files(), config.spool.directory, [&](const spool::Dump& dump) {
    REQUIRE(dump.envelope != nullptr);
    Kept& one = all[dump.id];
    for (std::size_t i = 0; i < dump.state->size(); ++i) {
      one.to.emplace_back(dump.envelope->recipient(i).forward_path);
      one.states.push_back(dump.state->at(i));
      one.states.back().text = one.states.back().host = {};
    }
  });
  REQUIRE(read);
  return all;
}

}  // namespace ringpost::core::test
