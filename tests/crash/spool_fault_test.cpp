// Each operation on the disk fails once, with each errno that a disk can give: what was acknowledged is kept, what
// cannot be kept is said, a full disk ends by itself, a failed write or sync ends the spool for good.
#include <doctest/doctest.h>

#include "spool_workload.h"

using namespace ringpost;
using namespace ringpost::spool;
using namespace ringpost::spool::test;

namespace {

constexpr int kSteps = 120;
constexpr std::uint64_t kSegment = 64 * 1024;

struct Watch {
  int failures = 0;
  int reliefs = 0;
  void over(Spool& spool) {
    spool.on_failure(this, [](void* self, const Error&) { ++static_cast<Watch*>(self)->failures; });
    spool.on_relief(this, [](void* self) { ++static_cast<Watch*>(self)->reliefs; });
  }
};

void reopen_and_judge(Scene& scene, Model& model) {
  scene.kill();
  scene.open();
  CHECK(scene.recovery.damaged_batches == 0);
  CHECK(scene.recovery.damaged_messages == 0);
  model.judge(scene);
  Workload{scene, model, 99}.run(10);
  scene.close();
  scene.open();
  model.judge(scene);
}

// Calls of this kind that the workload makes without a fault.
std::uint64_t calls_of(sim::DiskCall call) {
  Scene scene{3};
  scene.options.segment_size = kSegment;
  scene.open();
  Model model;
  Workload{scene, model, 3}.run(kSteps);
  return scene.world.disk().calls(call);
}

// The nth call of a kind fails with `code`, so many `times` in a row.
void play(sim::DiskCall call, std::uint64_t nth, int code, std::uint64_t times, bool may_stop) {
  CAPTURE(static_cast<int>(call));
  CAPTURE(nth);
  CAPTURE(code);
  Scene scene{3};
  scene.options.segment_size = kSegment;
  Model model;
  scene.world.disk().fail(call, nth, code, times);
  if (const auto opened = scene.try_open(); !opened) {
    scene.world.disk().heal();
    scene.kill();
    scene.open();
    CHECK(scene.found.empty());
    return;
  }
  Watch watch;
  watch.over(*scene.spool);
  Workload workload{scene, model, 3};
  workload.tolerant = true;
  workload.run(kSteps);
  // What the last steps began may fail only now: let the world come to rest before asking.
  (void)scene.world.run_until([&] { return scene.spool->refusal() == Refusal::stopped || scene.spool->idle(); });
  const bool stopped = scene.spool->refusal() == Refusal::stopped;
  CHECK(watch.failures == (stopped ? 1 : 0));
  if (!may_stop) CHECK_FALSE(stopped);
  scene.world.disk().heal();
  if (!stopped) {
    // Mail is taken again without anybody's help.
    scene.run_until([&] { return scene.spool->refusal() == Refusal::none && scene.spool->idle(); });
    const std::string content = octets(3000, 5);
    Message* message = scene.draft(content);
    REQUIRE(message != nullptr);
    model.asked(*message, content);
    REQUIRE(scene.commit(*message));
    model.acknowledged(message->id);
    message->release();
  }
  reopen_and_judge(scene, model);
}

}  // namespace

TEST_CASE("a write that fails with EIO stops the spool, and nothing acknowledged is lost") {
  const std::uint64_t calls = calls_of(sim::DiskCall::write);
  for (std::uint64_t nth = 1; nth <= calls; ++nth) play(sim::DiskCall::write, nth, EIO, 1, true);
}

TEST_CASE("a sync that fails stops the spool, is not tried again, and nothing acknowledged is lost") {
  const std::uint64_t calls = calls_of(sim::DiskCall::sync);
  for (std::uint64_t nth = 1; nth <= calls; ++nth) play(sim::DiskCall::sync, nth, EIO, 1, true);
}

TEST_CASE("a full disk at any write or allocation refuses mail and ends by itself") {
  const std::uint64_t calls = calls_of(sim::DiskCall::write);
  for (const int code : {ENOSPC, EDQUOT})
    for (std::uint64_t nth = 1; nth <= calls; ++nth) play(sim::DiskCall::write, nth, code, 1 + nth % 4, false);
  const std::uint64_t allocations = calls_of(sim::DiskCall::allocate);
  for (std::uint64_t nth = 1; nth <= allocations; ++nth) play(sim::DiskCall::allocate, nth, ENOSPC, 1 + nth % 4, false);
}

TEST_CASE("too many open files, or a removal or read that fails, costs at most the operation") {
  for (std::uint64_t nth = 1; nth <= calls_of(sim::DiskCall::open); ++nth)
    play(sim::DiskCall::open, nth, EMFILE, 1 + nth % 3, false);
  for (std::uint64_t nth = 1; nth <= calls_of(sim::DiskCall::remove); ++nth)
    play(sim::DiskCall::remove, nth, EIO, 1, true);
  for (std::uint64_t nth = 1; nth <= calls_of(sim::DiskCall::read); ++nth)
    play(sim::DiskCall::read, nth, EIO, 1, false);
}

TEST_CASE("short writes and stalls change nothing") {
  Scene scene{4};
  scene.options.segment_size = kSegment;
  scene.world.disk().faults().short_write = 300'000;
  scene.world.disk().faults().stall = 50'000;
  scene.open();
  Model model;
  Workload{scene, model, 4}.run(kSteps);
  CHECK(scene.spool->refusal() == Refusal::none);
  scene.world.disk().heal();
  reopen_and_judge(scene, model);
}
