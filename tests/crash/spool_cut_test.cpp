// The power is cut at every write, sync, creation and removal that a workload makes, with samples of what survives of
// what was not synced; then the spool is opened again, judged, worked on, and opened once more. The workload commits,
// settles, ends and discards messages, small ones and large ones, several at a time, in segments so tiny that all of
// them are recycled.
#include <doctest/doctest.h>

#include <cstdlib>

#include "spool_workload.h"

using namespace ringpost;
using namespace ringpost::spool;
using namespace ringpost::spool::test;

namespace {

constexpr int kSteps = 200;
constexpr int kStepsAfter = 15;
constexpr std::uint64_t kSegment = 64 * 1024;

void work(Scene& scene, Model& model, std::uint64_t seed, int steps) { Workload{scene, model, seed}.run(steps); }

struct Case {
  std::uint64_t seed;
  std::uint64_t cut;        // at this change, counted from the start
  std::uint64_t again;      // and, 0 or so many changes into the recovery, again
  std::uint64_t survivors;  // seed of the sample; 0: none survives, 1: all
};

sim::Survivors survivors_of(std::uint64_t seed) {
  if (seed == 0) return sim::survive_none();
  if (seed == 1) return sim::survive_all();
  return sim::survive_by_chance(seed, 20 + seed % 60);
}

// Gives whether the cut came before the workload was over.
bool play(const Case& one) {
  CAPTURE(one.seed);
  CAPTURE(one.cut);
  CAPTURE(one.again);
  CAPTURE(one.survivors);
  Scene scene{one.seed};
  scene.options.segment_size = kSegment;
  Model model;
  if (one.cut != 0) scene.world.disk().cut_at(sim::DiskCall::change, one.cut);
  if (const auto opened = scene.try_open(); !opened) {
    REQUIRE(scene.world.disk().cut());
  } else {
    work(scene, model, one.seed, kSteps);
    if (!scene.world.disk().cut()) return false;
  }
  scene.crash(survivors_of(one.survivors));
  if (one.again != 0) {
    scene.world.disk().cut_at(sim::DiskCall::change, one.again);
    if (!scene.try_open()) {
      scene.crash(survivors_of(one.survivors + 7));
    } else {
      scene.world.disk().never_cut();
      scene.kill();
    }
  }
  scene.open();
  CHECK(scene.recovery.damaged_batches == 0);
  CHECK(scene.recovery.damaged_messages == 0);
  model.judge(scene);
  work(scene, model, one.seed + 1, kStepsAfter);
  scene.kill();
  scene.open();
  CHECK(scene.recovery.damaged_batches == 0);
  model.judge(scene);
  return true;
}

std::uint64_t seeds() {
  const char* wanted = std::getenv("RINGPOST_CUT_SEEDS");
  return wanted != nullptr ? std::strtoull(wanted, nullptr, 10) : 1;
}

}  // namespace

TEST_CASE("the workload recycles segments and spills, so that the cuts meet all there is") {
  Scene scene{1};
  scene.options.segment_size = kSegment;
  scene.open();
  Model model;
  work(scene, model, 1, kSteps);
  const Statistics& statistics = scene.spool->statistics();
  CHECK(statistics.segments_recycled > 2);
  CHECK(statistics.large_octets_written > 100'000);
  CHECK(statistics.messages > 3);
  scene.close();
  scene.open();
  model.judge(scene);
}

TEST_CASE("after a cut at any change to the disk everything acknowledged is there and nothing else") {
  for (std::uint64_t seed = 1; seed <= seeds(); ++seed)
    for (std::uint64_t cut = 1;; ++cut) {
      if (!play({seed, cut, 0, 0})) break;
      play({seed, cut, 0, 1});
      play({seed, cut, 0, 2 + cut});
      play({seed, cut, 0, 1000 + cut});
    }
}

TEST_CASE("a cut during the recovery from a cut loses nothing either") {
  for (std::uint64_t seed = 1; seed <= seeds(); ++seed)
    for (std::uint64_t cut = 20;; cut += 3)
      if (!play({seed, cut, 1 + cut % 9, 2 + cut})) break;
}
