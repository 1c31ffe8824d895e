// Verdicts: each rule at its edge, with the reply that the RFC wants.
#include <doctest/doctest.h>

#include "ringpost/policy.h"

namespace config = ringpost::config;
namespace policy = ringpost::policy;
using ringpost::Network;
using ringpost::SocketAddress;
using ringpost::policy::Verdict;

namespace {

const SocketAddress kFriend = SocketAddress::v4(10, 1, 2, 3, 4000);
const SocketAddress kStranger = SocketAddress::v4(203, 0, 113, 9, 4000);

config::Config some_config() {
  config::Config config;
  config.relay.networks = {Network{SocketAddress::v4(10, 0, 0, 0, 0), 8}};
  config.limits.sessions = 100;
  config.limits.recipients = 3;
  config.limits.message_size = 1000;
  config.receive.max_received = 100;
  config.receive.errors = 5;
  return config;
}

bool is(const Verdict& verdict, int code, ringpost::smtp::EnhancedCode enhanced) {
  return verdict.code == code && verdict.enhanced == enhanced && !verdict.text.empty();
}

}  // namespace

TEST_CASE("sessions are limited to limits.sessions, whoever comes") {
  const auto config = some_config();
  CHECK(policy::may_connect({kStranger, 99, 0}, config).accepted());
  CHECK(is(policy::may_connect({kStranger, 100, 0}, config), 421, {4, 3, 2}));
  CHECK(is(policy::may_connect({kFriend, 100, 0}, config), 421, {4, 3, 2}));
}

TEST_CASE("sessions of one client are limited only when the key says so") {
  auto config = some_config();
  CHECK(policy::may_connect({kFriend, 50, 50}, config).accepted());
  config.limits.sessions_per_client = 2;
  CHECK(policy::may_connect({kFriend, 50, 1}, config).accepted());
  CHECK(is(policy::may_connect({kFriend, 50, 2}, config), 421, {4, 7, 0}));
}

TEST_CASE("only listed networks may relay, and no address family slips through") {
  const auto config = some_config();
  CHECK(policy::may_relay(kFriend, config));
  CHECK_FALSE(policy::may_relay(kStranger, config));
  CHECK_FALSE(policy::may_relay(SocketAddress{}, config));
  CHECK_FALSE(policy::may_relay(SocketAddress::parse("[::1]:25").value_or(kFriend), config));
  CHECK(policy::may_relay(SocketAddress::parse("[::ffff:10.0.0.1]:25").value_or(kStranger), config));
}

TEST_CASE("an empty list of networks lets nobody relay and the default lets this machine") {
  auto config = some_config();
  config.relay.networks.clear();
  CHECK_FALSE(policy::may_relay(kFriend, config));
  const config::Config defaults;
  CHECK(policy::may_relay(SocketAddress::v4(127, 0, 0, 1, 1), defaults));
  CHECK(policy::may_relay(SocketAddress::parse("[::1]:25").value_or(kStranger), defaults));
  CHECK_FALSE(policy::may_relay(kFriend, defaults));
}

TEST_CASE("a stranger's recipient is refused, the bare postmaster is not") {
  const auto config = some_config();
  CHECK(policy::may_write_to({"example.net", 0, true}, config).accepted());
  CHECK(is(policy::may_write_to({"example.net", 0, false}, config), 550, {5, 7, 1}));
  CHECK(policy::may_write_to({"", 0, false}, config).accepted());
}

TEST_CASE("a recipient too many is told to come again") {
  const auto config = some_config();
  CHECK(policy::may_write_to({"example.net", 2, true}, config).accepted());
  CHECK(is(policy::may_write_to({"example.net", 3, true}, config), 452, {4, 5, 3}));
  CHECK(is(policy::may_write_to({"", 3, false}, config), 452, {4, 5, 3}));
  CHECK(is(policy::may_write_to({"example.net", 3, false}, config), 550, {5, 7, 1}));
}

TEST_CASE("a message that says it is too large is refused at MAIL, and one that is so, later") {
  const auto config = some_config();
  CHECK(policy::may_send(std::nullopt, config).accepted());
  CHECK(policy::may_send(1000, config).accepted());
  CHECK(is(policy::may_send(1001, config), 552, {5, 3, 4}));
  CHECK(policy::may_contain(1000, 0, config).accepted());
  CHECK(is(policy::may_contain(1001, 0, config), 552, {5, 3, 4}));
}

TEST_CASE("more Received fields than allowed are a loop") {
  const auto config = some_config();
  CHECK(policy::may_contain(10, 100, config).accepted());
  CHECK(is(policy::may_contain(10, 101, config), 554, {5, 4, 6}));
}

TEST_CASE("a session that errs too often ends with 421") {
  const auto config = some_config();
  CHECK(policy::may_go_on(4, config).accepted());
  CHECK(is(policy::may_go_on(5, config), 421, {4, 7, 0}));
}
