// Files, both ways: through the loop, and directly; and the probe.
#include <doctest/doctest.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdlib>
#include <filesystem>
#include <memory>

#include "ring_loop.h"

namespace ringpost::ring {

using test::Recorded;
using test::Runner;

namespace {

// A directory of the test's own on a real file system (the working directory is in the build tree).
struct Directory {
  std::string path;
  Directory() {
    std::string name = std::filesystem::current_path().string() + "/ring_file_test_XXXXXX";
    REQUIRE(::mkdtemp(name.data()) != nullptr);
    path = name;
  }
  ~Directory() {
    std::error_code ignored;
    std::filesystem::remove_all(path, ignored);
  }
};

int await(Ring& ring, Recorded& one) {
  Runner runner(ring);
  REQUIRE(runner.run_until([&] { return one.finals > 0; }));
  return std::exchange(one.finals, 0) == 1 ? one.last : INT_MIN;
}

struct Aligned {
  explicit Aligned(std::size_t size) : octets(static_cast<char*>(std::aligned_alloc(4096, size)), size) {}
  Aligned(const Aligned&) = delete;
  Aligned& operator=(const Aligned&) = delete;
  ~Aligned() { std::free(octets.data()); }
  Room octets;
};

}  // namespace

TEST_CASE("what is written durably past the page cache is read back, and the directory is synced") {
  Fleet fleet(1, 0);
  const auto ring = test::ring_of(fleet);
  const Directory directory;
  const std::string path = directory.path + "/segment";
  Recorded one;

  ring->open(one.operation, path.c_str(), Files::Open::create);
  const int created = await(*ring, one);
  REQUIRE(created >= 0);
  ring->allocate(one.operation, File{created}, 1 << 20);
  CHECK(await(*ring, one) == 0);
  CHECK(*ring->files().size(File{created}) == 1 << 20);
  ring->close(File{created});

  ring->open(one.operation, path.c_str(), Files::Open::write_direct);
  int direct = await(*ring, one);
  if (direct == -EINVAL) {  // no O_DIRECT here
    ring->open(one.operation, path.c_str(), Files::Open::write);
    direct = await(*ring, one);
  }
  REQUIRE(direct >= 0);
  const Aligned out(8192);
  std::ranges::fill(out.octets, 'w');
  ring->write(one.operation, File{direct}, View(out.octets.data(), 8192), 4096, true);
  CHECK(await(*ring, one) == 8192);
  ring->sync(one.operation, File{direct});
  CHECK(await(*ring, one) == 0);
  ring->close(File{direct});

  ring->open(one.operation, path.c_str(), Files::Open::read_direct);
  const int reading = await(*ring, one);
  REQUIRE(reading >= 0);
  const Aligned in(16384);
  ring->read(one.operation, File{reading}, in.octets, 0);
  CHECK(await(*ring, one) == 16384);
  CHECK(View(in.octets.data(), 4096) == std::string(4096, '\0'));
  CHECK(View(in.octets.data() + 4096, 8192) == std::string(8192, 'w'));
  ring->read(one.operation, File{reading}, in.octets, 1 << 20);
  CHECK(await(*ring, one) == 0);  // the end of the file
  ring->close(File{reading});

  ring->open(one.operation, directory.path.c_str(), Files::Open::directory);
  const int folder = await(*ring, one);
  REQUIRE(folder >= 0);
  ring->sync(one.operation, File{folder});
  CHECK(await(*ring, one) == 0);
  ring->close(File{folder});

  ring->remove(one.operation, path.c_str());
  CHECK(await(*ring, one) == 0);
  ring->open(one.operation, path.c_str(), Files::Open::read);
  CHECK(await(*ring, one) == -ENOENT);
  ring->remove(one.operation, path.c_str());
  CHECK(await(*ring, one) == -ENOENT);
}

TEST_CASE("files without the loop: every mode, and errors that name the path") {
  Files& files = kernel_files();
  const Directory directory;
  const std::string deep = directory.path + "/a/b/c";
  REQUIRE(files.make_directory(deep).has_value());
  REQUIRE(files.make_directory(deep).has_value());  // one that exists is fine
  struct stat facts{};
  REQUIRE(::stat(deep.c_str(), &facts) == 0);
  CHECK((facts.st_mode & 0027) == 0);

  const std::string path = deep + "/file";
  const auto missing = files.open(path, Files::Open::read);
  REQUIRE_FALSE(missing.has_value());
  CHECK(missing.error().code == ENOENT);
  CHECK(missing.error().text.find(path) != std::string::npos);

  const auto file = files.open(path, Files::Open::create);
  REQUIRE(file.has_value());
  CHECK(files.open(path, Files::Open::create).error().code == EEXIST);
  REQUIRE(files.write(*file, "hello, file", 5).has_value());
  REQUIRE(files.sync(*file).has_value());
  CHECK(*files.size(*file) == 16);
  std::array<char, 64> room{};
  const auto read = files.read(*file, room, 5);
  REQUIRE(read.has_value());
  CHECK(View(room.data(), *read) == "hello, file");
  CHECK(*files.read(*file, room, 100) == 0);
  REQUIRE(files.allocate(*file, 65536).has_value());
  CHECK(*files.size(*file) == 65536);
  files.close(*file);

  const auto reader = files.open(path, Files::Open::read);
  REQUIRE(reader.has_value());
  const auto refused = files.write(*reader, "x", 0);
  REQUIRE_FALSE(refused.has_value());
  CHECK(refused.error().code == EBADF);
  CHECK(refused.error().text.find(path) != std::string::npos);
  files.close(*reader);

  const auto appender = files.open(deep + "/log", Files::Open::append);
  REQUIRE(appender.has_value());
  REQUIRE(files.write(*appender, "one", 0).has_value());
  REQUIRE(files.write(*appender, "two", 0).has_value());
  CHECK(*files.size(*appender) == 6);
  files.close(*appender);

  REQUIRE(files.rename(path, deep + "/other").has_value());
  auto names = files.list(deep);
  REQUIRE(names.has_value());
  std::ranges::sort(*names);
  CHECK(*names == std::vector<std::string>{"log", "other"});
  const auto folder = files.open(deep, Files::Open::directory);
  REQUIRE(folder.has_value());
  CHECK(files.sync(*folder).has_value());
  files.close(*folder);
  CHECK(files.remove(deep + "/other").has_value());
  CHECK(files.remove(deep + "/other").error().code == ENOENT);
  CHECK(files.list(deep + "/none").error().code == ENOENT);
  CHECK(files.make_directory(deep + "/log/x").error().code == ENOTDIR);
  const auto space = files.space(deep);
  REQUIRE(space.has_value());
  CHECK(space->free_octets > 0);
  CHECK(space->free_inodes > 0);
}

TEST_CASE("a lock is held by one process at a time and ends with it") {
  Files& files = kernel_files();
  const Directory directory;
  const std::string path = directory.path + "/lock";
  const auto first = files.lock(path);
  REQUIRE(first.has_value());
  CHECK(files.lock(path).error().code == EWOULDBLOCK);
  files.close(*first);
  const auto second = files.lock(path);
  REQUIRE(second.has_value());
  files.close(*second);
}

TEST_CASE("a kernel that can run these tests lacks nothing") {
  CHECK(missing_in_kernel() == std::vector<std::string>{});
}

TEST_CASE("without descriptors the probe says so in words") {
  const pid_t child = ::fork();
  REQUIRE(child >= 0);
  if (child == 0) {
    ::alarm(30);
    std::vector<int> hogs;
    for (int fd = ::dup(0); fd >= 0; fd = ::dup(0)) hogs.push_back(fd);
    const auto missing = missing_in_kernel();
    ::_exit(missing.size() == 1 && missing[0].find("ulimit -n") != std::string::npos ? 0 : 1);
  }
  int status = -1;
  REQUIRE(::waitpid(child, &status, 0) == child);
  CHECK(WIFEXITED(status));
  CHECK(WEXITSTATUS(status) == 0);
}

}  // namespace ringpost::ring
