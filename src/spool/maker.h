// Makes a new segment in the background, so that one is ready before it is needed: create, reserve the space, fill it
// with zeros (writes into such blocks need no metadata, which halves the cost of a durable write), write the header,
// sync the file, sync its directory. Only then can a batch, and so a 250, go there.
//
// A member of its log. A full disk is reported and left to be asked again. One thread.
#pragma once

#include <string>

#include "ringpost/base/slab.h"
#include "ringpost/ring.h"
#include "spool/segment.h"

namespace ringpost::spool {

class Log;
class Store;

class SegmentMaker {
 public:
  SegmentMaker(Store& store, Log& log) : store_(store), log_(log) {}
  ~SegmentMaker();

  void start();
  [[nodiscard]] bool busy() const { return step_ != Step::idle; }

 private:
  enum class Step : std::uint8_t { idle, create, reopen, allocate, fill, header, sync, directory, remove };
  void next(Step step);
  void on_done(const ring::Completion& done);
  void opened(const ring::Completion& done);
  void filled(const ring::Completion& done);
  void ready();
  void fail(int error);

  Store& store_;
  Log& log_;
  Step step_ = Step::idle;
  std::string path_;
  SegmentHeader header_;
  ring::File file_;
  std::uint64_t filled_ = 0;
  int error_ = 0;
  bool direct_ = true;
  Reservation area_{kHeaderArea};
  ring::Operation operation_{this, ring::handler<&SegmentMaker::on_done>};
};

}  // namespace ringpost::spool
