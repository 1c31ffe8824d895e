// A core's box for letters from other threads: a bounded queue with many writers and one reader, and an eventfd as
// its doorbell, rung only when the reader sleeps. Owned by the Fleet; written by rings, helper threads and
// Fleet::mail_to; read by its core's ring.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>

#include "ringpost/base/fd.h"
#include "ringpost/ring.h"

namespace ringpost::ring {

class Mailbox {
 public:
  static constexpr std::uint32_t kLetters = 4096;  // that may wait in a box; a power of two

  Mailbox();

  // Any thread; false: full, try again later. Letters of one writer stay in order.
  bool push(const Mail& mail);
  // The reader's thread.
  bool pop(Mail& mail);
  [[nodiscard]] bool empty() const;

  // The reader says that it will sleep unless something is in the box; false: something is, so it must not.
  bool sleep_if_empty();
  void wake() { sleeping_.store(false, std::memory_order_relaxed); }
  // A writer, after its pushes: true once for each sleep, for the one writer that then rings the bell.
  bool claim_bell();
  void ring_bell() const;
  [[nodiscard]] int bell() const { return bell_.get(); }  // -1: no descriptor was left for it

 private:
  struct Letter {
    // Equal to its number: free for that push. Number + 1: filled, free for that pop.
    std::atomic<std::uint32_t> turn;
    Mail mail;
  };

  std::unique_ptr<Letter[]> letters_;
  Fd bell_;
  alignas(64) std::atomic<std::uint32_t> next_push_ = 0;
  alignas(64) std::uint32_t next_pop_ = 0;
  alignas(64) std::atomic<bool> sleeping_ = false;
};

}  // namespace ringpost::ring
