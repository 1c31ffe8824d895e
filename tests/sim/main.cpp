// sim: runs the whole relay on the simulated world, one process per seed, and says which seeds fail and how.
//
//   sim --seed N            one run, replayed exactly
//   sim --seeds K           K runs from --seed (default 1) on; exit 1 when one fails
//   sim --hours H           of virtual time with faults, instead of what the seed draws
//   sim --trace             each line of the story on stderr
//   sim --twice             each seed twice: both runs must be the same, line by line
//   sim --canary NAME       with a bug planted (early-reply, dropped-write, lost-letter): exit 0 when a seed finds it
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cinttypes>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <optional>
#include <string>

#include "scenario.h"

namespace ringpost::sim {
namespace {

constexpr unsigned kSecondsMost = 120;  // of real time for one seed: past them it hangs

struct Arguments {
  std::uint64_t first = 1;
  std::uint64_t seeds = 1;
  double hours = 0;
  bool trace = false;
  bool twice = false;
  Canary canary = Canary::none;
};

// What a child says to its parent.
struct Report {
  bool passed = false;
  std::uint64_t hash = 0;
};

Scenario* running = nullptr;  // of this child, for the story of a run that ends in a CHECK

void tell_story(int signal) {
  if (running != nullptr) {
    World& world = running->world();
    std::fprintf(stderr, "signal %d at step %" PRIu64 ":\n", signal, world.schedule().steps());
    for (const std::string& line : world.trace().last(60)) std::fprintf(stderr, "  %s\n", line.c_str());
  }
  std::signal(signal, SIG_DFL);
  std::raise(signal);
}

Report run_here(const Arguments& arguments, std::uint64_t seed) {
  std::signal(SIGABRT, tell_story);
  std::signal(SIGALRM, tell_story);
  alarm(kSecondsMost);
  ScenarioOptions options;
  options.seed = seed;
  options.length =
      std::chrono::duration_cast<Duration>(std::chrono::duration<double, std::ratio<3600>>(arguments.hours));
  options.trace = arguments.trace;
  options.canary = arguments.canary;
  Scenario scenario(options);
  running = &scenario;
  const Verdict verdict = scenario.run();
  running = nullptr;
  const bool passed = verdict.violations.empty();
  std::printf("seed %" PRIu64 ": %s: %s, hash %016" PRIx64 "\n", seed, passed ? "passed" : "FAILED",
              verdict.summary.c_str(), verdict.hash);
  if (!passed && arguments.canary == Canary::none) {
    for (const std::string& line : verdict.story) std::printf("  %s\n", line.c_str());
    for (const std::string& line : verdict.violations) std::printf("  => %s\n", line.c_str());
    std::printf("  at step %" PRIu64 "; again: sim --seed %" PRIu64 " --trace\n", verdict.steps, seed);
  } else if (!passed) {
    std::printf("  found: %s\n", verdict.violations.front().c_str());
  }
  return {passed, verdict.hash};
}

// A child per seed: what it leaks and where it aborts is its own.
std::optional<Report> run_apart(const Arguments& arguments, std::uint64_t seed) {
  std::array<int, 2> ends{};
  if (pipe(ends.data()) != 0) return std::nullopt;
  std::fflush(nullptr);
  const pid_t child = fork();
  if (child == 0) {
    const Report report = run_here(arguments, seed);
    std::fflush(nullptr);
    const bool told = write(ends[1], &report, sizeof report) == sizeof report;
    std::quick_exit(told ? 0 : 1);
  }
  close(ends[1]);
  Report report;
  const bool told = read(ends[0], &report, sizeof report) == sizeof report;
  close(ends[0]);
  int status = 0;
  waitpid(child, &status, 0);
  if (told) return report;
  std::printf("seed %" PRIu64 ": FAILED: the process ended by signal %d\n", seed,
              WIFSIGNALED(status) ? WTERMSIG(status) : 0);
  return std::nullopt;
}

bool run_seed(const Arguments& arguments, std::uint64_t seed) {
  const auto report = run_apart(arguments, seed);
  if (!report || !arguments.twice) return report && report->passed;
  const auto again = run_apart(arguments, seed);
  if (again && again->hash == report->hash) return report->passed;
  std::printf("seed %" PRIu64 ": FAILED: two runs of it differ\n", seed);
  return false;
}

bool parse(Arguments& arguments, int count, char** words) {
  for (int i = 1; i < count; ++i) {
    const std::string word = words[i];
    const char* value = i + 1 < count ? words[i + 1] : nullptr;
    if (word == "--trace") {
      arguments.trace = true;
      continue;
    }
    if (word == "--twice") {
      arguments.twice = true;
      continue;
    }
    if (value == nullptr) return false;
    ++i;
    if (word == "--seed")
      arguments.first = std::strtoull(value, nullptr, 10);
    else if (word == "--seeds")
      arguments.seeds = std::strtoull(value, nullptr, 10);
    else if (word == "--hours")
      arguments.hours = std::strtod(value, nullptr);
    else if (word == "--canary" && std::strcmp(value, "early-reply") == 0)
      arguments.canary = Canary::early_reply;
    else if (word == "--canary" && std::strcmp(value, "dropped-write") == 0)
      arguments.canary = Canary::dropped_write;
    else if (word == "--canary" && std::strcmp(value, "lost-letter") == 0)
      arguments.canary = Canary::lost_letter;
    else
      return false;
  }
  return true;
}

int run_all(const Arguments& arguments) {
  std::uint64_t passed = 0;
  std::uint64_t failed = 0;
  for (std::uint64_t seed = arguments.first; seed < arguments.first + arguments.seeds; ++seed) {
    ++(run_seed(arguments, seed) ? passed : failed);
    if (arguments.canary != Canary::none && failed > 0) {
      std::printf("the canary was found by seed %" PRIu64 "\n1 passed, 0 failed\n", seed);
      return 0;
    }
  }
  if (arguments.canary != Canary::none) {
    std::printf("the canary was not found\n0 passed, 1 failed\n");
    return 1;
  }
  std::printf("%" PRIu64 " passed, %" PRIu64 " failed\n", passed, failed);
  return failed == 0 ? 0 : 1;
}

}  // namespace
}  // namespace ringpost::sim

int main(int count, char** words) {
  ringpost::sim::Arguments arguments;
  if (!ringpost::sim::parse(arguments, count, words)) {
    std::fprintf(stderr, "usage: sim [--seed N] [--seeds K] [--hours H] [--trace] [--twice] [--canary NAME]\n");
    return 2;
  }
  return ringpost::sim::run_all(arguments);
}
