// Octets that a session could not take yet: the part of a command line whose end has not come, or what arrived before a
// session that waits could be told to its peer. Blocks of a pool, none while nothing is kept.
//
// Who calls: Connection. Never here: what the octets mean.
#pragma once

#include <array>
#include <cstdint>

#include "ringpost/base/bytes.h"
#include "ringpost/base/slab.h"
#include "ringpost/smtp.h"

namespace ringpost::receive {

// A command line fits whole, so it can be looked at in one piece.
struct Block {
  static constexpr std::size_t kSize = smtp::kCommandLine;
  Block* next = nullptr;
  std::uint16_t begin = 0;
  std::uint16_t end = 0;
  std::array<char, kSize> octets;
  Block() {}  // octets are written before they are read
};

class Backlog {
 public:
  explicit Backlog(Slab<Block>& pool) : pool_(pool) {}
  ~Backlog() { clear(); }
  Backlog(const Backlog&) = delete;
  Backlog& operator=(const Backlog&) = delete;

  [[nodiscard]] bool empty() const { return size_ == 0; }
  [[nodiscard]] std::size_t size() const { return size_; }
  // The first octets that lie in one piece.
  [[nodiscard]] View front() const {
    return {first_->octets.data() + first_->begin, std::size_t{first_->end} - first_->begin};
  }
  // False when the pool is empty: not all of it is kept, and the connection has to end.
  [[nodiscard]] bool append(View octets);
  // As much of `octets` as makes the first piece as long as it can be, if that is all there is; gives how many.
  std::size_t top_up(View octets);
  void consume(std::size_t octets);
  // Makes the first piece longer by what lies behind it; false when it is as long as it can be, or all there is.
  bool join();
  void clear();

 private:
  static std::size_t put(Block& block, View octets);
  static void to_front(Block& block);
  void drop_first();

  Slab<Block>& pool_;
  Block* first_ = nullptr;
  Block* last_ = nullptr;
  std::size_t size_ = 0;
};

}  // namespace ringpost::receive
