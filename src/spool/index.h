// Where each live message is: 44 octets a message and 16 of notes, in tables that are address space until they are
// touched, so that ten million fit and one costs nothing. Entries lie densely in a table; a linear-hashed bucket array
// leads to them, which grows one bucket at a time (a growing rehash would stop the loop, a full-size scattered one
// would touch all of its pages).
//
// Owns the tables. Called by recovery, log, loader. Never does I/O. One thread.
#pragma once

#include <algorithm>
#include <cstdint>

#include "ringpost/base/ids.h"
#include "ringpost/base/slab.h"
#include "ringpost/spool.h"

namespace ringpost::spool {

inline constexpr std::uint32_t kNoSegment = UINT32_MAX;
inline constexpr std::uint32_t kNoResident = UINT32_MAX;

struct Entry {
  SpoolId id;                            // zero: free
  std::uint32_t next = 0;                // entry number + 1 of the next in the bucket or in the free list
  std::uint32_t resident = kNoResident;  // slot of the Message in memory
  std::uint32_t segment = kNoSegment;    // slot of the segment with the message record
  std::uint32_t offset = 0;              // of the record's head there, in units of kRecordAlign
  std::uint32_t length : 24 = 0;         // octets of the record with its head
  std::uint32_t any_open : 1 = 0;        // some recipient is open
  std::uint32_t large : 1 = 0;           // the content is in a file of its own
  std::uint32_t damaged : 1 = 0;         // its octets fail their checksum: kept, never delivered
  std::uint32_t ending : 1 = 0;          // its end record is on the way
  std::uint32_t spare_bits : 4 = 0;
  std::uint32_t state_segment = kNoSegment;  // slot of the segment with the latest state record
  std::uint32_t state_offset = 0;            // as offset
  std::uint32_t state_length : 24 = 0;       // octets of that record with its head
  std::uint32_t state_damaged : 1 = 0;       // a state record of it is unreadable and none came after
};
static_assert(sizeof(Entry) == 40);

class Index {
 public:
  explicit Index(std::size_t capacity);

  // The entry of `id`, or null.
  [[nodiscard]] Entry* find(SpoolId id) const;
  // A new entry, or null when the table is full or has the id already.
  Entry* insert(SpoolId id);
  void erase(SpoolId id);

  [[nodiscard]] std::size_t size() const { return size_; }
  [[nodiscard]] std::size_t capacity() const { return capacity_; }
  [[nodiscard]] std::size_t octets_touched() const;

  template <class Visit>
  void for_each(Visit&& visit) const {
    scan(0, touched_, visit);
  }
  // The entries at `places` places from `from` on; gives the next place, 0 at the end of the table.
  template <class Visit>
  std::size_t scan(std::size_t from, std::size_t places, Visit&& visit) const {
    const std::size_t end = std::min<std::size_t>(touched_, from + places);
    for (std::size_t i = from; i < end; ++i)
      if (entries()[i].id.value != 0) visit(entries()[i]);
    return end < touched_ ? end : 0;
  }
  // Of an entry of this index.
  [[nodiscard]] Note& note(const Entry& entry) const {
    return reinterpret_cast<Note*>(notes_.data())[&entry - entries()];
  }

 private:
  [[nodiscard]] Entry* entries() const { return reinterpret_cast<Entry*>(entries_.data()); }
  [[nodiscard]] std::uint32_t* buckets() const { return reinterpret_cast<std::uint32_t*>(buckets_.data()); }
  [[nodiscard]] std::size_t bucket_of(SpoolId id) const;
  void split_one();

  std::size_t capacity_;
  std::size_t size_ = 0;
  std::uint32_t touched_ = 0;
  std::uint32_t free_ = 0;    // entry number + 1
  std::size_t level_ = 1024;  // buckets when this round of splitting began, a power of two
  std::size_t split_ = 0;     // the next bucket to split; those before it have a twin at +level_
  Reservation entries_;
  Reservation buckets_;
  Reservation notes_;
};

}  // namespace ringpost::spool
