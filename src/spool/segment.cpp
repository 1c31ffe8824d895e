// The bookkeeping of pins.
#include "spool/segment.h"

#include "ringpost/base/check.h"

namespace ringpost::spool {

Segment& Ledger::add_segment() {
  std::uint32_t slot = 0;
  while (slot < segments_.size() && segments_[slot]) ++slot;
  if (slot == segments_.size()) segments_.emplace_back();
  segments_[slot] = std::make_unique<Segment>();
  segments_[slot]->slot = slot;
  ++count_;
  return *segments_[slot];
}

void Ledger::drop_segment(Segment& segment) {
  CHECK(segment.pins == 0 && segment.readers == 0 && segment.ends.empty());
  --count_;
  segments_[segment.slot].reset();
}

Entry* Ledger::message(SpoolId id, const RecordPlace& at, bool large) {
  Entry* entry = index_.insert(id);
  if (entry == nullptr) return nullptr;
  entry->segment = at.segment;
  entry->offset = static_cast<std::uint32_t>(at.offset / kRecordAlign);
  entry->length = at.length & 0xFFFFFF;
  entry->large = large ? 1 : 0;
  pin(at.segment);
  return entry;
}

Entry* Ledger::state(SpoolId id, const RecordPlace& at) {
  Entry* entry = index_.find(id);
  if (entry == nullptr) return nullptr;
  const std::uint32_t before = entry->state_segment;
  entry->state_segment = at.segment;
  entry->state_offset = static_cast<std::uint32_t>(at.offset / kRecordAlign);
  entry->state_length = at.length & 0xFFFFFF;
  entry->state_damaged = 0;
  pin(at.segment);
  if (before != kNoSegment) unpin(before);
  return entry;
}

bool Ledger::end(SpoolId id, std::uint32_t end_segment, Entry& gone) {
  const Entry* entry = index_.find(id);
  if (entry == nullptr) return false;
  gone = *entry;
  index_.erase(id);
  if (gone.segment != end_segment) {
    auto& ends = segment(gone.segment).ends;
    // The log moves on rarely, so the segment wanted is nearly always the last one noted.
    auto found = std::find_if(ends.rbegin(), ends.rend(), [&](const auto& e) { return e.slot == end_segment; });
    if (found == ends.rend())
      ends.push_back({end_segment, 1});
    else
      ++found->count;
    pin(end_segment);
  }
  unpin(gone.segment);
  if (gone.state_segment != kNoSegment) unpin(gone.state_segment);
  return true;
}

void Ledger::retired(Segment& segment) {
  CHECK(segment.pins == 0);
  for (const auto& end : segment.ends)
    for (std::uint32_t i = 0; i < end.count; ++i) unpin(end.slot);
  segment.ends.clear();
}

void Ledger::unpin(std::uint32_t slot) {
  Segment& loser = segment(slot);
  CHECK(loser.pins > 0);
  if (--loser.pins == 0) loosen(loser);
}

}  // namespace ringpost::spool
