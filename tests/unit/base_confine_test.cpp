// What the process takes from itself at start: in a child, because it cannot be given back.
#include <doctest/doctest.h>
#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <functional>
#include <thread>

#include "ringpost/base/confine.h"
#include "ringpost/base/fd.h"

namespace ringpost {
namespace {

namespace fs = std::filesystem;

// A place to write, one to read, and one that is nobody's business, below one directory.
struct Place {
  fs::path top;
  Confines confines;

  Place() {
    std::string made = (fs::temp_directory_path() / "ringpost-confine-XXXXXX").string();
    REQUIRE(::mkdtemp(made.data()) != nullptr);
    top = made;
    for (const char* name : {"spool", "etc", "other"}) fs::create_directory(top / name);
    for (const char* name : {"etc/f.toml", "other/secret", "spool/old"}) std::ofstream(top / name) << "x";
    confines.let_write(top / "spool");
    confines.let_read(top / "etc");
  }
  Place(const Place&) = delete;
  Place& operator=(const Place&) = delete;
  ~Place() { fs::remove_all(top); }
};

int open_error(const fs::path& path, int flags) {
  const Fd fd(::open(path.c_str(), flags | O_CLOEXEC, 0600));
  return fd.valid() ? 0 : errno;
}

// What `look` finds in a process that has confined itself; its answer is below 256.
int in_confines(const Place& place, const std::function<int()>& look) {
  const pid_t child = ::fork();
  if (child == 0) ::_exit(confine(place.confines) ? look() : 255);
  int status = 0;
  REQUIRE(::waitpid(child, &status, 0) == child);
  REQUIRE(WIFEXITED(status));
  return WEXITSTATUS(status);
}

}  // namespace

TEST_CASE("a confined process writes to its own directories, reads its configuration, and nothing else") {
  if (landlock_version() == 0) return;  // nothing to see in this kernel
  const Place place;
  const auto error_of = [&](const char* name, int flags) {
    return in_confines(place, [&] { return open_error(place.top / name, flags); });
  };
  CHECK(error_of("spool/new", O_RDWR | O_CREAT) == 0);
  CHECK(error_of("spool/old", O_WRONLY | O_TRUNC) == 0);
  CHECK(error_of("spool/events", O_WRONLY | O_CREAT | O_APPEND) == 0);
  CHECK(error_of("etc/f.toml", O_RDONLY) == 0);
  CHECK(error_of("etc/f.toml", O_RDWR) == EACCES);
  CHECK(error_of("etc/new", O_WRONLY | O_CREAT) == EACCES);
  CHECK(error_of("other/secret", O_RDONLY) == EACCES);
  CHECK(error_of("other/new", O_WRONLY | O_CREAT) == EACCES);
  CHECK(in_confines(place, [] {
          ::execl("/bin/true", "true", nullptr);
          return errno;
        }) == EACCES);
}

TEST_CASE("threads that are made afterwards are confined as well") {
  if (landlock_version() == 0) return;
  const Place place;
  CHECK(in_confines(place, [&] {
          int error = 0;
          std::thread([&] { error = open_error(place.top / "other/secret", O_RDONLY); }).join();
          return error;
        }) == EACCES);
}

TEST_CASE("what lies outside the confines is known before it is tried") {
  const Place place;
  CHECK(place.confines.may_write(place.top / "spool/another"));
  CHECK(!place.confines.may_write(place.top / "other/events"));
  CHECK(!place.confines.may_write(place.top / "etc/events"));
  CHECK(!place.confines.may_write(place.top / "spool-of-another/events"));
  CHECK(!place.confines.may_write(place.top / "missing/events"));
}

TEST_CASE("a file that is a link is read where it leads") {
  const Place place;
  fs::create_symlink(place.top / "other/secret", place.top / "etc/link");
  Confines confines;
  confines.let_read_beside(place.top / "etc/link");
  const std::vector<std::string> wanted = {fs::canonical(place.top / "etc"), fs::canonical(place.top / "other")};
  CHECK(confines.read() == wanted);
  confines.let_read(place.top / "etc");
  confines.let_read(place.top / "missing");
  CHECK(confines.read() == wanted);
}

}  // namespace ringpost
