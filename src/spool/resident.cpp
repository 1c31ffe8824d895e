// Holding, releasing, gathering.
#include "spool/resident.h"

#include <utility>

#include "spool/spill.h"
#include "spool/store.h"

namespace ringpost::spool {

namespace {

constexpr std::size_t kTraceKept = 1024;     // octets of memory a pooled message keeps for its trace line
constexpr std::size_t kRecipientsKept = 64;  // the same for its state
constexpr std::size_t kWindow = 16;          // chunks of a spilling content in memory before its sender must wait
constexpr std::size_t kShortWindow = 2;      // the same when the pool runs short

}  // namespace

void Message::hold() { ++resident_of(*this).holders; }
void Message::release() { resident_of(*this).let_go(); }
bool Message::content_in_memory() const { return resident_of(*this).content_here; }
bool Message::content_in_a_file() const { return resident_of(*this).large; }

Resident::Resident(Store& store_, std::uint32_t slot_) : store(store_), slot(slot_) {}
Resident::~Resident() = default;

void Resident::let_go() {
  CHECK(holders > 0);
  if (--holders > 0) return;
  // Freed when the kernel is done with it. A commit that was refused leaves its spill under way too.
  if (spill && (stage == Stage::draft || !spill->done())) return spill->abandon();
  if (stage == Stage::live)
    if (Entry* entry = store.ledger.index().find(id); entry != nullptr && entry->resident == slot)
      entry->resident = kNoResident;
  if (stage == Stage::draft) --store.drafts;
  store.residents.give(*this);
}

void Resident::reset() {
  CHECK(beside == nullptr && group == nullptr);
  id = {};
  envelope.clear();
  facts = {};
  trace.clear();
  if (trace.capacity() > kTraceKept) trace = {};
  if (state.size() > kRecipientsKept) state = {};
  state.reset(0, {});
  attempting.clear();
  if (attempting.capacity() > kRecipientsKept) attempting = {};
  content = nullptr;
  stage = Stage::draft;
  content_here = large = save_waits = false;
  content_crc = 0;
  chunks.clear(store.chunks);
  spill.reset();
  gathered_ = 0;
  sink_ = BodySink::State::ok;
  drained_owner_ = nullptr;
  drained_ = nullptr;
}

void Resident::join(Resident& changed) {
  CHECK(beside == nullptr && changed.group == nullptr);
  changed.hold();
  beside = &changed;
  changed.group = this;
}

void Resident::part() {
  if (beside == nullptr) return;
  Resident& changed = *std::exchange(beside, nullptr);
  changed.group = nullptr;
  changed.release();
}

void Resident::on_drained(void* owner, void (*drained)(void* owner)) {
  drained_owner_ = owner;
  drained_ = drained;
}

message::BodySink::State Resident::push(View octets) {
  CHECK(stage == Stage::draft);
  if (sink_ == State::failed) return sink_;
  gathered_ += octets.size();
  if (!chunks.append(store.chunks, octets)) return fail();
  if (spill) return push_to_spill();
  const bool short_of_chunks = store.chunks.free() * kSpillBelow < store.chunks.total();
  if (gathered_ > store.gather_limit() || (short_of_chunks && chunks.count() > kShortWindow)) {
    spill = std::make_unique<Spill>(*this);
    large = true;
    return push_to_spill();
  }
  return State::ok;
}

message::BodySink::State Resident::push_to_spill() {
  if (spill->failed()) return fail();
  spill->go();
  const bool short_of_chunks = store.chunks.free() * kSpillBelow < store.chunks.total();
  if (chunks.count() > (short_of_chunks ? kShortWindow : kWindow)) sink_ = State::full;
  return sink_;
}

message::BodySink::State Resident::fail() {
  sink_ = State::failed;
  if (!spill) chunks.clear(store.chunks);
  return sink_;
}

void Resident::spill_moved() {
  if (spill->failed()) {
    const bool was_full = sink_ == State::full;
    fail();
    if (was_full && drained_ != nullptr) drained_(drained_owner_);
  } else if (sink_ == State::full && chunks.count() <= kShortWindow) {
    sink_ = State::ok;
    if (drained_ != nullptr) drained_(drained_owner_);
  }
}

Resident* ResidentPool::take() {
  Resident* resident = nullptr;
  if (!free_.empty()) {
    resident = free_.back();
    free_.pop_back();
  } else if (all_.size() < capacity_) {
    all_.push_back(std::make_unique<Resident>(store_, static_cast<std::uint32_t>(all_.size())));
    resident = all_.back().get();
  } else {
    return nullptr;
  }
  resident->holders = 1;
  return resident;
}

void ResidentPool::give(Resident& resident) {
  CHECK(resident.holders == 0 && resident.waits.empty());
  resident.reset();
  free_.push_back(&resident);
  store_.freed();
}

}  // namespace ringpost::spool
