// What is accepted is kept, and found again as it was.
#include <doctest/doctest.h>

#include <cerrno>

#include "spool_scene.h"

using namespace ringpost;
using namespace ringpost::spool;
using namespace ringpost::spool::test;

TEST_CASE("an accepted message survives a power loss with its octets, envelope and state") {
  Scene scene;
  scene.open();
  const std::string content = octets(5000, 1);
  const SpoolId id = scene.accept(content, 3);
  REQUIRE(id.value != 0);
  scene.crash(sim::survive_none());
  scene.open();
  REQUIRE(scene.found.size() == 1);
  const Found& found = scene.found.at(id);
  CHECK(found.from == "from@test.example");
  CHECK(found.recipients == std::vector<std::string>{"to0@example.org", "to1@example.org", "to2@example.org"});
  REQUIRE(found.state.size() == 3);
  CHECK(found.state[0].status == message::Status::open);
  CHECK(scene.content_of(id) == content);
}

TEST_CASE("a message just accepted is warm until its last holder lets go") {
  Scene scene;
  scene.options.segment_size = 1 << 20;
  scene.open();
  const std::string content = octets(40'000, 2);
  Message* message = scene.draft(content);
  REQUIRE(message != nullptr);
  REQUIRE(scene.commit(*message));
  CHECK(scene.spool->warm(message->id));
  CHECK(message->content_in_memory());
  const auto reads = scene.world.disk().calls(sim::DiskCall::read);
  CHECK(scene.content_of(message->id) == content);
  CHECK(scene.world.disk().calls(sim::DiskCall::read) == reads);
  const SpoolId id = message->id;
  message->release();
  CHECK_FALSE(scene.spool->warm(id));
  CHECK(scene.content_of(id) == content);
  CHECK(scene.world.disk().calls(sim::DiskCall::read) > reads);
}

TEST_CASE("many loads of one message behind a full loader: each is answered") {
  Scene scene;
  scene.open();
  std::vector<SpoolId> ids;
  for (std::uint64_t i = 0; i < 17; ++i) ids.push_back(scene.accept(octets(100, i)));
  struct Answers {
    std::size_t good = 0;
    static void take(void* self, Result<Message*> result) {
      REQUIRE(result);
      ++static_cast<Answers*>(self)->good;
      (*result)->release();
    }
  } answers;
  std::list<Load> loads;
  const auto load = [&](SpoolId id) {
    scene.spool->load(id, Spool::Want::content, loads.emplace_back(&answers, &Answers::take));
  };
  for (std::size_t i = 0; i < 16; ++i) load(ids[i]);  // as many as are read at a time
  for (int i = 0; i < 40; ++i) load(ids[16]);
  scene.run_until([&] { return scene.spool->idle(); });
  CHECK(answers.good == loads.size());
}

TEST_CASE("a commit completes only after the write that covers it") {
  Scene scene;
  scene.open();
  Message* message = scene.draft(octets(100, 3));
  const auto durable = scene.world.disk().calls(sim::DiskCall::write);
  REQUIRE(scene.commit(*message));
  CHECK(scene.world.disk().calls(sim::DiskCall::write) > durable);
  message->release();
}

TEST_CASE("the content of every size comes back: empty, one octet, around chunk and block, and the largest gathered") {
  Scene scene;
  scene.options.segment_size = 8 << 20;
  scene.open();
  std::map<SpoolId, std::string> all;
  for (const std::size_t size : {0UL, 1UL, 4095UL, 4096UL, 4097UL, 16383UL, 16384UL, 16385UL, 100'000UL, 262'144UL}) {
    const std::string content = octets(size, size);
    const SpoolId id = scene.accept(content);
    REQUIRE(id.value != 0);
    all[id] = content;
  }
  CHECK(scene.spool->statistics().large_octets_written == 0);
  scene.crash(sim::survive_none());
  scene.open();
  CHECK(scene.found.size() == all.size());
  for (const auto& [id, content] : all) CHECK((scene.content_of(id) == content));
}

TEST_CASE("a settled recipient stays settled, and the last one ends the message") {
  Scene scene;
  scene.open();
  const SpoolId id = scene.accept(octets(300, 4), 2);
  auto message = scene.load(id);
  REQUIRE(message);
  REQUIRE(scene.settle(**message, 1, message::Status::delivered));
  (*message)->release();
  scene.crash(sim::survive_none());
  scene.open();
  REQUIRE(scene.found.contains(id));
  CHECK(scene.found.at(id).state[0].status == message::Status::open);
  CHECK(scene.found.at(id).state[1].status == message::Status::delivered);
  message = scene.load(id);
  REQUIRE(message);
  CHECK((*message)->state.at(1).status == message::Status::delivered);
  REQUIRE(scene.settle(**message, 0, message::Status::delivered));
  (*message)->release();
  CHECK(scene.load(id).error().code == ENOENT);
  CHECK(scene.spool->size() == 0);
  scene.crash(sim::survive_none());
  scene.open();
  CHECK(scene.found.empty());
}

TEST_CASE("the file of a large content goes with its message, whether that is delivered or discarded") {
  Scene scene;
  scene.open();
  const auto files = [&] { return scene.world.ring().files().list(scene.options.directory + "/large").value().size(); };
  const SpoolId delivered = scene.accept(octets(1'000'000, 4), 2);
  const SpoolId discarded = scene.accept(octets(1'000'000, 5));
  CHECK(files() == 2);
  auto message = scene.load(delivered);
  REQUIRE(message);
  REQUIRE(scene.settle(**message, 0, message::Status::delivered));
  scene.run_until([&] { return scene.spool->idle(); });
  CHECK(files() == 2);  // the other recipient needs it
  REQUIRE(scene.settle(**message, 1, message::Status::delivered));
  (*message)->release();
  scene.run_until([&] { return scene.spool->idle(); });
  CHECK(files() == 1);
  CHECK(scene.spool->discard(discarded));
  scene.run_until([&] { return scene.spool->idle(); });
  CHECK(files() == 0);
}

TEST_CASE("large contents that come faster than the free space is looked at do not get into the reserve") {
  Scene scene;
  constexpr std::uint64_t kCapacity = 40'000'000;
  constexpr std::uint64_t kReserve = 20'000'000;
  scene.world.disk().set_capacity(kCapacity);
  scene.options.reserve = kReserve;
  scene.open();
  const auto space = [&] { return scene.world.ring().files().space(scene.options.directory).value().free_octets; };
  const Instant begin = scene.world.now();
  std::uint64_t taken = 0;
  while (taken < 100 && scene.spool->refusal() == Refusal::none) {
    REQUIRE(scene.accept(octets(1'000'000, taken)).value != 0);
    ++taken;
  }
  CHECK(scene.world.now() - begin < 1s);
  CHECK(scene.spool->refusal() == Refusal::disk_full);
  CHECK(taken >= 15);
  CHECK(space() >= kReserve - 2'000'000);
}

TEST_CASE("a large message whose commit meets a full disk while it is still written to its file is refused, no more") {
  Scene scene;
  scene.options.reserve = 1'000'000;
  scene.open();
  Message* large = scene.draft(octets(600'000, 1));
  REQUIRE(large != nullptr);
  std::vector<Message*> others;  // begun while there was room: they take what is left of the log
  for (std::uint64_t i = 0; i < 80; ++i) others.push_back(scene.draft(octets(7000, i)));
  scene.world.disk().set_capacity(scene.world.disk().used() + 500'000);
  scene.run_until([&] { return scene.spool->refusal() == Refusal::disk_full; });
  Result<void> last;
  std::size_t refused = 0;
  for (Message* message : others) {
    last = scene.commit(*message);
    refused += !last;
    message->release();
  }
  REQUIRE(refused > 0);
  CHECK(last.error().code == ENOSPC);
  CHECK(large->content->push(octets(40'000, 2)) != message::BodySink::State::failed);  // a write is under way
  const Result<void> committed = scene.commit(*large);
  REQUIRE_FALSE(committed);
  CHECK(committed.error().code == ENOSPC);
  large->release();
  scene.run_until([&] { return scene.spool->idle(); });
  CHECK(scene.spool->size() == others.size() - refused);
  CHECK(scene.world.ring().files().list(scene.options.directory + "/large").value().empty());
  CHECK(scene.spool->statistics().chunks_free == scene.options.body_chunks);
  scene.world.disk().set_capacity(std::uint64_t{1} << 40);
  scene.run_until([&] { return scene.spool->refusal() == Refusal::none; });
  CHECK(scene.accept(octets(600'000, 3)).value != 0);
}

TEST_CASE("a message with a failed recipient stays for the operator, who may discard it") {
  Scene scene;
  scene.open();
  const SpoolId id = scene.accept(octets(300, 4));
  auto message = scene.load(id);
  REQUIRE(message);
  REQUIRE(scene.settle(**message, 0, message::Status::failed));
  (*message)->release();
  scene.crash(sim::survive_none());
  scene.open();
  REQUIRE(scene.found.contains(id));
  CHECK(scene.spool->discard(id));
  CHECK_FALSE(scene.spool->discard(id));
  CHECK(scene.load(id).error().code == ENOENT);
  scene.run_until([&] { return scene.spool->idle(); });
  CHECK(scene.spool->size() == 0);
  scene.crash(sim::survive_none());
  scene.open();
  CHECK(scene.found.empty());
}

TEST_CASE("an abandoned draft leaves nothing, and its id does not come again") {
  Scene scene;
  scene.open();
  Message* draft = scene.draft(octets(1000, 5));
  const SpoolId given = draft->id;
  draft->release();
  const SpoolId id = scene.accept(octets(10, 6));
  CHECK(id > given);
  scene.kill();
  scene.open();
  CHECK(scene.found.size() == 1);
  CHECK(scene.accept(octets(10, 7)) > id);
}

TEST_CASE("recovery gives the messages in the order of their acceptance") {
  Scene scene;
  scene.open();
  std::vector<SpoolId> ids;
  for (std::uint64_t i = 0; i < 60; ++i) ids.push_back(scene.accept(octets(3000, i)));
  scene.kill();
  scene.open();
  CHECK(scene.order == ids);
  CHECK(scene.recovery.messages == 60);
  CHECK(scene.recovery.damaged_batches == 0);
}

TEST_CASE("a second process is refused") {
  Scene scene;
  const auto first = lock(scene.world.disk().files(), "/spool");
  REQUIRE(first);
  CHECK(lock(scene.world.disk().files(), "/spool").error().code == EWOULDBLOCK);
}
