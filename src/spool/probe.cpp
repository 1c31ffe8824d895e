// What the write path of a directory is, measured: for `ringpost check`.
#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <chrono>

#include "ringpost/base/slab.h"
#include "spool/format.h"

namespace ringpost::spool {

namespace {

constexpr std::size_t kProbeWrite = 64 * 1024;  // octets: a batch of a busy core
constexpr int kProbeWrites = 31;
constexpr std::uint64_t kProbeSize = kProbeWrite * kProbeWrites;

Result<std::chrono::nanoseconds> median_write(ring::Files& files, ring::File file, View octets) {
  std::vector<std::chrono::nanoseconds> times;
  for (int i = 0; i < kProbeWrites; ++i) {
    const auto begin = std::chrono::steady_clock::now();
    if (auto written = files.write(file, octets, static_cast<std::uint64_t>(i) * kProbeWrite); !written)
      return std::unexpected(written.error());
    if (auto synced = files.sync(file); !synced) return std::unexpected(synced.error());
    times.push_back(std::chrono::steady_clock::now() - begin);
  }
  std::ranges::sort(times);
  return times[times.size() / 2];
}

Result<std::vector<std::string>> measure(ring::Files& files, const std::string& path, View octets) {
  auto file = files.open(path, ring::Files::Open::write_direct);
  const bool direct = file.has_value();
  if (!file && file.error().code == EINVAL) file = files.open(path, ring::Files::Open::write);
  if (!file) return std::unexpected(file.error());
  const auto median = median_write(files, *file, octets);
  files.close(*file);
  if (!median) return std::unexpected(median.error());
  return std::vector<std::string>{
      direct ? "write path: O_DIRECT with RWF_DSYNC into zeroed segments"
             : "write path: write and fdatasync (this file system has no O_DIRECT: about three times the CPU)",
      fmt::format("durable write of 64 KiB: {} us (median of {})", median->count() / 1000, kProbeWrites)};
}

}  // namespace

Result<std::vector<std::string>> describe_write_path(ring::Files& files, const std::string& directory) {
  if (auto made = files.make_directory(directory); !made) return std::unexpected(made.error());
  const std::string path = directory + "/probe";
  (void)files.remove(path);  // of a check that was cut
  const auto file = files.open(path, ring::Files::Open::create);
  if (!file) return std::unexpected(file.error());
  const Reservation zeros{kProbeWrite};
  const View octets{reinterpret_cast<const char*>(zeros.data()), kProbeWrite};
  Result<void> made = files.allocate(*file, kProbeSize);
  for (std::uint64_t at = 0; made && at < kProbeSize; at += kProbeWrite) made = files.write(*file, octets, at);
  if (made) made = files.sync(*file);
  files.close(*file);
  auto lines = made ? measure(files, path, octets) : std::unexpected(made.error());
  if (auto removed = files.remove(path); !removed && lines) return std::unexpected(removed.error());
  return lines;
}

}  // namespace ringpost::spool
