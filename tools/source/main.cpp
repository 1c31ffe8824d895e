// ringpost-source: sends mail and says what came of it. Puts the pieces together; all else is in client.h (a
// connection), plan.h (what is sent), work.h (when), report.h (what came of it).
#include <fmt/format.h>
#include <sys/resource.h>

#include <algorithm>
#include <cstdio>
#include <memory>
#include <vector>

#include "client.h"
#include "options.h"
#include "tools/common/signals.h"

namespace ringpost::source {
namespace {

constexpr Duration kProgress = 200ms;  // between two progress lines
constexpr Duration kGrace = 10s;       // after --seconds or a signal: for what was begun

// A run: the connections on one loop, from the first connect to the last close.
class Run {
 public:
  Run(ring::Ring& ring, const Options& options, const Plan& plan, tools::Ledger& ledger)
      : ring_(ring),
        options_(options),
        ledger_(ledger),
        work_(options.work),
        report_(plan, ledger),
        source_{.ring = ring,
                .plan = plan,
                .work = work_,
                .report = report_,
                .ledger = ledger,
                .write_ledger = write_ledger_,
                .owner = this,
                .client_closed = [](void* owner) { static_cast<Run*>(owner)->look_for_end(); }} {}

  // The exit code.
  int run() {
    begun_ = ring_.now();
    work_.begin(begun_);
    if (options_.work.longest > Duration{0}) ring_.arm(give_up_, options_.work.longest + kGrace);
    if (options_.progress) ring_.arm(progress_, kProgress);
    const std::uint64_t most = options_.work.messages > 0 ? options_.work.messages : options_.connections;
    const auto clients = std::min<std::uint64_t>(options_.connections, most);
    for (std::uint64_t i = 0; i < clients; ++i) clients_.push_back(std::make_unique<Client>(source_, options_.client));
    for (const auto& client : clients_) client->open();
    started_ = true;
    look_for_end();
    ring_.run();
    const Duration took = ended_ - begun_;
    ledger_.flush();
    if (options_.progress) report_.print_progress(options_.work.messages, took, true);
    if (!options_.quiet) report_.print(work_.begun(), took, options_.json);
    const bool whole = options_.work.messages == 0 || work_.begun() == options_.work.messages;
    return whole && report_.all_accepted(work_.begun()) ? 0 : 1;
  }

  // A signal: begin nothing more; what was begun has a little time.
  void end() {
    work_.stop();
    ring_.arm(give_up_, kGrace);
    look_for_end();
  }

 private:
  void look_for_end() {
    if (!started_ || !std::ranges::all_of(clients_, [](const auto& client) { return client->closed(); })) return;
    ended_ = ring_.now();
    ring_.stop();
  }
  void give_up() {
    for (const auto& client : clients_) client->abandon("the time is over");
    look_for_end();
  }
  void show_progress() {
    report_.print_progress(options_.work.messages, ring_.now() - begun_, false);
    ring_.arm(progress_, kProgress);
  }
  void write_ledger() { ledger_.flush(); }

  ring::Ring& ring_;
  const Options& options_;
  tools::Ledger& ledger_;
  Work work_;
  Report report_;
  ring::Deferred write_ledger_{this, ring::call<&Run::write_ledger>};
  Source source_;
  std::vector<std::unique_ptr<Client>> clients_;
  ring::Timer give_up_{this, ring::call<&Run::give_up>};
  ring::Timer progress_{this, ring::call<&Run::show_progress>};
  Instant begun_;
  Instant ended_;
  bool started_ = false;
};

int complain(const Error& error) {
  fmt::print(stderr, "ringpost-source: {}\n", error.message());
  return 1;
}

void raise_descriptor_limit() {
  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
  limit.rlim_cur = limit.rlim_max;
  setrlimit(RLIMIT_NOFILE, &limit);
}

int run(int count, char** words) {
  Options options;
  if (const auto code = parse_options(count, words, options)) return *code;
  for (const std::string& lack : ring::missing_in_kernel()) return complain({0, lack});
  raise_descriptor_limit();
  tools::Ledger ledger;
  if (!options.ledger.empty())
    if (const auto opened = ledger.open(options.ledger); !opened) return complain(opened.error());

  tools::StopSignals signals;
  ring::Fleet fleet(1, 0);
  auto ring = ring::make_ring(fleet, CoreId{0}, 1, {.pin_to_cpu = options.cpu});
  if (!ring) return complain(ring.error());
  options.plan.date = (*ring)->wall();
  const Plan plan(options.plan, options.sizes, options.domains, std::move(options.files), options.seed);
  Run run(**ring, options, plan, ledger);
  (*ring)->on_mail(&run, [](void* owner, const ring::Mail&) { static_cast<Run*>(owner)->end(); });
  signals.watch(fleet, {});
  return run.run();
}

}  // namespace
}  // namespace ringpost::source

int main(int count, char** words) { return ringpost::source::run(count, words); }
