// Opening a spool: directories, recovery of each log that belongs to this core, orphans, a fresh segment to go on in.
// Runs before the loop does, so it may wait for the disk.
//
// Called once by Spool::open. Afterwards nothing of it is left.
#pragma once

#include <string>
#include <vector>

#include "spool/replay.h"
#include "spool/store.h"

namespace ringpost::spool {

class Opening {
 public:
  Opening(Store& store, const Spool::OnMessage& on_message, Recovery& recovery);
  Result<void> run();

 private:
  Result<void> make_directories();
  Result<void> open_log(std::uint32_t number);
  Result<void> take_over(Log& log, Replay& replay);
  Result<void> open_for_writing(Segment& segment, const std::string& path);
  Result<void> seal(Log& log, Replay& replay);
  Result<void> retire_quiet(Log& log);
  Result<void> retire(Log& log, Segment& segment);
  Result<void> remove(Log& log, Segment& segment);
  Result<void> make_segment(Log& log);
  Result<void> write_header(Segment& segment);
  Result<void> remove_unfinished(const Log& log, const std::vector<std::string>& paths);
  Result<void> look_at_large_files();
  Result<void> begin_null();

  Store& store_;
  const Spool::OnMessage& on_message_;
  Recovery& recovery_;
  ring::Files& files_;
  std::vector<std::uint32_t> damaged_logs_;
};

}  // namespace ringpost::spool
