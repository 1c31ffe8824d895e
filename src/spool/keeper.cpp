// Retiring and deleting, one segment after the other.
#include "spool/keeper.h"

#include <cerrno>

#include "spool/store.h"

namespace ringpost::spool {

Keeper::Keeper(Store& store, Log& log) : store_(store), log_(log), write_(store.ring, this, &Keeper::header_written) {}

void Keeper::retire(Segment& segment) {
  ++retiring_count_;
  retiring_.push_back(segment);
  next();
}

void Keeper::remove(Segment& segment) {
  removing_.push_back(segment);
  next();
}

void Keeper::next() {
  if (job_ != nullptr || store_.stopped()) return;
  if (!retiring_.empty()) {
    job_ = &retiring_.pop_front();
    SegmentHeader& header = job_->header;
    const std::uint64_t generation = header.generation + 1;
    header = log_.fresh_header(header.number, header.life + 1, header.size);
    header.generation = generation;
    put_segment_header(reinterpret_cast<char*>(area_.data()), header);
    return write_.start(job_->file, {reinterpret_cast<const char*>(area_.data()), kHeaderArea}, 0);
  }
  if (!removing_.empty()) {
    job_ = &removing_.pop_front();
    path_ = log_.directory + "/" + segment_name(job_->header.number);
    store_.ring.remove(remove_, path_.c_str());
  }
}

void Keeper::on_header(int error) {
  if (error == ENOSPC || error == EDQUOT) {  // copy on write: the same again when there is room
    waits_ = true;
    return store_.no_space();
  }
  if (error != 0) return store_.stop({error, "spool: recycle " + segment_name(job_->header.number)});
  Segment& segment = *std::exchange(job_, nullptr);
  --retiring_count_;
  ++store_.statistics.segments_recycled;
  store_.ledger.retired(segment);
  log_.add_spare(segment);
  store_.loosened();
  next();
}

void Keeper::go_again() {
  if (!std::exchange(waits_, false)) return;
  write_.start(job_->file, {reinterpret_cast<const char*>(area_.data()), kHeaderArea}, 0);
}

void Keeper::on_removed(const ring::Completion& done) {
  if (done.result < 0 && done.result != -ENOENT) return store_.stop({-done.result, "spool: remove " + path_});
  store_.ring.sync(directory_, log_.directory_file);
}

void Keeper::on_directory(const ring::Completion& done) {
  if (done.result < 0) return store_.stop({-done.result, "spool: sync " + log_.directory});
  Segment& segment = *std::exchange(job_, nullptr);
  store_.ledger.retired(segment);
  store_.ring.close(segment.file);
  store_.ledger.drop_segment(segment);
  store_.loosened();
  store_.freed();
  next();
}

}  // namespace ringpost::spool
