// The dialogue player: plays each case of the given scripts and says which do not go as written.
//
//   dialog FILE…                      against a session in memory: as written, octet by octet, cut at random, and
//                                     (where nothing but octets happens) with all that the client sends in one piece
//   dialog --connect ADDR:PORT FILE…  against a running relay that takes mail from this machine; what needs more than
//                                     octets is left out and counted
#include <cstdio>

#include <fmt/format.h>

#include "ringpost/base/escape.h"
#include "script.h"
#include "stage.h"

namespace ringpost::dialog {
namespace {

constexpr int kRandomRounds = 8;

// Why a case failed; empty: it did not.
using Complaint = std::string;

Complaint complain(const Case& played, const Step& step, View what, View got) {
  return fmt::format("{}:{}: {}: {}\n  wanted: {}\n  got:    {}\n", played.file, step.line, played.name, what,
                     escaped(step.text), escaped(got));
}

Complaint check_state(const Case& played, const Step& step, Stage& stage) {
  const View got = stage.closed() ? "closed" : "open";
  return step.text == got ? Complaint{} : complain(played, step, "the session is not so", got);
}

Complaint play_step(const Case& played, const Step& step, Stage& stage) {
  switch (step.kind) {
    case Step::Kind::send:
      stage.send(step.text);
      return {};
    case Step::Kind::expect: {
      const auto line = stage.line();
      if (!line) return complain(played, step, "the server is silent", "");
      return matches(step.text, *line) ? Complaint{} : complain(played, step, "the server says something else", *line);
    }
    case Step::Kind::kept: {
      const auto kept = stage.kept();
      return !kept || *kept == step.text ? Complaint{} : complain(played, step, "something else was kept", *kept);
    }
    case Step::Kind::state:
      return check_state(played, step, stage);
    case Step::Kind::event:
      return stage.event(step.text) ? Complaint{} : complain(played, step, "no such event", "");
  }
  return {};
}

// Before the client goes on, the server must have said what the script has it say, and nothing else.
Complaint play(const Case& played, Stage& stage) {
  Step::Kind last = Step::Kind::send;
  for (const Step& step : played.steps) {
    if (step.kind != Step::Kind::expect && last == Step::Kind::expect)
      if (const std::string more = stage.rest(); !more.empty())
        return complain(played, step, "the server says too much before this", more);
    if (Complaint complaint = play_step(played, step, stage); !complaint.empty()) return complaint;
    last = step.kind;
  }
  const std::string more = stage.rest();
  return more.empty() ? Complaint{}
                      : complain(played, played.steps.back(), "the server says too much at the end", more);
}

bool octets_only(const Case& played) {
  bool sent = false;
  for (const Step& step : played.steps) {
    if (step.kind == Step::Kind::send) sent = true;
    if (step.kind == Step::Kind::event && sent) return false;
  }
  return true;
}

// The same case with all that the client sends moved to the front.
Case pipelined(const Case& played) {
  Case moved{played.name + " (all in one piece)", played.file, played.line, {}};
  Step all{Step::Kind::send, {}, played.line};
  for (const Step& step : played.steps) {
    if (step.kind == Step::Kind::event) moved.steps.push_back(step);
    if (step.kind == Step::Kind::send) all.text += step.text;
  }
  moved.steps.push_back(all);
  for (const Step::Kind kind : {Step::Kind::expect, Step::Kind::kept})
    for (const Step& step : played.steps)
      if (step.kind == kind) moved.steps.push_back(step);
  if (!played.steps.empty() && played.steps.back().kind == Step::Kind::state)
    moved.steps.push_back(played.steps.back());
  return moved;
}

Complaint play_in_memory(const Case& played, Cutting cutting, std::uint64_t seed) {
  MemoryStage stage{cutting, seed};
  Complaint complaint = play(played, stage);
  if (!complaint.empty()) complaint += fmt::format("  cutting {}, seed {}\n", static_cast<int>(cutting), seed);
  return complaint;
}

Complaint play_every_way(const Case& played) {
  Complaint complaint = play_in_memory(played, Cutting::whole, 1);
  if (complaint.empty()) complaint = play_in_memory(played, Cutting::octets, 2);
  if (complaint.empty() && octets_only(played)) complaint = play_in_memory(pipelined(played), Cutting::whole, 3);
  for (std::uint64_t round = 0; round < kRandomRounds && complaint.empty(); ++round) {
    complaint = play_in_memory(played, Cutting::random, 100 + round);
    if (complaint.empty() && octets_only(played))
      complaint = play_in_memory(pipelined(played), Cutting::random, 200 + round);
  }
  return complaint;
}

bool has_events(const Case& played) {
  for (const Step& step : played.steps)
    if (step.kind == Step::Kind::event) return true;
  return false;
}

struct Tally {
  unsigned passed = 0;
  unsigned failed = 0;
  unsigned left_out = 0;
};

void count(const Complaint& complaint, Tally& tally) {
  if (complaint.empty()) {
    ++tally.passed;
    return;
  }
  ++tally.failed;
  std::fputs(complaint.c_str(), stdout);
}

void play_file(const std::string& path, const std::optional<SocketAddress>& server, Tally& tally) {
  for (const Case& played : read_script(path)) {
    if (!server) {
      count(play_every_way(played), tally);
    } else if (has_events(played)) {
      ++tally.left_out;
    } else {
      NetworkStage stage{*server};
      count(play(played, stage), tally);
    }
  }
}

int run(std::span<char*> arguments) {
  std::optional<SocketAddress> server;
  Tally tally;
  for (std::size_t i = 1; i < arguments.size(); ++i) {
    if (View{arguments[i]} != "--connect") {
      play_file(arguments[i], server, tally);
    } else if (++i < arguments.size()) {
      const auto parsed = SocketAddress::parse(arguments[i], 25);
      if (!parsed) return fmt::print(stderr, "{}\n", parsed.error().message()), 2;
      server = *parsed;
    }
  }
  fmt::print("{} passed, {} failed{}\n", tally.passed, tally.failed,
             tally.left_out == 0 ? "" : fmt::format(", {} left out (they need more than octets)", tally.left_out));
  return tally.failed == 0 && tally.passed + tally.left_out > 0 ? 0 : 1;
}

}  // namespace
}  // namespace ringpost::dialog

int main(int count, char** arguments) { return ringpost::dialog::run({arguments, static_cast<std::size_t>(count)}); }
