#include "cache.h"

namespace ringpost::dns {
namespace {

// What the tables take for an entry beside its name and answer: two nodes, a bucket, and the allocator's part.
constexpr std::uint64_t kEntryOctets = 200;

}  // namespace

AnswerPointer Cache::find(const Key& key, Instant now) {
  const auto found = entries_.find(key);
  if (found == entries_.end()) return nullptr;
  if (found->second.answer->expires <= now) {
    drop(found);
    return nullptr;
  }
  recent_.splice(recent_.begin(), recent_, found->second.place);
  return found->second.answer;
}

void Cache::keep(const Key& key, AnswerPointer answer) {
  if (const auto old = entries_.find(key); old != entries_.end()) drop(old);
  const std::uint64_t octets = kEntryOctets + key.name.capacity() + answer->octets();
  if (octets > most_) return;
  const auto [made, fresh] = entries_.try_emplace(key);
  recent_.push_front(&made->first);
  made->second = {std::move(answer), octets, recent_.begin()};
  octets_ += octets;
  shrink();
}

void Cache::drop(Entries::iterator entry) {
  octets_ -= entry->second.octets;
  recent_.erase(entry->second.place);
  entries_.erase(entry);
}

void Cache::shrink() {
  while (octets_ > most_) drop(entries_.find(*recent_.back()));
}

void Cache::clear() {
  recent_.clear();
  entries_.clear();
  octets_ = 0;
}

void Cache::limit(std::uint64_t octets) {
  most_ = octets;
  shrink();
}

}  // namespace ringpost::dns
