// The logs of a directory for those who only look: spoolcat and the tests. The same replay as recovery, nothing
// written.
#include <algorithm>

#include "ringpost/base/crc32c.h"
#include "spool/replay.h"

namespace ringpost::spool {

namespace {

constexpr std::size_t kPiece = 256 * 1024;          // octets read at a time
constexpr std::size_t kMostMessages = 100'000'000;  // address space only

Result<void> push_content(ring::Files& files, ring::File file, std::uint64_t offset, std::uint64_t size,
                          std::uint32_t crc, const std::function<void(View)>& push) {
  std::string piece;
  std::uint32_t sum = 0;
  for (std::uint64_t done = 0; done < size; done += piece.size()) {
    piece.resize(std::min<std::uint64_t>(kPiece, size - done));
    const auto read = files.read(file, piece, offset + done);
    if (!read) return std::unexpected(read.error());
    if (*read != piece.size()) return fail(EBADMSG, "spool: the content is shorter than its record says");
    sum = crc32c(piece, sum);
    push(piece);
  }
  if (sum != crc) return fail(EBADMSG, "spool: the content fails its checksum");
  return {};
}

Result<void> push_large(ring::Files& files, const std::string& path, std::uint64_t size, std::uint32_t crc,
                        const std::function<void(View)>& push) {
  const auto file = files.open(path, ring::Files::Open::read);
  if (!file) return std::unexpected(file.error());
  auto pushed = push_content(files, *file, 0, size, crc, push);
  files.close(*file);
  return pushed;
}

}  // namespace

Result<Recovery> read_logs(ring::Files& files, const std::string& directory,
                           const std::function<void(const Dump&)>& visit) {
  auto names = files.list(directory);
  if (!names) return std::unexpected(names.error());
  std::ranges::sort(*names);
  Recovery recovery;
  for (const std::string& name : *names) {
    const auto log = parse_log_name(name);
    if (!log) continue;
    Ledger ledger{kMostMessages};
    Replay replay{files, directory + "/" + name, *log, ledger, recovery};
    if (auto run = replay.run(); !run) return std::unexpected(run.error());
    replay.each_live([&](const Replay::Live& live) {
      Dump dump{.id = live.entry.id, .envelope = &live.envelope, .state = &live.state, .facts = &live.facts};
      dump.trace = live.trace;
      dump.content = [&](const std::function<void(View)>& push) {
        if (live.entry.large != 0)
          return push_large(files, large_path(directory, live.entry.id), live.facts.size, live.content_crc, push);
        return push_content(files, live.segment.file, live.content_offset, live.facts.size, live.content_crc, push);
      };
      visit(dump);
    });
    ledger.index().for_each([&](const Entry& entry) {
      if (entry.damaged != 0 || entry.state_damaged != 0) visit({.id = entry.id});
    });
  }
  return recovery;
}

}  // namespace ringpost::spool
