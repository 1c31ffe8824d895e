// A message that is made beside the state of another: both are on the disk, or neither.
#include <doctest/doctest.h>

#include <algorithm>
#include <list>

#include "spool_scene.h"

namespace ringpost::spool::test {
namespace {

using message::Status;

// What the one who asks for a group does.
struct Group {
  explicit Group(Scene& the_scene) : scene(the_scene) {}

  // Marks all open recipients of `original` as told, and asks for a message with this content beside it.
  bool ask(Message& original, View content) {
    made = scene.spool->begin_beside(original);
    if (made == nullptr) return false;
    id = made->id;
    made->envelope.accepted = scene.world.wall();
    made->envelope.set_reverse_path({});
    made->envelope.add_recipient("from@test.example", 12, 0, {});
    made->trace = kTrace;
    made->state.reset(1, scene.world.wall());
    if (!scene.push(*made, content)) return false;
    for (std::size_t i = 0; i < original.state.size(); ++i) mark(original, i, Status::bounced);
    scene.spool->commit_beside(*made, original, commit);
    return true;
  }
  static void mark(Message& message, std::size_t index, Status status) {
    message::RecipientState state = message.state.at(index);
    state.status = status;
    message.state.set(index, state);
  }
  void wait() {
    scene.run_until([&] { return done; });
  }
  static void completed(void* owner, Message& message, const Result<void>& result) {
    auto& self = *static_cast<Group*>(owner);
    self.done = true;
    self.result = result;
    message.release();
  }

