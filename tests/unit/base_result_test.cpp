// Errors, descriptors, and the end that a bug makes.
#include "ringpost/base/result.h"

#include <doctest/doctest.h>
#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <string>

#include "ringpost/base/check.h"
#include "ringpost/base/fd.h"
#include "ringpost/base/time.h"

TEST_CASE("an error says what failed, and the system's words where it has a number") {
  const ringpost::Result<int> plain = ringpost::fail("route: no host");
  REQUIRE_FALSE(plain.has_value());
  CHECK(plain.error().message() == "route: no host");
  const ringpost::Result<int> system = ringpost::fail(ENOENT, "open /x");
  CHECK(system.error().code == ENOENT);
  CHECK(system.error().message() == "open /x: No such file or directory");
}

TEST_CASE("a descriptor is closed once, by its last owner") {
  int pair[2];
  REQUIRE(pipe(pair) == 0);
  const ringpost::Fd reader(pair[0]);
  {
    ringpost::Fd writer(pair[1]);
    ringpost::Fd owner(std::move(writer));
    CHECK_FALSE(writer.valid());
    CHECK(owner.get() == pair[1]);
    CHECK(fcntl(pair[1], F_GETFD) >= 0);
  }
  char octet = 0;
  CHECK(read(reader.get(), &octet, 1) == 0);  // end of file: the writer is gone
}

TEST_CASE("a failed CHECK names its place and ends the process") {
  int pair[2];
  REQUIRE(pipe(pair) == 0);
  const ringpost::Fd reader(pair[0]);
  ringpost::Fd writer(pair[1]);
  const pid_t child = fork();
  if (child == 0) {
    std::signal(SIGABRT, SIG_DFL);  // doctest's own handler would report a crash of the suite
    dup2(writer.get(), STDERR_FILENO);
    RINGPOST_CHECK(1 + 1 == 3);
    _exit(0);
  }
  writer.reset();
  std::string said;
  char buffer[256];
  for (ssize_t n = 0; (n = read(reader.get(), buffer, sizeof buffer)) > 0;)
    said.append(buffer, static_cast<std::size_t>(n));
  int status = 0;
  REQUIRE(waitpid(child, &status, 0) == child);
  CHECK(WIFSIGNALED(status));
  CHECK(WTERMSIG(status) == SIGABRT);
  CHECK(said.find("base_result_test.cpp:") != std::string::npos);
  CHECK(said.find("CHECK failed: 1 + 1 == 3") != std::string::npos);
}

TEST_CASE("instants and wall time count in their own units") {
  using namespace std::chrono_literals;
  const ringpost::Instant start{1'000};
  CHECK((start + 1us).nanoseconds == 2'000);
  CHECK((start + 1s) - start == 1s);
  const ringpost::WallTime wall{5};
  CHECK((wall + 2s).milliseconds == 2'005);
  CHECK((wall + 2s) - wall == 2s);
}
