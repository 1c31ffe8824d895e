// Laying records behind each other.
#include "spool/batch.h"

#include <cstring>

#include "ringpost/base/check.h"

namespace ringpost::spool {

Batch::Batch(std::size_t limit)
    : limit_(limit), memory_(round_up(limit, kBlock)), buffer_(reinterpret_cast<char*>(memory_.data())) {
  effects.reserve(kMostRecords);
}

char* Batch::add(const RecordHead& head, std::uint64_t secret, const Effect& effect) {
  const std::size_t total = head.total();
  if (!fits(round_up(total, kRecordAlign), 1)) return nullptr;
  char* at = buffer_ + used_;
  put_record_head(at, head, secret);
  const std::size_t padded = round_up(total, kRecordAlign);
  std::memset(at + total, 0, padded - total);
  Effect& kept = effects.emplace_back(effect);
  kept.offset = static_cast<std::uint32_t>(used_);
  kept.length = static_cast<std::uint32_t>(total);
  if (kept.message != nullptr) kept.message->hold();
  used_ += padded;
  return at + kRecordHead;
}

View Batch::seal(BatchHead head, std::uint64_t secret) {
  head.length = static_cast<std::uint32_t>(used_);
  head.records = static_cast<std::uint32_t>(effects.size());
  put_batch_head(buffer_, head, secret);
  std::memset(buffer_ + used_, 0, padded() - used_);
  return {buffer_, padded()};
}

void Batch::clear(std::uint64_t next_sequence) {
  CHECK(waits.empty());
  effects.clear();
  used_ = kBatchHead;
  sequence = next_sequence;
  urgent = false;
  segment = kNoSegment;
  place = {};
}

}  // namespace ringpost::spool
