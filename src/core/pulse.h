// Whether the loop of every core still turns, found by letters: each core answers one a round by marking its number.
// Private to core: the main thread asks (serve), a core answers from its mail, a core's thread says when it has ended.
#pragma once

#include <atomic>
#include <cstdint>
#include <limits>
#include <vector>

#include "core/post.h"
#include "ringpost/ring.h"

namespace ringpost::core {

class Pulse {
 public:
  explicit Pulse(unsigned cores) : marks_(cores) {}

  // The first core that has not answered the last round; cores() when all have.
  [[nodiscard]] unsigned silent() const {
    for (unsigned core = 0; core < marks_.size(); ++core)
      if (marks_[core].load(std::memory_order_relaxed) < round_) return core;
    return cores();
  }
  [[nodiscard]] unsigned cores() const { return static_cast<unsigned>(marks_.size()); }
  [[nodiscard]] bool all_answered() const { return silent() == cores(); }

  // Asks each core that has not ended. Only when all have answered: so no box holds more than one such letter.
  void ask(ring::Fleet& fleet) {
    ++round_;
    for (std::uint16_t core = 0; core < cores(); ++core) {
      if (marks_[core].load(std::memory_order_relaxed) == kEnded) continue;
      ring::Mail letter = mail_of(Post::pulse, {}, &marks_[core]);
      letter.words[0] = round_;
      fleet.mail_to({core}, letter);
    }
  }
  // A core's answer to such a letter.
  static void answer(const ring::Mail& letter) {
    static_cast<std::atomic<std::uint64_t>*>(letter.pointer)->store(letter.words[0], std::memory_order_relaxed);
  }
  // The core's loop is over: nobody waits for it any more.
  void ended(CoreId core) { marks_[core.value].store(kEnded, std::memory_order_relaxed); }

 private:
  static constexpr std::uint64_t kEnded = std::numeric_limits<std::uint64_t>::max();
  std::vector<std::atomic<std::uint64_t>> marks_;  // by core: the last round it answered
  std::uint64_t round_ = 0;
};

}  // namespace ringpost::core
