// The steps of a spill.
#include "spool/spill.h"

#include <cerrno>

#include "ringpost/base/crc32c.h"
#include "spool/format.h"
#include "spool/store.h"

namespace ringpost::spool {

Spill::Spill(Resident& resident)
    : resident_(resident), path_(large_path(resident.store.options.directory, resident.id)) {
  ++resident_.store.spills;
  resident_.store.ring.open(open_, path_.c_str(), ring::Files::Open::create);
}

Spill::~Spill() { CHECK(!file_.open() || !write_.in_kernel()); }

void Spill::on_open(const ring::Completion& done) {
  if (done.result < 0) {
    phase_ = Phase::removing;
    fail(-done.result, false);
    return over();
  }
  file_ = {done.result};
  phase_ = Phase::writing;
  if (abandoned_) return undo();
  go();
}

void Spill::go() {
  if (phase_ != Phase::writing || write_.in_kernel() || error_ != 0) return;
  Store& store = resident_.store;
  const ChunkRow& row = resident_.chunks;
  const bool whole = row.size() >= kBodyChunkSize;
  if (!whole && !finishing_) return;
  const View piece = row.piece(store.chunks, in_chunk_);
  if (piece.empty()) {  // all is written
    phase_ = Phase::syncing;
    return store.ring.sync(sync_, file_);
  }
  if (in_chunk_ == 0) resident_.content_crc = crc32c(piece, resident_.content_crc);
  store.ring.write(write_, file_, piece, written_, false);
}

void Spill::on_written(const ring::Completion& done) {
  Store& store = resident_.store;
  if (done.result > 0) {
    const auto octets = static_cast<std::size_t>(done.result);
    written_ += octets;
    in_chunk_ += octets;
    store.statistics.large_octets_written += octets;
    store.takes_space(octets);
    if (in_chunk_ == std::min<std::uint64_t>(resident_.chunks.size(), kBodyChunkSize)) {
      resident_.chunks.drop_first(store.chunks);
      in_chunk_ = 0;
      store.freed();
    }
  } else if (done.result != -EINTR && done.result != -EAGAIN) {
    const int error = done.result == 0 ? EIO : -done.result;
    fail(error, error != ENOSPC && error != EDQUOT && error != EFBIG);
  }
  if (abandoned_ || error_ != 0) {
    undo();
  } else {
    go();
  }
  if (!abandoned_) resident_.spill_moved();
}

void Spill::finish() {
  finishing_ = true;
  if (phase_ == Phase::done) return resident_.store.spilled(resident_);
  go();
}

void Spill::on_synced(const ring::Completion& done) {
  if (done.result < 0) {
    fail(-done.result, true);
    return undo();
  }
  phase_ = Phase::directory;
  resident_.store.ring.sync(directory_, resident_.store.large_directory);
}

void Spill::on_directory(const ring::Completion& done) {
  if (done.result < 0) {
    fail(-done.result, true);
    return undo();
  }
  over();
}

void Spill::abandon() {
  abandoned_ = true;
  if (phase_ == Phase::done) return over();
  if (phase_ == Phase::writing && !write_.in_kernel()) undo();
}

void Spill::undo() {
  phase_ = Phase::removing;
  resident_.store.ring.remove(remove_, path_.c_str());
}

void Spill::on_removed(const ring::Completion&) { over(); }  // what stays is an orphan for the next recovery

void Spill::over() {
  Store& store = resident_.store;
  if (file_.open()) store.ring.close(std::exchange(file_, {}));
  if (phase_ != Phase::done) --store.spills;
  phase_ = Phase::done;
  if (abandoned_) {
    if (resident_.stage == Resident::Stage::draft) --store.drafts;  // else fail_commits() has counted it
    store.residents.give(resident_);                                // and with it this
    return;
  }
  if (finishing_)
    store.spilled(resident_);
  else
    resident_.spill_moved();
}

void Spill::fail(int error, bool fatal) {
  error_ = error;
  if (fatal)
    resident_.store.stop({error, "spool: write " + path_});
  else
    resident_.store.no_space();
}

}  // namespace ringpost::spool
