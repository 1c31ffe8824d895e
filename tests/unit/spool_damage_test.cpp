// Octets that change on the medium: found out, told, never delivered; all else is kept.
#include <doctest/doctest.h>

#include "ringpost/base/crc32c.h"
#include "spool_scene.h"

using namespace ringpost;
using namespace ringpost::spool;
using namespace ringpost::spool::test;

namespace {

constexpr std::size_t kMessages = 30;

// Two segments' worth of messages, each in a batch of its own, then killed.
struct Full {
  explicit Full(std::uint64_t seed = 1) : scene(seed) {
    scene.options.segment_size = 64 * 1024;
    scene.open();
    for (std::size_t i = 0; i < kMessages; ++i) {
      const std::string content = octets(2500, i);
      const SpoolId id = scene.accept(content);
      REQUIRE(id.value != 0);
      ids.push_back(id);
      contents[id] = content;
    }
    scene.kill();
  }
  void flip(const std::string& path, std::uint64_t offset) {
    const std::string before = scene.world.disk().contents(path);
    const char changed = static_cast<char>(before[offset] ^ (1 << (offset % 8)));
    scene.world.disk().damage(path, offset, {&changed, 1});
  }
  void zero(const std::string& path, std::uint64_t offset, std::size_t size) {
    scene.world.disk().damage(path, offset, std::string(size, '\0'));
  }
  // Opens, reads everything that is offered, and counts what is missing. A wrong octet is a failure.
  std::size_t missing() {
    scene.open();
    std::size_t lost = 0;
    for (const auto& [id, content] : contents) {
      if (!scene.found.contains(id)) {
        ++lost;
        continue;
      }
      const auto read = scene.content_of(id);
      if (read)
        CHECK((*read == content));
      else
        ++lost;
    }
    CHECK(scene.found.size() <= contents.size());
    return lost;
  }

  Scene scene;
  std::vector<SpoolId> ids;
  std::map<SpoolId, std::string> contents;
};

const std::string kFirst = "/spool/log-00/segment-00000001";

}  // namespace

TEST_CASE("a flipped bit anywhere in a segment costs at most the message it is in, and is told") {
  const std::size_t size = Full{}.scene.world.disk().contents(kFirst).size();
  for (std::uint64_t offset = 0; offset < size; offset += 211) {
    CAPTURE(offset);
    Full full;
    full.flip(kFirst, offset);
    const std::size_t lost = full.missing();
    CHECK(lost <= 1);
    const Recovery& recovery = full.scene.recovery;
    if (lost > 0) CHECK(recovery.damaged_batches == 1);
    if (lost == 0) CHECK(recovery.damaged_messages == 0);
    // The damaged segment stays for people; the spool works on, now and after another start.
    CHECK(full.scene.accept(octets(100, 1)).value != 0);
    full.scene.kill();
    full.scene.open();
    CHECK(full.scene.found.size() + lost == kMessages + 1);
  }
}

TEST_CASE("a zeroed block costs at most the message in it") {
  for (std::uint64_t block = 0; block < 16; ++block) {
    CAPTURE(block);
    Full full;
    full.zero(kFirst, block * kBlock, kBlock);
    CHECK(full.missing() <= 1);
    CHECK((block < 2 || full.scene.recovery.damaged_batches == 1));
  }
}

TEST_CASE("both copies of a header lost: the batches tell what it said, and the segment is kept") {
  Full full;
  full.zero(kFirst, 0, 2 * kBlock);
  CHECK(full.missing() == 0);
  CHECK(full.scene.recovery.damaged_batches == 1);
  CHECK(full.scene.world.disk().exists(kFirst));
}

TEST_CASE("a misdirected block is not taken for what should be there") {
  Full full;
  const std::string image = full.scene.world.disk().contents(kFirst);
  full.scene.world.disk().damage(kFirst, 4 * kBlock, View{image}.substr(2 * kBlock, kBlock));
  CHECK(full.missing() == 1);
  CHECK(full.scene.recovery.damaged_batches == 1);
}

TEST_CASE("the last batch of a full segment is damaged: told, though nothing valid follows in that segment") {
  Full full;
  const std::string image = full.scene.world.disk().contents(kFirst);
  std::uint64_t last = image.find_last_not_of('\0') / kBlock * kBlock;
  full.zero(kFirst, last, kBlock);
  CHECK(full.missing() == 1);
  CHECK(full.scene.recovery.damaged_batches == 1);
  CHECK(full.scene.recovery.torn_tails == 0);
}

