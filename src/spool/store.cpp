// What the parts tell each other, and what ends a refusal.
#include "spool/store.h"

#include <algorithm>
#include <cerrno>

#include "spool/spill.h"

namespace ringpost::spool {

namespace {

constexpr std::size_t kSmallestBatch = 2 * kBlock;

std::size_t batch_limit_for(std::uint64_t segment_size) {
  const std::uint64_t quarter = round_down((segment_size - kHeaderArea) / 4, kBlock);
  return std::clamp<std::size_t>(quarter, kSmallestBatch, kBatchLimit);
}

}  // namespace

Store::Store(ring::Ring& ring_, const Options& options_)
    : ring(ring_),
      options(options_),
      ledger(options_.messages),
      chunks(options_.body_chunks),
      residents(*this, options_.in_memory),
      large(*this),
      loader(*this),
      batch_limit_(batch_limit_for(options_.segment_size)),
      gather_limit_(std::min(kGatherLimit, batch_limit_ / 4)),
      zeros_(std::min<std::uint64_t>(kBatchLimit, options_.segment_size)) {
  statistics.chunks_total = options.body_chunks;
}

Store::~Store() {
  logs.clear();
  ledger.each_segment([&](Segment& segment) {
    if (segment.file.open()) ring.files().close(segment.file);
  });
  if (large_directory.open()) ring.files().close(large_directory);
}

void Store::stop(const Error& error) {
  if (stopped_) return;
  stopped_ = true;
  failure_ = error;
  ring.defer(failure_told_);  // whoever found it is in the middle of something
}

void Store::tell_failure() {
  for (auto& log : logs) log->stop();
  if (on_failure != nullptr) on_failure(failure_owner, failure_);
}

void Store::no_space() { no_space_ = true; }

void Store::check_space() {
  ring.arm(space_timer_, kSpaceCheck);
  if (stopped_) return;
  const auto space = ring.files().space(options.directory);
  space_low_ = space && space->free_octets < options.reserve;
  space_above_reserve_ = !space ? UINT64_MAX : space_low_ ? 0 : space->free_octets - options.reserve;
  space_taken_ = 0;
  if (no_space_) {
    const bool settled = !space_low_ && std::ranges::all_of(logs, [](const auto& log) { return log->satisfied(); });
    if (settled) no_space_ = false;
    for (auto& log : logs) log->go_again();
  } else if (!space_low_) {
    for (auto& log : logs) log->want_spares();
  }
  freed();
}

// Other cores are taken to take as much: none of them knows of the others, and large mail can fill the reserve before
// the next look.
void Store::takes_space(std::uint64_t octets) {
  space_taken_ += octets;
  if (space_taken_ > space_above_reserve_ / ring.cores()) space_low_ = true;
}

void Store::relieve() {
  if (refusal_now() != Refusal::none) return;
  refused_ = false;
  if (on_relief != nullptr) on_relief(relief_owner);
}

void Store::spilled(Resident& resident) {
  if (resident.spill->failed())
    fail_commits(resident, resident.spill->error(), "spool: large content");
  else if (stopped_)
    fail_commits(resident, failure_.code, failure_.text);
  else
    log_of(resident.id)->put_message(resident);
  resident.release();
}

void Store::loosened() {
  ledger.each_loosened([](Segment& segment) { segment.log->consider(segment); });
}

void Store::ended(const Entry& gone) {
  if (gone.resident != kNoResident) residents.at(gone.resident).stage = Resident::Stage::ended;
  // Its end is durable. Whoever still reads the file has it open.
  if (gone.large != 0) large.remove(gone.id);
  freed();
}

Refusal Store::refusal() {
  const Refusal why = refusal_now();
  if (why != Refusal::none) refused_ = true;
  return why;
}

Refusal Store::refusal_now() const {
  if (stopped_) return Refusal::stopped;
  const std::size_t capacity = ledger.index().capacity();
  const std::size_t kept = std::min(kIndexReserveMost, capacity / kIndexReserve);
  if (ledger.index().size() + drafts >= capacity - kept) return Refusal::queue_full;
  if (residents.free() <= options.in_memory / kPoolReserve || chunks.free() <= chunks.total() / kPoolReserve)
    return Refusal::memory_full;
  if (disk_full()) return Refusal::disk_full;
  return Refusal::none;
}

// Half of what new mail leaves of the pools; the other half is for deliveries.
bool Store::refuses_beside(const Log& log) const {
  return stopped_ || ledger.index().size() + drafts >= ledger.index().capacity() ||
         residents.free() <= options.in_memory / kPoolReserve / 2 ||
         chunks.free() <= chunks.total() / kPoolReserve / 2 || !room_for_message(log);
}

Log* Store::log_of(SpoolId id) const {
  for (const auto& log : logs)
    if (log->number == id.log()) return log.get();
  return nullptr;
}

// While the disk is full, half a segment is kept for the outcomes of what is already here.
bool Store::room_for_message(const Log& log) const { return !disk_full() || log.room() > options.segment_size / 2; }

void Store::commit(Resident& resident, Commit& commit) {
  CHECK(resident.stage == Resident::Stage::draft);
  resident.stage = Resident::Stage::committing;
  resident.facts.size = resident.gathered();
  resident.content = nullptr;
  resident.waits.push_back(commit);
  Log& log = *log_of(resident.id);
  if (stopped_) return fail_commits(resident, failure_.code, failure_.text);
  if (!room_for_message(log)) return fail_commits(resident, ENOSPC, "spool: the disk is full");
  if (resident.sink_failed()) return fail_commits(resident, ENOBUFS, "spool: no memory for the content");
  if (!resident.large) {
    resident.content_here = true;
    return log.put_message(resident);
  }
  resident.hold();  // until spilled()
  resident.spill->finish();
}

void Store::commit_beside(Resident& made, Resident& changed, Commit& its) {
  CHECK(changed.stage == Resident::Stage::live && made.id.log() == changed.id.log());
  made.join(changed);
  log_of(made.id)->leave_waiting(changed);  // a state that waits for room must not go without the message
  commit(made, its);
}

void Store::save(Resident& resident, Commit* commit) {
  CHECK(resident.stage == Resident::Stage::live || resident.stage == Resident::Stage::ended);
  if (!stopped_) return log_of(resident.id)->put_state(resident, commit);
  if (commit == nullptr) return;
  resident.waits.push_back(*commit);
  fail_waits(resident, failure_);
}

bool Store::takes_outcomes() const {
  return !stopped_ && std::ranges::none_of(logs, [](const auto& log) { return log->starved_by_disk(); });
}

void Store::fail_commits(Resident& resident, int code, View text) {
  if (resident.large && !stopped_) large.remove(resident.id);
  // The saves that waited for the group have nothing to wait for when the spool has stopped; else the owner saves anew.
  if (stopped_ && resident.beside != nullptr) fail_waits(*resident.beside, failure_);
  resident.part();
  resident.stage = Resident::Stage::ended;
  --drafts;
  fail_waits(resident, {code, std::string{text}});
}

void Store::fail_waits(Resident& resident, const Error& error) {
  failing_.push_back({&resident, error});
  resident.hold();
  ring.defer(fail_told_);
}

// Never from inside the call that asked.
void Store::tell_failed() {
  std::vector<Failing> now;
  now.swap(failing_);
  for (Failing& one : now) {
    const Result<void> result = std::unexpected(one.error);
    while (!one.resident->waits.empty()) {
      Commit& commit = one.resident->waits.pop_front();
      commit.complete(*one.resident, result);
    }
    one.resident->release();
  }
}

bool Store::idle() const {
  return std::ranges::all_of(logs, [](const auto& log) { return log->idle(); }) && !large.busy() && !loader.busy() &&
         spills == 0 && failing_.empty();
}

}  // namespace ringpost::spool
