// What the simulated disk promises: tests of the spool stand on these rules.
#include <doctest/doctest.h>

#include <cerrno>
#include <set>
#include <string>

#include "../sim/disk.h"

namespace ringpost {
using sim::Disk;
using sim::DiskCall;
using Open = ring::Files::Open;

namespace {

struct Fixture {
  Disk disk{7};
  ring::Files& files = disk.files();
  Fixture() { disk.prepare_directory("/spool"); }

  ring::File make(const std::string& path) {
    const auto file = files.open(path, Open::create);
    REQUIRE(file);
    return *file;
  }
  void sync_directory() {
    const auto directory = files.open("/spool", Open::directory);
    REQUIRE(directory);
    REQUIRE(files.sync(*directory));
    files.close(*directory);
  }
  ring::File make_durable(const std::string& path, View octets) {
    const ring::File file = make(path);
    REQUIRE(files.write(file, octets, 0));
    REQUIRE(files.sync(file));
    sync_directory();
    return file;
  }
};

std::string sectors(std::size_t count, char letter) { return std::string(count * Disk::kSector, letter); }

}  // namespace

TEST_CASE_FIXTURE(Fixture, "what was written is read by every handle at once, and is gone with the power") {
  const ring::File file = make_durable("/spool/a", sectors(2, 'a'));
  REQUIRE(files.write(file, sectors(2, 'b'), 0));
  CHECK(disk.contents("/spool/a") == sectors(2, 'b'));
  disk.lose_power(sim::survive_none());
  CHECK(disk.contents("/spool/a") == sectors(2, 'a'));
}

TEST_CASE_FIXTURE(Fixture, "each unsynced sector survives or not by itself") {
  const ring::File file = make_durable("/spool/a", sectors(3, 'a'));
  REQUIRE(files.write(file, sectors(3, 'b'), 0));
  CHECK(disk.unsynced() == 3);
  disk.lose_power(sim::survive_by_bits(0b101));
  CHECK(disk.contents("/spool/a") == sectors(1, 'b') + sectors(1, 'a') + sectors(1, 'b'));
}

TEST_CASE_FIXTURE(Fixture,
                  "a sector written twice can come back in any of its versions, but never an older one after a sync") {
  std::set<char> seen;
  for (std::uint64_t bits = 0; bits < 4; ++bits) {
    Fixture other;
    const ring::File file = other.make_durable("/spool/a", sectors(1, 'a'));
    REQUIRE(other.files.write(file, sectors(1, 'b'), 0));
    REQUIRE(other.files.write(file, sectors(1, 'c'), 0));
    other.disk.lose_power(sim::survive_by_bits(bits));
    seen.insert(other.disk.contents("/spool/a")[0]);
  }
  CHECK(seen == std::set<char>{'a', 'b', 'c'});

  const ring::File file = make_durable("/spool/a", sectors(1, 'a'));
  REQUIRE(files.write(file, sectors(1, 'b'), 0));
  REQUIRE(files.write(file, sectors(1, 'c'), 0));
  REQUIRE(files.sync(file));
  disk.lose_power(sim::survive_all());
  CHECK(disk.contents("/spool/a") == sectors(1, 'c'));
}

TEST_CASE_FIXTURE(Fixture,
                  "a durable write does not make its neighbours durable, and outlives an older write in flight") {
  const ring::File file = make_durable("/spool/a", sectors(4, 'a'));
  sim::DiskWork older = disk.begin_write(file, sectors(2, 'b'), 0, false);
  sim::DiskWork durable = disk.begin_write(file, sectors(2, 'c'), Disk::kSector, true);
  disk.finish(durable);
  disk.finish(older);
  CHECK(disk.unsynced() == 1);
  disk.lose_power(sim::survive_all());
  CHECK(disk.contents("/spool/a") == sectors(1, 'b') + sectors(2, 'c') + sectors(1, 'a'));
}

TEST_CASE_FIXTURE(Fixture, "a durable write is not durable before it completes") {
  const ring::File file = make_durable("/spool/a", sectors(1, 'a'));
  sim::DiskWork write = disk.begin_write(file, sectors(1, 'b'), 0, true);
  disk.lose_power(sim::survive_none());
  disk.finish(write);
  CHECK(disk.contents("/spool/a") == sectors(1, 'a'));
}

TEST_CASE_FIXTURE(Fixture, "a sync covers writes that completed before it began, no others") {
  const ring::File file = make_durable("/spool/a", sectors(3, 'a'));
  sim::DiskWork done = disk.begin_write(file, sectors(1, 'b'), 0, false);
  disk.finish(done);
  sim::DiskWork flying = disk.begin_write(file, sectors(1, 'b'), Disk::kSector, false);
  sim::DiskWork sync = disk.begin_sync(file);
  sim::DiskWork late = disk.begin_write(file, sectors(1, 'b'), 2 * Disk::kSector, false);
  disk.finish(flying);
  disk.finish(late);
  disk.finish(sync);
  disk.lose_power(sim::survive_none());
  CHECK(disk.contents("/spool/a") == sectors(1, 'b') + sectors(2, 'a'));
}

TEST_CASE_FIXTURE(Fixture, "a file that grew keeps its old size unless the new one was synced or survives") {
  ring::File file = make_durable("/spool/a", "abc");
  REQUIRE(files.write(file, "def", 3));
  disk.lose_power(sim::survive_none());
  CHECK(disk.contents("/spool/a") == "abc");

  file = *files.open("/spool/a", Open::write);
  REQUIRE(files.write(file, "def", 3));
  disk.lose_power(sim::survive_by_bits(0b10));  // the size without the octets
  CHECK(disk.contents("/spool/a") == std::string("abc\0\0\0", 6));

  file = *files.open("/spool/a", Open::write);
  REQUIRE(files.write(file, "DEF", 3));
  REQUIRE(files.sync(file));
  disk.lose_power(sim::survive_none());
  CHECK(disk.contents("/spool/a") == "abcDEF");
}

TEST_CASE_FIXTURE(Fixture, "a new name needs a sync of its directory, whatever was synced of the file") {
  const ring::File file = make("/spool/a");
  REQUIRE(files.write(file, "abc", 0));
  REQUIRE(files.sync(file));
  disk.lose_power(sim::survive_none());
  CHECK_FALSE(disk.exists("/spool/a"));
}

TEST_CASE_FIXTURE(Fixture, "a removed name comes back unless its directory was synced") {
  make_durable("/spool/a", "abc");
  REQUIRE(files.remove("/spool/a"));
  CHECK_FALSE(disk.exists("/spool/a"));
  disk.lose_power(sim::survive_none());
  CHECK(disk.contents("/spool/a") == "abc");
  REQUIRE(files.remove("/spool/a"));
  sync_directory();
  disk.lose_power(sim::survive_none());
  CHECK_FALSE(disk.exists("/spool/a"));
}

TEST_CASE_FIXTURE(Fixture, "a rename happens whole or not at all") {
  for (const std::uint64_t bits : {0U, 1U}) {
    Fixture other;
    other.make_durable("/spool/a", "new");
    other.make_durable("/spool/b", "old");
    REQUIRE(other.files.rename("/spool/a", "/spool/b"));
    other.disk.lose_power(sim::survive_by_bits(bits));
    CHECK(other.disk.exists("/spool/a") == (bits == 0));
    CHECK(other.disk.contents("/spool/b") == (bits == 0 ? "old" : "new"));
  }
}

TEST_CASE_FIXTURE(Fixture, "a failed sync loses what it covered, and the next one does not bring it back") {
  const ring::File file = make_durable("/spool/a", sectors(64, 'a'));
  REQUIRE(files.write(file, sectors(64, 'b'), 0));
  disk.fail(DiskCall::sync, 1, EIO);
  const auto failed = files.sync(file);
  REQUIRE_FALSE(failed);
  CHECK(failed.error().code == EIO);
  REQUIRE(files.sync(file));
  CHECK(disk.contents("/spool/a") == sectors(64, 'b'));  // readers still see it
  disk.lose_power(sim::survive_all());
  CHECK(disk.contents("/spool/a").contains('a'));
}

TEST_CASE_FIXTURE(Fixture, "the process may die without the power: nothing written is lost, handles and locks are") {
  const auto lock = files.lock("/spool/lock");
  REQUIRE(lock);
  CHECK(files.lock("/spool/lock").error().code == EWOULDBLOCK);
  const ring::File file = make("/spool/a");
  REQUIRE(files.write(file, "abc", 0));
  disk.kill_process();
  CHECK(disk.contents("/spool/a") == "abc");
  CHECK(files.write(file, "x", 0).error().code == EBADF);
  files.close(file);  // an owner that is being destroyed may still say so
  CHECK(files.lock("/spool/lock"));
}

TEST_CASE_FIXTURE(Fixture, "the nth call of a kind fails, once, some times or for ever") {
  const ring::File file = make("/spool/a");
  disk.fail(DiskCall::write, 2, ENOSPC);
  CHECK(files.write(file, "1", 0));
  CHECK(files.write(file, "2", 1).error().code == ENOSPC);
  CHECK(files.write(file, "2", 1));
  CHECK(disk.contents("/spool/a") == "12");
  disk.fail_from(DiskCall::any, 2, EIO);
  CHECK(files.sync(file));
  CHECK_FALSE(files.sync(file));
  CHECK_FALSE(files.list("/spool"));
  disk.heal();
  CHECK(files.list("/spool"));
}

TEST_CASE_FIXTURE(Fixture,
                  "the power goes in the middle of the nth write: every later call fails, any part may survive") {
  const ring::File file = make_durable("/spool/a", sectors(2, 'a'));
  disk.cut_at(DiskCall::write, 2);
  CHECK(files.write(file, sectors(2, 'b'), 0));
  CHECK_FALSE(disk.cut());
  CHECK_FALSE(files.write(file, sectors(2, 'c'), 0));
  CHECK(disk.cut());
  CHECK_FALSE(files.sync(file));
  CHECK_FALSE(files.list("/spool"));
  disk.lose_power(sim::survive_by_bits(0b0110));  // of b: the second sector; of c: the first
  CHECK_FALSE(disk.cut());
  CHECK(disk.contents("/spool/a") == sectors(1, 'c') + sectors(1, 'b'));
  CHECK(files.list("/spool")->size() == 1);
}

TEST_CASE_FIXTURE(Fixture, "a full disk takes what fits, and takes more when something was removed") {
  disk.set_capacity(8192);
  const ring::File file = make("/spool/a");
  CHECK(files.allocate(file, 4096));
  CHECK(files.space("/spool")->free_octets == 4096);
  const ring::File other = make("/spool/b");
  const sim::DiskWork write = disk.begin_write(other, sectors(16, 'b'), 0, false);
  CHECK(write.result == 4096);
  CHECK(files.write(other, "x", 4096).error().code == ENOSPC);
  CHECK(files.allocate(file, 4097).error().code == ENOSPC);
  files.close(file);
  REQUIRE(files.remove("/spool/a"));
  sync_directory();
  CHECK(files.write(other, "x", 4096));
}

TEST_CASE_FIXTURE(Fixture, "direct I/O that is not on sectors is refused, as the kernel does") {
  alignas(Disk::kSector) std::array<char, 2 * Disk::kSector> memory{};
  const View whole(memory.data(), memory.size());
  files.close(make("/spool/a"));
  const auto file = files.open("/spool/a", Open::write_direct);
  REQUIRE(file);
  CHECK(files.write(*file, whole, 0));
  CHECK(files.write(*file, whole, 100).error().code == EINVAL);
  CHECK(files.write(*file, whole.substr(0, 100), 0).error().code == EINVAL);
  CHECK(files.write(*file, whole.substr(8, Disk::kSector), 0).error().code == EINVAL);
  disk.refuse_direct(true);
  CHECK(files.open("/spool/a", Open::write_direct).error().code == EINVAL);
  CHECK(files.open("/spool/a", Open::read_direct));
}

TEST_CASE_FIXTURE(Fixture, "names: what must exist, must not exist, or is of the wrong kind") {
  CHECK(files.open("/spool/a", Open::read).error().code == ENOENT);
  CHECK(files.open("/none/a", Open::create).error().code == ENOENT);
  files.close(make("/spool/a"));
  CHECK(files.open("/spool/a", Open::create).error().code == EEXIST);
  CHECK(files.open("/spool/a", Open::directory).error().code == ENOTDIR);
  CHECK(files.open("/spool", Open::read).error().code == EISDIR);
  CHECK(files.remove("/spool/b").error().code == ENOENT);
  CHECK(files.make_directory("/spool/deep/er"));
  CHECK(files.make_directory("/spool/deep/er"));
  CHECK(files.list("/spool/deep") == std::vector<std::string>{"er"});
}

TEST_CASE_FIXTURE(Fixture, "appended writes go to the end wherever they say") {
  const auto file = files.open("/spool/log", Open::append);
  REQUIRE(file);
  CHECK(files.write(*file, "one ", 0));
  CHECK(files.write(*file, "two", 0));
  CHECK(disk.contents("/spool/log") == "one two");
}

TEST_CASE_FIXTURE(Fixture, "damage changes the medium for good") {
  make_durable("/spool/a", "abcdef");
  disk.damage("/spool/a", 2, "X");
  disk.lose_power(sim::survive_none());
  CHECK(disk.contents("/spool/a") == "abXdef");
}

TEST_CASE("faults that nobody planned come from the seed alone") {
  const auto story = [](std::uint64_t seed) {
    Disk disk(seed);
    disk.faults().write_error = disk.faults().no_space = disk.faults().sync_error = 200'000;
    const auto file = disk.files().open("/a", Open::create);
    std::string said;
    for (int i = 0; i < 50; ++i) {
      said += disk.files().write(*file, sectors(4, 'x'), 0) ? 'w' : '-';
      said += disk.files().sync(*file) ? 's' : '-';
    }
    return said;
  };
  CHECK(story(1) == story(1));
  CHECK(story(1) != story(2));
  CHECK(story(1).contains('-'));
}

}  // namespace ringpost
