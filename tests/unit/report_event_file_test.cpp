// The event file: whole lines whatever the disk does, and rotation that loses none. On a simulated disk, but for
// threads.
#include <doctest/doctest.h>
#include <stdlib.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include <sys/socket.h>
#include <sys/un.h>

#include "../sim/disk.h"
#include "ringpost/base/fd.h"
#include "ringpost/report.h"

using namespace ringpost;
using report::EventFile;

namespace {

constexpr WallTime kNow{1'764'064'333'007};  // 2025-11-25T09:52:13.007Z
const std::string kPath = "/log/events.jsonl";

std::string line(std::uint64_t number, WallTime at = kNow) {
  std::string out;
  report::JsonLine json(out);
  json.time("time", at).text("type", "trouble").number("number", number).end();
  return out + "\n";
}

struct Scene {
  Scene() {
    disk.prepare_directory("/log");
    options.file = kPath;
  }
  std::vector<std::string> names() {
    std::vector<std::string> all = *disk.files().list("/log");
    std::ranges::sort(all);
    return all;
  }
  sim::Disk disk{1};
  config::Events options;
};

}  // namespace

TEST_CASE("event file: lines stand behind one another, and behind those of an earlier process") {
  Scene scene;
  {
    EventFile file(scene.disk.files(), scene.options);
    REQUIRE(file.open());
    CHECK(file.append(line(1), kNow) == 0);
  }
  EventFile file(scene.disk.files(), scene.options);
  REQUIRE(file.open());
  CHECK(file.append(line(2) + line(3), kNow) == 0);
  CHECK(scene.disk.contents(kPath) == line(1) + line(2) + line(3));
}

TEST_CASE("event file: one that has reached its size is set aside with all its lines, and compressed") {
  Scene scene;
  scene.options.rotate_size = 2 * line(1).size();
  EventFile file(scene.disk.files(), scene.options);
  REQUIRE(file.open());
  CHECK(file.append(line(1) + line(2), kNow) == 0);
  CHECK(file.append(line(3), kNow) == EventFile::kRotated);
  CHECK(scene.disk.contents(kPath) == line(3));
  CHECK(scene.disk.contents(kPath + ".20251125T095213Z") == line(1) + line(2));
  CHECK(file.tidy() == 0);
  CHECK(scene.names() == std::vector<std::string>{"events.jsonl", "events.jsonl.20251125T095213Z.zst"});
  CHECK(scene.disk.contents(kPath + ".20251125T095213Z.zst").starts_with("\x28\xB5\x2F\xFD"));
  CHECK(file.statistics().rotations == 1);
}

TEST_CASE("event file: two that are set aside in one second have two names, and the oldest go") {
  Scene scene;
  scene.options.rotate_size = 1;
  scene.options.keep = 2;
  EventFile file(scene.disk.files(), scene.options);
  REQUIRE(file.open());
  for (std::uint64_t i = 1; i <= 13; ++i) CHECK(file.append(line(i), kNow) >= 0);
  CHECK(file.tidy() == 0);
  CHECK(scene.names() == std::vector<std::string>{"events.jsonl", "events.jsonl.20251125T095213Z-11.zst",
                                                  "events.jsonl.20251125T095213Z-12.zst"});
}

TEST_CASE("event file: its age is that of its first line, also after a restart") {
  Scene scene;
  scene.options.rotate_age = 1h;
  {
    EventFile file(scene.disk.files(), scene.options);
    REQUIRE(file.open());
    CHECK(file.append(line(1), kNow) == 0);
    CHECK(file.append(line(2), kNow + 59min) == 0);
  }
  EventFile file(scene.disk.files(), scene.options);
  REQUIRE(file.open());
  CHECK(file.append(line(3), kNow + 59min) == 0);
  CHECK(file.append(line(4), kNow + 60min) == EventFile::kRotated);
  CHECK(scene.disk.contents(kPath) == line(4));
}

