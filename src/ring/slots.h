// The slot table: what the kernel (or a helper thread, or a queue of the ring) is doing for each operation. A slot
// holds all that is needed to ask the kernel again, so an operation that was parked, cut short or ended early by the
// kernel goes on without its owner. The kernel's user_data is slot number and generation: a completion for a life of
// the slot that is over is told apart from one of the present life.
//
// Owned and called by KernelRing only. Never calls a handler.
#pragma once

#include <netinet/in.h>
#include <sys/socket.h>

#include <cstdint>

#include "ringpost/base/slab.h"
#include "ringpost/ring.h"

namespace ringpost::ring {

inline constexpr std::uint32_t kNoSlot = UINT32_MAX;

enum class Kind : std::uint8_t { accept, receive, connect, send, open, read, write, sync, allocate, remove, help };

enum class Where : std::uint8_t {
  free,
  kernel,    // an entry for it is in the submission queue or in the kernel
  parked,    // a receive that waits for provided buffers
  paused,    // an accept that waits for descriptors or memory
  settling,  // cancelled while it was not in the kernel: completes with -ECANCELED in the next turn
  helper,    // on a helper thread
};

// The pieces of a send that has several: the kernel reads them until the completion.
struct SendBlock {
  msghdr header;
  iovec pieces[kSendPieces];
  SendBlock* next_free;
};

struct Slot {
  Operation* operation;
  std::uint32_t generation;
  std::uint32_t next;      // in the queue or free chain it stands in
  std::uint32_t previous;  // in its queue
  std::int32_t fd;
  Kind kind;
  Where where;
  bool cancelled;
  bool input_waits;  // receive: the socket had more when it was last read
  bool datagram;     // receive: one a completion

  struct Sending {
    SendBlock* block;  // null: one piece
    const char* piece;
    std::uint32_t left;  // octets of the whole send that are still to go
    std::uint32_t sent;
  };
  struct Transfer {
    char* octets;
    std::uint64_t offset;
    std::uint32_t size;
    std::int32_t flags;
  };
  struct Path {
    const char* path;
    std::int32_t flags;
    bool direct_if_possible;
  };
  struct Address {
    sockaddr_in6 octets;  // or a sockaddr_in
    std::uint16_t size;
  };
  union {
    Sending sending;
    Transfer transfer;
    Path path;
    Address address;
    std::uint32_t after_cancel;  // receive: octets handed over since cancel()
  };
};
static_assert(sizeof(Slot) <= 80, "an idle connection owns one for its receive: keep it small");

// Slots in the order they came, by number: a member can leave from the middle.
struct SlotQueue {
  std::uint32_t first = kNoSlot;
  std::uint32_t last = kNoSlot;
  [[nodiscard]] bool empty() const { return first == kNoSlot; }
};

class SlotTable {
 public:
  explicit SlotTable(std::uint32_t capacity);

  // A zeroed slot in state `kernel`; more than `capacity` at once is a bug of whoever sized the ring.
  std::uint32_t take(Operation& operation, Kind kind);
  void release(std::uint32_t index);

  Slot& operator[](std::uint32_t index) { return slots_[index]; }
  // The kernel's user_data for the present life of a slot, and back: the slot's number, or kNoSlot when the life
  // it was made for is over.
  [[nodiscard]] std::uint64_t ticket(std::uint32_t index) const {
    return std::uint64_t{slots_[index].generation} << 32 | index;
  }
  [[nodiscard]] std::uint32_t find(std::uint64_t ticket) const {
    const auto index = static_cast<std::uint32_t>(ticket);
    if (index >= touched_ || slots_[index].where == Where::free) return kNoSlot;
    return slots_[index].generation == static_cast<std::uint32_t>(ticket >> 32) ? index : kNoSlot;
  }

  void push(SlotQueue& queue, std::uint32_t index, Where where);
  void leave(SlotQueue& queue, std::uint32_t index);
  std::uint32_t pop(SlotQueue& queue);

  [[nodiscard]] std::uint32_t used() const { return used_; }
  [[nodiscard]] std::uint32_t touched() const { return touched_; }  // slots below this one were used at least once

 private:
  Reservation memory_;
  Slot* slots_;
  std::uint32_t capacity_;
  std::uint32_t touched_ = 0;
  std::uint32_t used_ = 0;
  std::uint32_t free_ = kNoSlot;
};

// Send blocks, made in chunks as the number of sends at once grows, and reused for ever.
class SendBlocks {
 public:
  SendBlock* take();
  void release(SendBlock* block);

 private:
  static constexpr std::size_t kChunk = 64;
  std::vector<std::unique_ptr<SendBlock[]>> chunks_;
  SendBlock* free_ = nullptr;
};

}  // namespace ringpost::ring
