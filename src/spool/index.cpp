// Linear hashing: with level_ + split_ buckets, a hash's low bits name a bucket, with one bit more where that bucket
// was split.
#include "spool/index.h"

#include <bit>
#include <new>

#include "ringpost/base/check.h"

namespace ringpost::spool {

namespace {

constexpr int kNeighbourBits = 4;  // 16 buckets are a cache line

// Ids count up, and what came together is mostly worked on together: neighbours have their buckets in one cache line.
// Which of them has which changes from line to line, so that ids left over at a regular distance do not meet.
std::size_t hash_of(SpoolId id) {
  std::uint64_t mixed = (id.value >> kNeighbourBits) * 0x9E3779B97F4A7C15ULL;
  mixed ^= mixed >> 32;
  mixed *= 0xD6E8FEB86659FD93ULL;
  constexpr std::uint64_t kWithin = (1U << kNeighbourBits) - 1;
  return static_cast<std::size_t>(mixed >> 20 << kNeighbourBits | ((id.value ^ mixed >> 16) & kWithin));
}

}  // namespace

Index::Index(std::size_t capacity)
    : capacity_(capacity),
      entries_(capacity * sizeof(Entry)),
      buckets_(2 * std::bit_ceil(std::max<std::size_t>(capacity, level_)) * sizeof(std::uint32_t)),
      notes_(capacity * sizeof(Note)) {}

std::size_t Index::bucket_of(SpoolId id) const {
  const std::size_t hash = hash_of(id);
  const std::size_t bucket = hash & (level_ - 1);
  return bucket < split_ ? hash & (2 * level_ - 1) : bucket;
}

Entry* Index::find(SpoolId id) const {
  for (std::uint32_t at = buckets()[bucket_of(id)]; at != 0; at = entries()[at - 1].next)
    if (entries()[at - 1].id == id) return &entries()[at - 1];
  return nullptr;
}

Entry* Index::insert(SpoolId id) {
  CHECK(id.value != 0);
  if (size_ == capacity_ || find(id) != nullptr) return nullptr;
  std::uint32_t number = free_;
  if (number != 0)
    free_ = entries()[number - 1].next;
  else
    number = ++touched_;
  Entry* entry = ::new (&entries()[number - 1]) Entry;
  entry->id = id;
  note(*entry) = {};
  std::uint32_t& bucket = buckets()[bucket_of(id)];
  entry->next = bucket;
  bucket = number;
  ++size_;
  if (size_ > level_ + split_) split_one();
  return entry;
}

void Index::erase(SpoolId id) {
  std::uint32_t* link = &buckets()[bucket_of(id)];
  while (*link != 0 && entries()[*link - 1].id != id) link = &entries()[*link - 1].next;
  if (*link == 0) return;
  const std::uint32_t number = *link;
  Entry& entry = entries()[number - 1];
  *link = entry.next;
  entry.id = {};
  entry.next = free_;
  free_ = number;
  --size_;
}

void Index::split_one() {
  std::uint32_t stay = 0;
  std::uint32_t move = 0;
  for (std::uint32_t at = buckets()[split_]; at != 0;) {
    Entry& entry = entries()[at - 1];
    const std::uint32_t next = entry.next;
    std::uint32_t& chain = (hash_of(entry.id) & level_) != 0 ? move : stay;
    entry.next = chain;
    chain = at;
    at = next;
  }
  buckets()[split_] = stay;
  buckets()[split_ + level_] = move;
  if (++split_ == level_) {
    level_ *= 2;
    split_ = 0;
  }
}

std::size_t Index::octets_touched() const {
  return std::size_t{touched_} * (sizeof(Entry) + sizeof(Note)) + (level_ + split_) * sizeof(std::uint32_t);
}

}  // namespace ringpost::spool
