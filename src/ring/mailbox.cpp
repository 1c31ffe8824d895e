// The mailbox; see mailbox.h.
#include "mailbox.h"

#include <sys/eventfd.h>
#include <unistd.h>

namespace ringpost::ring {

// Not EFD_NONBLOCK: the ring's read on it would come back at once instead of waiting.
Mailbox::Mailbox() : letters_(std::make_unique<Letter[]>(kLetters)), bell_(eventfd(0, EFD_CLOEXEC)) {
  for (std::uint32_t i = 0; i < kLetters; ++i) letters_[i].turn.store(i, std::memory_order_relaxed);
}

bool Mailbox::push(const Mail& mail) {
  std::uint32_t number = next_push_.load(std::memory_order_relaxed);
  for (;;) {
    Letter& letter = letters_[number % kLetters];
    const auto ahead = static_cast<std::int32_t>(letter.turn.load(std::memory_order_acquire) - number);
    if (ahead < 0) return false;
    if (ahead > 0) {
      number = next_push_.load(std::memory_order_relaxed);
      continue;
    }
    if (next_push_.compare_exchange_weak(number, number + 1, std::memory_order_relaxed)) {
      letter.mail = mail;
      letter.turn.store(number + 1, std::memory_order_release);
      return true;
    }
  }
}

bool Mailbox::pop(Mail& mail) {
  Letter& letter = letters_[next_pop_ % kLetters];
  if (letter.turn.load(std::memory_order_acquire) != next_pop_ + 1) return false;
  mail = letter.mail;
  letter.turn.store(next_pop_ + kLetters, std::memory_order_release);
  ++next_pop_;
  return true;
}

bool Mailbox::empty() const {
  return letters_[next_pop_ % kLetters].turn.load(std::memory_order_acquire) != next_pop_ + 1;
}

// Sleeper and writer each write first and read then, with a full fence between: at least one sees the other.
bool Mailbox::sleep_if_empty() {
  sleeping_.store(true, std::memory_order_relaxed);
  std::atomic_thread_fence(std::memory_order_seq_cst);
  if (empty()) return true;
  wake();
  return false;
}

bool Mailbox::claim_bell() {
  std::atomic_thread_fence(std::memory_order_seq_cst);
  return sleeping_.load(std::memory_order_relaxed) && sleeping_.exchange(false, std::memory_order_relaxed);
}

void Mailbox::ring_bell() const {
  const std::uint64_t one = 1;
  // It fails only when 2^64 - 2 rings are unread, and then the reader has long been called.
  [[maybe_unused]] const ssize_t written = ::write(bell_.get(), &one, sizeof one);
}

}  // namespace ringpost::ring
