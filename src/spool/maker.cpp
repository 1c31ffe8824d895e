// The steps of making a segment, each one operation of the ring.
#include "spool/maker.h"

#include <cerrno>

#include "spool/store.h"

namespace ringpost::spool {

SegmentMaker::~SegmentMaker() {
  if (file_.open()) store_.ring.files().close(file_);
}

void SegmentMaker::start() {
  CHECK(!busy());
  const std::uint64_t number = log_.next_segment++;
  path_ = log_.directory + "/" + segment_name(number);
  header_ = log_.fresh_header(number, 1, store_.options.segment_size);
  direct_ = true;
  filled_ = 0;
  error_ = 0;
  store_.takes_space(header_.size);
  next(Step::create);
}

void SegmentMaker::next(Step step) {
  step_ = step;
  ring::Ring& ring = store_.ring;
  switch (step) {
    case Step::idle:
      return;
    case Step::create:
      return ring.open(operation_, path_.c_str(), ring::Files::Open::create);
    case Step::reopen:
      return ring.open(operation_, path_.c_str(), direct_ ? ring::Files::Open::write_direct : ring::Files::Open::write);
    case Step::allocate:
      return ring.allocate(operation_, file_, header_.size);
    case Step::fill: {
      const std::uint64_t part = std::min<std::uint64_t>(store_.zeros().size(), header_.size - filled_);
      return ring.write(operation_, file_, store_.zeros().substr(0, part), filled_, false);
    }
    case Step::header: {
      header_.next_count = log_.next_count;
      put_segment_header(reinterpret_cast<char*>(area_.data()), header_);
      return ring.write(operation_, file_, {reinterpret_cast<const char*>(area_.data()), kHeaderArea}, 0, false);
    }
    case Step::sync:
      return ring.sync(operation_, file_);
    case Step::directory:
      return ring.sync(operation_, log_.directory_file);
    case Step::remove:
      return ring.remove(operation_, path_.c_str());
  }
}

void SegmentMaker::on_done(const ring::Completion& done) {
  const int error = done.result < 0 ? -done.result : 0;
  switch (step_) {
    case Step::idle:
      return;
    case Step::create:
    case Step::reopen:
      return opened(done);
    case Step::allocate:
      return error != 0 ? fail(error) : next(Step::fill);
    case Step::fill:
    case Step::header:
      return filled(done);
    case Step::sync:
      return error != 0 ? fail(error) : next(Step::directory);
    case Step::directory:
      return error != 0 ? fail(error) : ready();
    case Step::remove:
      step_ = Step::idle;
      if (error_ == ENOSPC || error_ == EDQUOT || error_ == EMFILE || error_ == ENFILE || error_ == ENOMEM)
        store_.no_space();  // asked again by the clock
      else
        store_.stop({error_, "spool: make " + path_});
      return;
  }
}

void SegmentMaker::opened(const ring::Completion& done) {
  if (done.result < 0) {
    if (step_ == Step::reopen && direct_ && done.result == -EINVAL) {  // no O_DIRECT on this file system
      direct_ = false;
      return next(Step::reopen);
    }
    return fail(-done.result);
  }
  file_ = {done.result};
  if (step_ == Step::create) {
    store_.ring.close(std::exchange(file_, {}));
    return next(Step::reopen);
  }
  next(Step::allocate);
}

void SegmentMaker::filled(const ring::Completion& done) {
  if (done.result == -EINTR || done.result == -EAGAIN) return next(step_);
  if (done.result <= 0) return fail(done.result == 0 ? EIO : -done.result);
  const auto written = static_cast<std::uint64_t>(done.result);
  if (step_ == Step::header) return written < kHeaderArea ? next(Step::header) : next(Step::sync);
  filled_ = round_down(filled_ + written, kBlock);
  next(filled_ < header_.size ? Step::fill : Step::header);
}

void SegmentMaker::ready() {
  Segment& segment = store_.ledger.add_segment();
  segment.log = &log_;
  segment.header = header_;
  segment.file = std::exchange(file_, {});
  step_ = Step::idle;
  log_.add_spare(segment);
}

void SegmentMaker::fail(int error) {
  error_ = error;
  if (file_.open()) store_.ring.close(std::exchange(file_, {}));
  next(Step::remove);
}

}  // namespace ringpost::spool
