// What was answered and still holds: answers by question, bounded in octets; the least recently used one goes first.
// Owned by the Resolver.
#pragma once

#include <list>
#include <string>
#include <unordered_map>

#include "ringpost/dns.h"

namespace ringpost::dns {

struct Key {
  std::string name;
  Type type = Type::a;
  bool operator==(const Key&) const = default;
};
struct KeyHash {
  std::size_t operator()(const Key& key) const {
    return std::hash<std::string>{}(key.name) ^ (static_cast<std::size_t>(key.type) * 0x9E3779B97F4A7C15ULL);
  }
};

class Cache {
 public:
  explicit Cache(std::uint64_t octets) : most_(octets) {}

  // Null: not known, or not any more.
  AnswerPointer find(const Key& key, Instant now);
  void keep(const Key& key, AnswerPointer answer);
  void clear();
  void limit(std::uint64_t octets);
  [[nodiscard]] std::size_t entries() const { return entries_.size(); }
  [[nodiscard]] std::uint64_t octets() const { return octets_; }

 private:
  struct Entry {
    AnswerPointer answer;
    std::uint64_t octets = 0;
    std::list<const Key*>::iterator place;  // in recent_
  };
  using Entries = std::unordered_map<Key, Entry, KeyHash>;
  void drop(Entries::iterator entry);
  void shrink();

  std::uint64_t most_;
  std::uint64_t octets_ = 0;
  Entries entries_;
  std::list<const Key*> recent_;  // the most recently used one first; keys of entries_
};

}  // namespace ringpost::dns
