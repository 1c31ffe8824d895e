// A run: what the seed draws is in scenario_draw.cpp; here it happens, and is judged.
#include "scenario.h"

#include <algorithm>
#include <cinttypes>
#include <cstdio>
#include <utility>

#include "ringpost/spool.h"

namespace ringpost::sim {
namespace {

constexpr Duration kDownMost = 40s;  // from a crash to the next start
constexpr Duration kSlice = 5s;      // between two looks at the ledger
constexpr Duration kDryMost = 4h;    // I9: with all faults gone, the queue is empty by then
constexpr Duration kDrainMost = 2min;
constexpr Duration kTurnSlack = 5ms;      // completions wait for a turn
constexpr Duration kFailureSlack = 10s;   // between a failed write and the end of its core
constexpr std::uint64_t kCutWithin = 60;  // changes of the disk

}  // namespace

Scenario::~Scenario() = default;

Verdict Scenario::run() {
  run_faults();
  if (world_.violations().empty()) calm();
  if (world_.violations().empty()) run_dry();
  if (world_.violations().empty()) end_relay();
  if (world_.violations().empty()) judge();

  Verdict verdict;
  verdict.violations = world_.violations();
  if (!verdict.violations.empty()) verdict.story = world_.trace().last(80);
  verdict.hash = world_.trace().hash();
  verdict.steps = world_.schedule().steps();
  const Ledger::Totals totals = ledger_.totals();
  char line[240];
  std::snprintf(
      line, sizeof line,
      "%u cores, %.1f h, %" PRIu64 " messages, %" PRIu64 " acknowledged, %" PRIu64 " takings (%" PRIu64
      " repeated), %" PRIu64 " told as failed, %" PRIu64 " as delayed, %" PRIu64 " crashes, %" PRIu64 " steps",
      world_.cores(), static_cast<double>((world_.now() - Instant{}).count()) / 3.6e12, totals.messages,
      totals.acknowledged, totals.takings, totals.repeated, totals.failed, totals.delayed, crashes_, verdict.steps);
  verdict.summary = line;
  return verdict;
}

// ---- with faults

void Scenario::run_faults() {
  draw_names();
  draw_messages();
  draw_moods();
  draw_network();
  draw_disk();
  draw_crashes();
  draw_other_events();
  const Instant end = world_.now() + length_;
  restart();
  while (world_.now() < end && world_.violations().empty()) {
    world_.run_until([&] { return relay_.ended(); }, end - world_.now());
    after_step();
    if (!world_.disk().cut() && world_.schedule().empty()) break;
    if (!world_.schedule().empty() && world_.schedule().next() > end) break;
  }
}

// The run stops where the power went or the process ended by itself.
void Scenario::after_step() {
  if (world_.disk().cut()) crash(true);
  if (!relay_.ended()) return;
  if (relay_.failure()) crashed(world_.now() - relay_.failed_at() + kFailureSlack);
  relay_.bury();
  restart_soon();
}

void Scenario::crash(bool power) {
  if (!relay_.running() && !world_.disk().cut()) return;
  ++crashes_;
  crashed();
  if (power) {
    const std::uint64_t percent = random_.below(101);  // one draw a statement: the order of arguments is the compiler's
    relay_.lose_power(survive_by_chance(random_.next(), percent));
  } else {
    relay_.kill();
  }
  restart_soon();
}

// Outcomes are durable one commit interval and one write after the reply was seen; what was younger may be lost.
void Scenario::crashed(Duration longer) {
  const DiskTiming& timing = world_.disk().timing();
  Duration unkept = spool::kCommitInterval + 2 * (timing.most + timing.sync_most) + 2 * kTurnSlack + longer;
  if (world_.disk().faults().stall > 0) unkept += 2 * timing.stall_most;
  ledger_.crashed(world_.now() - unkept, world_.now());
}

void Scenario::restart_soon() {
  world_.schedule().after(moment(kDownMost), [this] { restart(); });
}

void Scenario::restart() {
  if (relay_.running() || world_.disk().cut()) return;
  // Also in the middle of recovery the power may go.
  if (faults_ && random_.chance(1, 8)) world_.disk().cut_at(DiskCall::change, 1 + random_.below(kCutWithin));
  if (relay_.start()) return;
  crashed();
  if (!faults_)
    return world_.violation("I9: with all faults gone the relay does not start: " + relay_.failure()->message());
  if (!world_.disk().cut()) restart_soon();
}

// ---- without

void Scenario::calm() {
  faults_ = false;
  world_.trace().note(world_.now(), "calm: no more faults");
  world_.disk().heal();
  world_.disk().never_cut();
  world_.disk().set_capacity(std::uint64_t{1} << 40);
  world_.network().conditions() = NetworkConditions{};
  habits_.break_off = 0;
  for (Smarthost& host : smarthosts_) {
    host.mood() = Mood{};
    host.listen(true);
    world_.network().down(host.address(), Down::no);
  }
  if (names_) world_.network().down(*ringpost::SocketAddress::parse("192.0.2.53:53"), Down::no);
  if (names_) names_->replace(draw_zone(false));
  restart();
}

void Scenario::run_dry() {
  const Instant end = world_.now() + kDryMost;
  while (world_.violations().empty()) {
    world_.run_for(kSlice);
    after_step();
    const bool clients_done = std::all_of(clients_.begin(), clients_.end(), [](const Client& c) { return c.done(); });
    const core::Counts counts = relay_.running() ? relay_.counts() : core::Counts{.queued = 1};
    if (clients_done && counts.queued == 0 && counts.kept_failed == 0) return;
    if (world_.now() < end) continue;
    world_.violation("I9: the queue does not drain: " + std::to_string(relay_.running() ? relay_.counts().queued : 0) +
                     " queued, owed:" + ledger_.owed(5) + ", in the spool:" + open_in_spool());
  }
}

// What the spool says is still open, for the report.
std::string Scenario::open_in_spool() {
  std::string text;
  const auto look = [&](const spool::Dump& dump) {
    for (std::size_t i = 0; i < dump.state->size(); ++i) {
      const message::RecipientState state = dump.state->at(i);
      if (state.status != message::Status::open) continue;
      text += " " + dump.id.text() + " " + std::string(dump.envelope->recipient(i).forward_path) + " due in " +
              std::to_string((state.due - world_.wall()) / 1s) + " s after " + std::to_string(state.attempts) +
              " attempts (" + std::string(state.text) + ")";
    }
  };
  if (const auto read = spool::read_logs(world_.disk().files(), "/spool", look); !read) return read.error().message();
  return text;
}

void Scenario::end_relay() {
  relay_.drain();
  world_.run_until([this] { return relay_.ended(); }, kDrainMost);
  if (!relay_.ended()) return world_.violation("I9: the relay does not end when it is told to drain");
  relay_.bury();
}

void Scenario::judge() {
  const auto read = spool::read_logs(world_.disk().files(), "/spool",
                                     [this](const spool::Dump& dump) { ledger_.kept(*dump.envelope, *dump.state); });
  if (!read) return world_.violation("the spool cannot be read: " + read.error().message());
  if (read->damaged_batches + read->damaged_messages > 0 && options_.canary == Canary::none)
    world_.violation("I1: the spool is damaged: " + std::to_string(read->damaged_batches) + " batches, " +
                     std::to_string(read->damaged_messages) + " messages");
  ledger_.judge();
}

}  // namespace ringpost::sim