TEST_CASE("a message whose content fails its checksum is known, refused, and can be discarded") {
  Full full;
  const std::string image = full.scene.world.disk().contents(kFirst);
  const std::size_t at = image.find(full.contents.at(full.ids[3]).substr(100, 64));
  REQUIRE(at != std::string::npos);
  full.flip(kFirst, at);
  full.scene.open();
  CHECK(full.scene.recovery.damaged_messages == 1);
  CHECK_FALSE(full.scene.load(full.ids[3]).has_value());
  CHECK(full.scene.load(full.ids[3]).error().code == EBADMSG);
  bool listed = false;
  full.scene.spool->scan(0, 1000, [&](const Listed& one) { listed |= one.id == full.ids[3] && one.damaged; });
  CHECK(listed);
  CHECK(full.scene.spool->discard(full.ids[3]));
  full.scene.run_until([&] { return full.scene.spool->idle(); });
  CHECK(full.scene.load(full.ids[3]).error().code == ENOENT);
  full.scene.kill();
  full.scene.open();
  CHECK(full.scene.recovery.damaged_messages == 0);
}

TEST_CASE("damage under a running spool: the load says so, the others load") {
  Full full;
  full.scene.open();
  const std::string image = full.scene.world.disk().contents(kFirst);
  const std::size_t at = image.find(full.contents.at(full.ids[3]).substr(100, 64));
  full.flip(kFirst, at);
  CHECK(full.scene.load(full.ids[3]).error().code == EBADMSG);
  CHECK(full.scene.spool->statistics().damaged_messages == 1);
  CHECK(full.scene.load(full.ids[3]).error().code == EBADMSG);
  CHECK(full.scene.spool->statistics().damaged_messages == 1);
  CHECK((full.scene.content_of(full.ids[4]) == full.contents.at(full.ids[4])));
}

TEST_CASE("a state record that is damaged quarantines its message: an older state would deliver twice") {
  Full full;
  full.scene.open();
  auto message = full.scene.load(full.ids[0]);
  REQUIRE(message);
  message::RecipientState state = (*message)->state.at(0);
  state.text = "an unmistakable reply";
  (*message)->state.set(0, state);
  REQUIRE(full.scene.settle(**message, 0, message::Status::failed));
  (*message)->release();
  REQUIRE(full.scene.accept(octets(10, 1)).value != 0);
  full.scene.kill();
  for (std::uint64_t number = 1; number < 9; ++number) {
    const std::string path = "/spool/log-00/segment-0000000" + std::to_string(number);
    if (!full.scene.world.disk().exists(path)) continue;
    const std::size_t at = full.scene.world.disk().contents(path).find("unmistakable");
    if (at != std::string::npos) full.flip(path, at);
  }
  full.scene.open();
  CHECK_FALSE(full.scene.found.contains(full.ids[0]));
  CHECK(full.scene.recovery.damaged_messages == 1);
  CHECK(full.scene.load(full.ids[0]).error().code == EBADMSG);
}

TEST_CASE("a segment of another format version is refused in words, not read") {
  Full full;
  std::string image = full.scene.world.disk().contents(kFirst).substr(0, 2 * kBlock);
  for (const std::size_t copy : {std::size_t{0}, kBlock}) {
    image[copy + 8] = 3;
    const std::uint32_t crc = crc32c(View{image}.substr(copy, 96));
    image.replace(copy + 96, 4, reinterpret_cast<const char*>(&crc), 4);
  }
  full.scene.world.disk().damage(kFirst, 0, image);
  const auto opened = full.scene.try_open();
  REQUIRE_FALSE(opened);
  CHECK(opened.error().text.find("another version") != std::string::npos);
}

TEST_CASE("a spool of the format before this one opens with all that it holds") {
  Full full;
  std::string image = full.scene.world.disk().contents(kFirst).substr(0, 2 * kBlock);
  for (const std::size_t copy : {std::size_t{0}, kBlock}) {
    image[copy + 8] = 1;
    const std::uint32_t crc = crc32c(View{image}.substr(copy, 96));
    image.replace(copy + 96, 4, reinterpret_cast<const char*>(&crc), 4);
  }
  full.scene.world.disk().damage(kFirst, 0, image);
  CHECK(full.missing() == 0);
}

TEST_CASE("what the device cannot read at the tail is not cut: the spool does not open") {
  Full full;
  full.scene.world.disk().fail_from(sim::DiskCall::read, 1, EIO);
  CHECK_FALSE(full.scene.try_open());
  full.scene.world.disk().heal();
  full.scene.kill();
  CHECK(full.missing() == 0);
}
