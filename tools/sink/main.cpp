// ringpost-sink: takes mail and forgets it. Puts the pieces together and prints what happened; all else is in
// server.h (the loop's side), session.h (SMTP), behaviour.h (misbehaviour).
#include <fmt/format.h>
#include <sys/resource.h>

#include <cstdio>
#include <nlohmann/json.hpp>

#include "options.h"
#include "tools/common/signals.h"

namespace ringpost::sink {
namespace {

double seconds(const timeval& time) {
  return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) / 1e6;
}

void raise_descriptor_limit() {
  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
  limit.rlim_cur = limit.rlim_max;
  setrlimit(RLIMIT_NOFILE, &limit);
}

nlohmann::ordered_json summary(const Counts& counts, Duration run) {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  const double user = seconds(usage.ru_utime);
  const double system = seconds(usage.ru_stime);
  nlohmann::ordered_json all{{"connections", counts.connections},
                             {"refused_connections", counts.refused_connections},
                             {"messages", counts.messages},
                             {"recipients", counts.recipients},
                             {"octets", counts.octets},
                             {"bdat_messages", counts.bdat_messages},
                             {"unoffered_pipelining", counts.unoffered_pipelining},
                             {"errors", counts.errors},
                             {"seconds", static_cast<double>(run.count()) / 1e9},
                             {"cpu_user_seconds", user},
                             {"cpu_system_seconds", system}};
  if (counts.messages > 0) all["cpu_us_per_message"] = (user + system) * 1e6 / static_cast<double>(counts.messages);
  nlohmann::ordered_json deeds = nlohmann::ordered_json::object();
  for (std::size_t stage = 0; stage < kStages; ++stage)
    for (std::size_t deed = 0; deed < kDeeds; ++deed)
      if (const std::uint64_t times = counts.deeds[stage][deed]; times > 0)
        deeds[fmt::format("{} {}", deed_name(static_cast<Deed>(deed)), stage_name(static_cast<Stage>(stage)))] = times;
  all["misbehaved"] = std::move(deeds);
  return all;
}

void print(const nlohmann::ordered_json& all, bool json) {
  if (json) {
    fmt::print("{}\n", all.dump());
    return;
  }
  for (const auto& [key, value] : all.items())
    if (key != "misbehaved") fmt::print("{:<22} {}\n", key, value.dump());
  for (const auto& [key, value] : all["misbehaved"].items()) fmt::print("  {:<20} {}\n", key, value.dump());
}

int complain(const Error& error) {
  fmt::print(stderr, "ringpost-sink: {}\n", error.message());
  return 1;
}

int run(int count, char** words) {
  Options options;
  Shared shared;
  if (const auto code = parse_options(count, words, options, shared)) return *code;
  for (const std::string& lack : ring::missing_in_kernel()) return complain({0, lack});
  raise_descriptor_limit();
  if (!options.ledger.empty())
    if (const auto opened = shared.ledger.open(options.ledger); !opened) return complain(opened.error());

  tools::StopSignals signals;
  ring::Fleet fleet(1, 0);
  auto ring = ring::make_ring(fleet, CoreId{0}, 1, {.pin_to_cpu = options.cpu});
  if (!ring) return complain(ring.error());
  Server server(**ring, shared, options.limits);
  for (const SocketAddress& address : options.listen) {
    const auto bound = server.listen(address);
    if (!bound) return complain(bound.error());
    fmt::print(stderr, "listening on {}\n", bound->text());
  }
  (*ring)->on_mail(&server, [](void* owner, const ring::Mail&) { static_cast<Server*>(owner)->end(); });
  signals.watch(fleet, {});
  fmt::print(stderr, "ready\n");
  const Instant begun = (*ring)->now();
  (*ring)->run();
  if (!options.quiet) print(summary(shared.counts, (*ring)->now() - begun), options.json);
  return 0;
}

}  // namespace
}  // namespace ringpost::sink

int main(int count, char** words) { return ringpost::sink::run(count, words); }
