// The files that were set aside: their names, their compression, and how many stay. All of it blocks: helper threads.
// Private to report.
#pragma once

#include <atomic>
#include <cstdint>
#include <string>

#include "ringpost/ring.h"

namespace ringpost::report {

// Where the file at `path` is to go now: "PATH.20261125T133340Z", with -2, -3 … behind it where that is taken. Names
// of the same file are in the order of time.
std::string name_aside(ring::Files& files, const std::string& path, WallTime now);

// Deletes the oldest beyond `keep` (0: none), and compresses those that are not yet (zstd, with its checksum): a
// compressed file has its name only when it is whole and durable, and what it was made of goes after that. Goes on
// after a crash, and after an error with the next file; gives the first error. Stops when `ending` becomes true.
Result<void> tidy_archive(ring::Files& files, const std::string& path, std::uint32_t keep,
                          const std::atomic<bool>& ending);

}  // namespace ringpost::report
