// Retires segments in which nothing is alive: the header gets the next life number and is synced, which makes all
// batches in it void; only then the end records elsewhere that it pinned are let go. A retired segment becomes a spare;
// one too many is deleted instead (removed, its directory synced).
//
// A member of its log; one job at a time. One thread.
#pragma once

#include <string>

#include "ringpost/base/slab.h"
#include "ringpost/ring.h"
#include "spool/durable_write.h"
#include "spool/segment.h"

namespace ringpost::spool {

class Log;
class Store;

class Keeper {
 public:
  Keeper(Store& store, Log& log);

  void retire(Segment& segment);
  void remove(Segment& segment);
  void go_again();  // after a full disk
  [[nodiscard]] std::size_t retiring() const { return retiring_count_; }
  [[nodiscard]] bool waits() const { return waits_; }
  [[nodiscard]] bool busy() const { return job_ != nullptr || !retiring_.empty() || !removing_.empty(); }

 private:
  void next();
  void on_header(int error);
  void on_removed(const ring::Completion& done);
  void on_directory(const ring::Completion& done);
  static void header_written(void* owner, int error) { static_cast<Keeper*>(owner)->on_header(error); }

  Store& store_;
  Log& log_;
  List<Segment> retiring_;
  List<Segment> removing_;
  std::size_t retiring_count_ = 0;  // with the one at work
  Segment* job_ = nullptr;
  bool waits_ = false;  // for disk space
  std::string path_;
  Reservation area_{kHeaderArea};
  DurableWrite write_;
  ring::Operation remove_{this, ring::handler<&Keeper::on_removed>};
  ring::Operation directory_{this, ring::handler<&Keeper::on_directory>};
};

}  // namespace ringpost::spool
