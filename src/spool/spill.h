// The way of a large content into its own file while it arrives: open, write chunk by chunk, and when the message is
// complete fdatasync the file, then its directory, so that the record that owns it can follow.
//
//   opening → writing (one write in flight, chunks are given back as they are written) → syncing → directory → done
//                └── abandon at any time: what is in flight returns, then the file is closed and removed
//
// Owned by its Resident until done. Never touches a log. One thread.
#pragma once

#include <string>

#include "ringpost/ring.h"

namespace ringpost::spool {

class Resident;

class Spill {
 public:
  explicit Spill(Resident& resident);
  ~Spill();

  // More chunks may be there to be written.
  void go();
  // No more will come: make it durable, then Store::spilled().
  void finish();
  // The message is given up; the resident is freed when nothing is in flight (Store::spill_gone).
  void abandon();
  [[nodiscard]] bool failed() const { return error_ != 0; }
  [[nodiscard]] bool done() const { return phase_ == Phase::done; }  // nothing of it is in the kernel any more
  [[nodiscard]] int error() const { return error_; }

 private:
  enum class Phase : std::uint8_t { opening, writing, syncing, directory, done, removing };
  void on_open(const ring::Completion& done);
  void on_written(const ring::Completion& done);
  void on_synced(const ring::Completion& done);
  void on_directory(const ring::Completion& done);
  void on_removed(const ring::Completion& done);
  // Nothing is in flight and it is given up or broken: the file goes.
  void undo();
  void over();
  void fail(int error, bool fatal);

  Resident& resident_;
  std::string path_;
  ring::File file_;
  Phase phase_ = Phase::opening;
  bool finishing_ = false;
  bool abandoned_ = false;
  int error_ = 0;
  std::uint64_t written_ = 0;  // octets in the file
  std::size_t in_chunk_ = 0;   // octets of the first chunk that are written
  ring::Operation open_{this, ring::handler<&Spill::on_open>};
  ring::Operation write_{this, ring::handler<&Spill::on_written>};
  ring::Operation sync_{this, ring::handler<&Spill::on_synced>};
  ring::Operation directory_{this, ring::handler<&Spill::on_directory>};
  ring::Operation remove_{this, ring::handler<&Spill::on_removed>};
};

}  // namespace ringpost::spool
