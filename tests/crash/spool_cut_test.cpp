// The power is cut at every write, sync, creation and removal that a workload makes, with samples of what survives of
// what was not synced; then the spool is opened again, judged, worked on, and opened once more. The workload commits,
// settles, ends and discards messages, small ones and large ones, several at a time, in segments so tiny that all of
// them are recycled.
#include <doctest/doctest.h>

#include <cstdlib>
#include <list>

#include "spool_model.h"

using namespace ringpost;
using namespace ringpost::spool;
using namespace ringpost::spool::test;

namespace {

class Workload {
 public:
  Workload(Scene& scene, Model& model, std::uint64_t seed) : scene_(scene), model_(model), random_(seed) {}

  // Ends early when the power goes.
  void run(int steps) {
    for (int i = 0; i < steps && !scene_.world.disk().cut(); ++i) step();
    if (!scene_.world.disk().cut()) wait();
  }

 private:
  // One commit or save that is on its way.
  struct Pending {
    Workload* owner;
    SpoolId id;
    std::size_t version;
    bool save;
    bool done = false;
    Commit commit;
    Pending(Workload* owner_, SpoolId id_, std::size_t version_, bool save_)
        : owner(owner_), id(id_), version(version_), save(save_), commit(this, &Pending::completed) {}
    static void completed(void* self, Message& message, const Result<void>& result) {
      auto& pending = *static_cast<Pending*>(self);
      pending.done = true;
      if (!pending.save) message.release();
      if (result && pending.save) pending.owner->model_.saved(pending.id, pending.version);
      if (result && !pending.save) pending.owner->model_.acknowledged(pending.id);
      if (!result && !pending.save) pending.owner->model_.refused(pending.id);
    }
  };

  void step() {
    const std::uint64_t dice = random_.below(100);
    // A few live messages: enough to pin segments here and there, few enough that most become free.
    if (dice < 50 && model_.live().size() < 10)
      accept();
    else if (dice < 85)
      settle();
    else if (dice < 88)
      discard();
    else if (dice < 92)
      abandon();
    else
      wait();
    if (pending_.size() > 6) wait();
  }

  std::size_t draw_size() {
    const std::uint64_t dice = random_.below(100);
    if (dice < 70) return random_.below(3000);
    if (dice < 90) return random_.below(7000);
    return 8000 + random_.below(60'000);  // past the gather limit of these segments
  }

  void accept() {
    std::string content = octets(draw_size(), random_.next());
    Message* message = scene_.draft(content, 1 + random_.below(3));
    if (message == nullptr) return;  // the power went while it spilled
    model_.asked(*message, std::move(content));
    Pending& pending = pending_.emplace_back(this, message->id, 0, false);
    scene_.spool->commit(*message, pending.commit);
  }

  std::optional<SpoolId> draw_live() {
    const auto ids = model_.live();
    if (ids.empty()) return std::nullopt;
    return ids[random_.below(ids.size())];
  }

  void settle() {
    const auto id = draw_live();
    if (!id) return;
    const auto loaded = scene_.load(*id, Spool::Want::envelope);
    if (!loaded) {
      if (!scene_.world.disk().cut()) FAIL_CHECK("load: " << loaded.error().message());
      return;
    }
    Message& message = **loaded;
    for (std::size_t index = 0; index < message.state.size(); ++index) {
      message::RecipientState state = message.state.at(index);
      ++state.attempts;
      const std::uint64_t dice = random_.below(20);
      if (dice < 16) state.status = message::Status::delivered;
      if (dice == 16) state.status = message::Status::failed;
      state.text = "a reply";
      message.state.set(index, state);
    }
    Pending& pending =
        pending_.emplace_back(this, *id, model_.asked_to_save(*id, Model::version_of(message.state)), true);
    scene_.spool->save(message, &pending.commit);
    message.release();
  }

  void discard() {
    const auto id = draw_live();
    if (!id) return;
    model_.asked_to_save(*id, {.recipients = {}, .over = true});
    CHECK(scene_.spool->discard(*id));
  }

  void abandon() {
    if (Message* message = scene_.draft(octets(draw_size(), 1))) message->release();
  }

  void wait() {
    scene_.run_until(
        [&] { return std::all_of(pending_.begin(), pending_.end(), [](const auto& p) { return p.done; }); });
    if (!scene_.world.disk().cut()) pending_.clear();
  }

  Scene& scene_;
  Model& model_;
  Random random_;
  std::list<Pending> pending_;
};

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
