// A segment file of any octets, read by the tools and recovered by the spool: no crash, and what recovery found, a
// second recovery finds again. The octets are tried as they are, and with the checksums put right, so that what stands
// behind them is reached too: written from docs/spool-format.md alone.
#include <cstdint>
#include <cstring>
#include <memory>
#include <set>
#include <string>

#include "../sim/world.h"
#include "ringpost/base/check.h"
#include "ringpost/base/crc32c.h"
#include "ringpost/spool.h"

namespace {

using namespace ringpost;

constexpr std::size_t kBlock = 4096;
constexpr std::size_t kSegment = 64 * 1024;
constexpr std::size_t kBatchHead = 96;
constexpr std::size_t kRecordHead = 40;

template <class T>
T get(const std::string& from, std::size_t at) {
  T value;
  std::memcpy(&value, from.data() + at, sizeof value);
  return value;
}

template <class T>
void put(std::string& to, std::size_t at, T value) {
  std::memcpy(to.data() + at, &value, sizeof value);
}

View part(const std::string& of, std::size_t at, std::size_t length) { return View{of}.substr(at, length); }

// Gives the record at `at` right checksums as far as its sizes make sense; where the next one would begin, 0 at the
// end.
std::size_t repair_record(std::string& image, std::size_t at, std::size_t end, std::uint64_t sequence,
                          std::uint32_t seed) {
  if (at + kRecordHead > end) return 0;
  const auto size = get<std::uint32_t>(image, at + 8);
  const auto meta = get<std::uint32_t>(image, at + 12);
  if (size > end - at - kRecordHead || meta > size) return 0;
  put(image, at + 24, sequence);
  put(image, at + 4, crc32c(part(image, at + kRecordHead, meta)));
  if (get<std::uint32_t>(image, at + 32) == 1)
    put(image, at + 36, crc32c(part(image, at + kRecordHead + meta, size - meta)));
  put(image, at, crc32c(part(image, at + 4, kRecordHead - 4), seed));
  return (at + kRecordHead + size + 7) / 8 * 8;
}

void repair_batch(std::string& image, std::size_t at, std::uint64_t life, std::uint32_t seed) {
  const std::size_t length = get<std::uint32_t>(image, at + 12);
  if (length > image.size() - at) return;
  put(image, at + 8, std::uint32_t{0});
  put(image, at + 16, std::uint64_t{1});
  put(image, at + 24, life);
  put(image, at + 32, std::uint64_t{at});
  const auto sequence = get<std::uint64_t>(image, at + 40);
  std::size_t next = at + kBatchHead;
  for (auto left = get<std::uint32_t>(image, at + 80); left > 0 && next != 0; --left)
    next = repair_record(image, next, at + length, sequence, seed);
  put(image, at + 4, crc32c(part(image, at + 8, kBatchHead - 8), seed));
}

std::string repaired(std::string image) {
  if (image.size() < 2 * kBlock) return image;
  image.replace(0, 8, "RINGPOST");
  put(image, 8, std::uint32_t{1});
  put(image, 12, std::uint32_t{0});
  put(image, 16, std::uint64_t{1});
  put(image, 96, crc32c(part(image, 0, 96)));
  const auto life = get<std::uint64_t>(image, 24);
  const auto secret = get<std::uint64_t>(image, 40);
  const auto seed = static_cast<std::uint32_t>(secret ^ (secret >> 32));
  for (std::size_t at = 2 * kBlock; at + kBlock <= image.size(); at += kBlock)
    if (image.compare(at, 4, "RPB1") == 0) repair_batch(image, at, life, seed);
  return image;
}

void write_file(ring::Files& files, const std::string& path, View octets) {
  const auto file = files.open(path, ring::Files::Open::create);
  CHECK(file && files.write(*file, octets, 0) && files.sync(*file));
  files.close(*file);
}

// Loads each message and reads its content's first octets; a damaged one may say so.
struct Visit {
  bool done = false;
  static void loaded(void* owner, Result<spool::Message*> result) {
    static_cast<Visit*>(owner)->done = true;
    if (result) (*result)->release();
  }
  spool::Load load{this, &Visit::loaded};
};

std::set<SpoolId> recover(sim::World& world, bool work) {
  spool::Options options;
  options.directory = "/spool";
  options.segment_size = kSegment;
  options.reserve = 0;
  options.body_chunks = 64;
  options.messages = 5000;
  options.in_memory = 64;
  std::set<SpoolId> found;
  spool::Recovery recovery;
  const auto note = [&](SpoolId id, const message::Envelope&, const message::State&, spool::Note&) {
    found.insert(id);
  };
  auto opened = spool::Spool::open(world.ring(), options, note, recovery);
  if (opened && work)
    for (const SpoolId id : found) {
      Visit visit;
      (*opened)->load(id, spool::Spool::Want::content, visit.load);
      CHECK(world.run_until([&] { return visit.done; }));
    }
  world.kill();
  if (opened) opened->reset();
  world.boot();
  return found;
}

void try_image(const std::string& image) {
  // Not the seed that the corpus was made from: a log that has lost its secret would be given the very same one again.
  sim::World world({.seed = 2});
  world.disk().prepare_directory("/spool/log-00");
  write_file(world.disk().files(), "/spool/log-00/segment-00000001", image);
  (void)spool::read_logs(world.disk().files(), "/spool", [](const spool::Dump& dump) {
    if (dump.envelope != nullptr) (void)dump.content([](View) {});
  });
  const std::set<SpoolId> once = recover(world, true);
  CHECK(recover(world, false) == once);
  CHECK(world.violations().empty());
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string image(reinterpret_cast<const char*>(data), std::min(size, kSegment));
  try_image(image);
  try_image(repaired(image));
  return 0;
}