TEST_CASE("event file: a full disk takes whole lines or none, and is told once") {
  Scene scene;
  EventFile file(scene.disk.files(), scene.options);
  std::vector<std::string> told;
  file.on_trouble([&](const std::string& text) { told.push_back(text); });
  REQUIRE(file.open());
  std::string many;
  while (many.size() < 60'000) many += line(7);
  CHECK(file.append(many, kNow) == 0);
  scene.disk.set_capacity(scene.disk.used() + 8'192);
  CHECK(file.append(many, kNow) == -ENOSPC);
  CHECK(file.append(many, kNow) == -ENOSPC);
  CHECK(scene.disk.contents(kPath) == many);
  CHECK(told.size() == 1);
  scene.disk.set_capacity(UINT64_MAX);
  CHECK(file.append(line(8), kNow) == 0);
  CHECK(scene.disk.contents(kPath) == many + line(8));
  CHECK(told.size() == 2);
  CHECK(file.statistics().errors == 2);
}

TEST_CASE("event file: where half a line cannot be taken back, the next one stands on its own") {
  Scene scene;
  EventFile file(scene.disk.files(), scene.options);
  REQUIRE(file.open());
  std::string many;
  while (many.size() < 60'000) many += line(7);
  scene.disk.set_capacity(scene.disk.used() + 8'192);
  scene.disk.fail(sim::DiskCall::truncate, 1, EIO);
  CHECK(file.append(many, kNow) == -ENOSPC);
  scene.disk.set_capacity(UINT64_MAX);
  CHECK(file.append(line(8), kNow) == 0);
  CHECK(scene.disk.contents(kPath).ends_with("\n" + line(8)));
}

TEST_CASE("event file: a rotation that cannot be made loses nothing, and is tried again later") {
  for (const sim::DiskCall call : {sim::DiskCall::rename, sim::DiskCall::open}) {
    for (std::uint64_t nth = 1; nth <= 2; ++nth) {
      Scene scene;
      scene.options.rotate_size = 1;
      EventFile file(scene.disk.files(), scene.options);
      REQUIRE(file.open());
      CHECK(file.append(line(1), kNow) == 0);
      scene.disk.fail(call, nth, EACCES);
      CHECK(file.append(line(2), kNow) >= 0);
      scene.disk.heal();
      CHECK(file.append(line(3), kNow + 2min) >= 0);
      CHECK(file.append(line(4), kNow + 4min) >= 0);
      std::string all;
      for (const std::string& name : scene.names()) all += scene.disk.contents("/log/" + name);
      for (std::uint64_t i = 1; i <= 4; ++i) CHECK(all.find(line(i)) != std::string::npos);
      CHECK(all.size() == 4 * line(1).size());
    }
  }
}

TEST_CASE("event file: what an earlier process left half compressed is compressed anew") {
  Scene scene;
  EventFile file(scene.disk.files(), scene.options);
  REQUIRE(file.open());
  const auto put = [&](const std::string& name, const std::string& text) {
    const auto made = scene.disk.files().open("/log/" + name, ring::Files::Open::create);
    REQUIRE(made);
    REQUIRE(scene.disk.files().write(*made, text, 0));
    scene.disk.files().close(*made);
  };
  put("events.jsonl.20251125T095213Z", line(1));
  put("events.jsonl.20251125T095213Z.zst.part", "half");
  put("events.jsonl.1", "of another program");
  CHECK(file.tidy() == 0);
  CHECK(scene.names() ==
        std::vector<std::string>{"events.jsonl", "events.jsonl.1", "events.jsonl.20251125T095213Z.zst"});
}

TEST_CASE("event file: an interrupted compression leaves what it began with") {
  Scene scene;
  scene.options.rotate_size = 1;
  EventFile file(scene.disk.files(), scene.options);
  REQUIRE(file.open());
  CHECK(file.append(line(1), kNow) == 0);
  CHECK(file.append(line(2), kNow) == EventFile::kRotated);
  file.hurry();
  CHECK(file.tidy() == 0);
  CHECK(scene.disk.contents(kPath + ".20251125T095213Z") == line(1));
}

TEST_CASE("event file: four threads append while it rotates all the time: each line is there once, and whole") {
  constexpr std::uint64_t kThreads = 4, kLines = 2'000;
  std::string directory = "/tmp/ringpost-events-XXXXXX";
  REQUIRE(::mkdtemp(directory.data()) != nullptr);
  {
    config::Events options;
    options.file = directory + "/e";
    options.rotate_size = 20'000;
    options.keep = 0;
    EventFile file(ring::kernel_files(), options);
    REQUIRE(file.open());
    std::vector<std::jthread> threads;
    for (std::uint64_t t = 0; t < kThreads; ++t)
      threads.emplace_back([&file, t] {
        for (std::uint64_t i = 0; i < kLines; i += 2) {
          const std::string lines = line(t * kLines + i) + line(t * kLines + i + 1);
          while (file.append(lines, kNow) == -EBUSY) std::this_thread::yield();
        }
      });
  }
  std::multiset<std::string> found;
  const std::vector<std::string> names = *ring::kernel_files().list(directory);
  for (const std::string& name : names) {
    const std::string path = directory + "/" + name;
    const auto opened = ring::kernel_files().open(path, ring::Files::Open::read);
    REQUIRE(opened);
    std::string text(*ring::kernel_files().size(*opened), '\0');
    REQUIRE(ring::kernel_files().read(*opened, Room{text}, 0));
    ring::kernel_files().close(*opened);
    REQUIRE((text.empty() || text.back() == '\n'));
    for (std::size_t at = 0; at < text.size(); at = text.find('\n', at) + 1)
      found.insert(text.substr(at, text.find('\n', at) + 1 - at));
    REQUIRE(ring::kernel_files().remove(path));
  }
  ::rmdir(directory.c_str());
  CHECK(found.size() == kThreads * kLines);
  for (std::uint64_t i = 0; i < kThreads * kLines; ++i) CHECK(found.count(line(i)) == 1);
}

TEST_CASE("journal: a line is an entry with its type and id, and a journal that reads nothing loses lines, not time") {
  std::string directory = "/tmp/ringpost-journal-XXXXXX";
  REQUIRE(::mkdtemp(directory.data()) != nullptr);
  const std::string path = directory + "/s";
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::ranges::copy(path, address.sun_path);
  const Fd reader(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  REQUIRE(::bind(reader.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0);
  config::Events options;
  options.journal = true;
  EventFile file(ring::kernel_files(), options, path);
  REQUIRE(file.open());
  CHECK(file.append("{\"time\":\"x\",\"type\":\"delivery\",\"id\":\"0ABCDEFGHIJKL\"}\n", kNow) == 0);
  std::string got(4096, '\0');
  got.resize(static_cast<std::size_t>(::recv(reader.get(), got.data(), got.size(), 0)));
  CHECK(got ==
        "PRIORITY=6\nSYSLOG_IDENTIFIER=ringpost\nRINGPOST_TYPE=delivery\nRINGPOST_ID=0ABCDEFGHIJKL\n"
        "MESSAGE={\"time\":\"x\",\"type\":\"delivery\",\"id\":\"0ABCDEFGHIJKL\"}\n");
  CHECK(file.statistics().journal_dropped == 0);
  std::string flood;
  for (std::uint64_t i = 0; i < 2'000; ++i) flood += line(i);
  CHECK(file.append(flood, kNow) == 0);
  const std::uint64_t lost = file.statistics().journal_dropped;
  CHECK(lost > 0);
  CHECK(lost < 2'000);
  CHECK(file.append(line(1), kNow + 1s) == 0);  // not asked again so soon
  CHECK(file.statistics().journal_dropped == lost + 1);
  ::unlink(path.c_str());
  ::rmdir(directory.c_str());
}