  Scene& scene;
  Message* made = nullptr;
  SpoolId id;
  bool done = false;
  Result<void> result;
  Commit commit{this, &Group::completed};
};

struct Saved {
  bool done = false;
  Result<void> result;
  Commit commit{this, [](void* owner, Message&, const Result<void>& told) {
                  static_cast<Saved*>(owner)->done = true;
                  static_cast<Saved*>(owner)->result = told;
                }};
};

}  // namespace

TEST_CASE("a group ends the one message and begins the other in one batch") {
  Scene scene;
  scene.open();
  const SpoolId id = scene.accept(octets(500, 1), 2);
  Message* original = scene.load(id).value();
  const std::uint64_t batches = scene.spool->statistics().batches;
  Group group(scene);
  REQUIRE(group.ask(*original, octets(700, 2)));
  group.wait();
  CHECK(group.result);
  original->release();
  CHECK(scene.spool->statistics().batches == batches + 1);
  scene.crash(sim::survive_none());
  scene.open();
  CHECK_FALSE(scene.found.contains(id));
  REQUIRE(scene.found.contains(group.id));
  CHECK(scene.found[group.id].recipients == std::vector<std::string>{"from@test.example"});
  CHECK(scene.content_of(group.id) == octets(700, 2));
}

TEST_CASE("a group that finds no room in the batch waits whole, and what is saved meanwhile goes with it") {
  Scene scene;
  scene.open();
  const SpoolId id = scene.accept(octets(500, 1), 2);
  Message* original = scene.load(id).value();
  // Batches of these segments take some 28 KiB: this fills the one in flight, and the open one nearly.
  std::list<Saved> commits;
  std::vector<Message*> drafts;
  for (std::uint64_t i = 0; i < 8; ++i) {
    drafts.push_back(scene.draft(octets(6500, 10 + i)));
    scene.spool->commit(*drafts.back(), commits.emplace_back().commit);
  }
  Group group(scene);
  REQUIRE(group.ask(*original, octets(6000, 2)));
  Group::mark(*original, 1, Status::open);  // another outcome: one is tried again
  Saved saved;
  scene.spool->save(*original, &saved.commit);
  scene.run_until([&] { return group.done && saved.done; });
  CHECK(group.result);
  CHECK(saved.result);
  original->release();
  scene.run_until([&] { return std::ranges::all_of(commits, [](const Saved& one) { return one.done; }); });
  for (Message* draft : drafts) draft->release();
  scene.kill();
  scene.open();
  CHECK(scene.found.contains(group.id));
  REQUIRE(scene.found.contains(id));
  CHECK(scene.found[id].state[0].status == Status::bounced);
  CHECK(scene.found[id].state[1].status == Status::open);
}

TEST_CASE("a state that waits for room does not go without the message whose group it joins") {
  Scene scene;
  scene.open();
  const SpoolId id = scene.accept(octets(500, 1));
  Message* original = scene.load(id).value();
  std::list<Saved> commits;
  std::vector<Message*> drafts;
  for (std::uint64_t i = 0; i < 12; ++i) {
    drafts.push_back(scene.draft(octets(7000, 10 + i)));
    scene.spool->commit(*drafts.back(), commits.emplace_back().commit);
  }
  Saved saved;
  Group::mark(*original, 0, Status::failed);
  scene.spool->save(*original, &saved.commit);
  Group group(scene);
  REQUIRE(group.ask(*original, octets(20'000, 2)));  // large: its file is written and synced first
  scene.run_until([&] { return saved.done && group.done; });
  CHECK(group.result);
  original->release();
  scene.run_until([&] { return std::ranges::all_of(commits, [](const Saved& one) { return one.done; }); });
  for (Message* draft : drafts) draft->release();
  scene.kill();
  scene.open();
  CHECK_FALSE(scene.found.contains(id));
  CHECK(scene.content_of(group.id) == octets(20'000, 2));
}

TEST_CASE("a group with a large content is cut at any write or sync: both are there, or neither") {
  for (const auto call : {sim::DiskCall::write, sim::DiskCall::sync}) {
    bool told = false;
    for (std::uint64_t cut = 1; !told; ++cut) {
      REQUIRE(cut < 100);
      Scene scene(cut);
      scene.open();
      const SpoolId id = scene.accept(octets(500, 1));
      Message* original = scene.load(id).value();
      Group group(scene);
      scene.world.disk().cut_at(call, cut);
      if (group.ask(*original, octets(30'000, 2))) group.wait();
      told = group.done && group.result;
      scene.crash(sim::survive_none());
      scene.world.disk().never_cut();
      scene.open();
      CHECK(scene.found.contains(group.id) == !scene.found.contains(id));
      if (told) CHECK(scene.found.contains(group.id));
    }
  }
}

TEST_CASE("a group whose large content finds no disk leaves the other message as it was") {
  Scene scene;
  scene.open();
  const SpoolId id = scene.accept(octets(500, 1));
  Message* original = scene.load(id).value();
  scene.world.disk().fail_from(sim::DiskCall::write, 1, ENOSPC);
  Group group(scene);
  if (group.ask(*original, octets(30'000, 2))) {
    // An outcome that comes meanwhile waits for the group, and goes when its owner has put things right.
    Saved saved;
    scene.spool->save(*original, &saved.commit);
    group.wait();
    CHECK_FALSE(group.result);
    scene.world.disk().heal();
    Group::mark(*original, 0, Status::failed);
    scene.spool->save(*original, nullptr);
    scene.run_until([&] { return saved.done; });
    CHECK(saved.result);
  }
  original->release();
  scene.kill();
  scene.open();
  CHECK_FALSE(scene.found.contains(group.id));
  CHECK(scene.found.contains(id));
}

TEST_CASE("a failed sync fails the group and stops the spool; recovery finds both or neither") {
  Scene scene;
  scene.open();
  const SpoolId id = scene.accept(octets(500, 1));
  Message* original = scene.load(id).value();
  Group group(scene);
  scene.world.disk().fail_from(sim::DiskCall::write, 1, EIO);
  REQUIRE(group.ask(*original, octets(700, 2)));
  Saved saved;
  scene.spool->save(*original, &saved.commit);
  scene.run_until([&] { return group.done && saved.done; });
  CHECK_FALSE(group.result);
  CHECK_FALSE(saved.result);
  CHECK(scene.spool->refusal() == Refusal::stopped);
  original->release();
  scene.world.disk().heal();
  scene.kill();
  scene.open();
  CHECK(scene.found.contains(group.id) == !scene.found.contains(id));
}

TEST_CASE("a spool that is full for new mail still has room for what ends mail") {
  Scene scene;
  scene.options.messages = 128;
  scene.open();
  std::vector<SpoolId> ids;
  while (scene.spool->refusal() == Refusal::none) ids.push_back(scene.accept(octets(100, ids.size())));
  CHECK(scene.spool->refusal() == Refusal::queue_full);
  for (std::size_t i = 0; i < 20; ++i) {
    Message* original = scene.load(ids[i]).value();
    Group group(scene);
    REQUIRE(group.ask(*original, octets(200, 1)));
    group.wait();
    CHECK(group.result);
    original->release();
  }
}

TEST_CASE("a group goes into the log of the message that it is about, also an adopted one") {
  Scene scene;
  scene.world.kill();
  scene.world.boot(2);
  {
    // Core 1 of two accepts a message; afterwards one core has both logs.
    auto other = Spool::open(scene.world.ring(1), scene.options, [](auto...) {}, scene.recovery);
    REQUIRE(other);
    scene.spool = std::move(*other);
  }
  const SpoolId id = scene.accept(octets(500, 1));
  REQUIRE(id.log() == 1);
  scene.run_until([&] { return scene.spool->idle(); });
  scene.world.kill();
  scene.spool.reset();
  scene.world.boot(1);
  scene.open();
  Message* original = scene.load(id).value();
  Group group(scene);
  REQUIRE(group.ask(*original, octets(700, 2)));
  CHECK(group.id.log() == 1);
  group.wait();
  CHECK(group.result);
  original->release();
  scene.crash(sim::survive_none());
  scene.open();
  CHECK(scene.found.contains(group.id));
  CHECK_FALSE(scene.found.contains(id));
}

}  // namespace ringpost::spool::test
