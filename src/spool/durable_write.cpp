// Short writes and the fallback.
#include "spool/durable_write.h"

#include <cerrno>

#include "spool/format.h"

namespace ringpost::spool {

void DurableWrite::start(ring::File file, View octets, std::uint64_t offset) {
  CHECK(octets.size() % kBlock == 0 && offset % kBlock == 0);
  file_ = file;
  octets_ = octets;
  offset_ = offset;
  submit();
}

void DurableWrite::submit() { ring_.write(operation_, file_, octets_, offset_, !sync_apart_); }

void DurableWrite::on_written(const ring::Completion& done) {
  const int result = done.result;
  if (result == -EINTR || result == -EAGAIN) return submit();
  if (result == -EOPNOTSUPP && !sync_apart_) {  // no RWF_DSYNC here
    sync_apart_ = true;
    return submit();
  }
  if (result <= 0) return done_(owner_, result == 0 ? EIO : -result);
  // O_DIRECT goes on at a block only; a block written twice in one batch gets the same octets.
  const std::uint64_t whole = round_down(static_cast<std::uint64_t>(result), kBlock);
  if (static_cast<std::size_t>(result) < octets_.size()) {
    octets_.remove_prefix(whole);
    offset_ += whole;
    return submit();
  }
  if (sync_apart_) return ring_.sync(sync_, file_);
  done_(owner_, 0);
}

void DurableWrite::on_synced(const ring::Completion& done) { done_(owner_, done.result < 0 ? -done.result : 0); }

}  // namespace ringpost::spool
