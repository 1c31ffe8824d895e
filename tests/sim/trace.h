// What happened, as one number and as the last lines of a story: the proof that two runs of one seed are the same
// run, and what a person reads when a seed fails. Owned by World; every part of the simulation writes to it.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "ringpost/base/time.h"

namespace ringpost::sim {

class Trace {
 public:
  static constexpr std::size_t kKept = 256;  // lines

  // `what` is a string literal. `who` is a core's number, or kWorld.
  void add(Instant when, int who, const char* what, std::uint64_t a = 0, std::uint64_t b = 0);
  // Words of a peer or of the ledger: kept with the lines, and in the hash.
  void note(Instant when, std::string text);
  // Prints each line to stderr as it comes.
  void show(bool on) { show_ = on; }

  [[nodiscard]] std::uint64_t hash() const { return hash_; }
  [[nodiscard]] std::uint64_t lines() const { return count_; }
  // The last lines, oldest first.
  [[nodiscard]] std::vector<std::string> last(std::size_t lines = kKept) const;

  static constexpr int kWorld = -1;

 private:
  struct Line {
    Instant when;
    int who = kWorld;
    const char* what = "";
    std::uint64_t a = 0;
    std::uint64_t b = 0;
    std::string text;
  };
  Line& next_line(Instant when);
  void mix(std::uint64_t value) { hash_ = (hash_ ^ value) * 0x9E3779B97F4A7C15ULL ^ (hash_ >> 29); }
  static std::string render(const Line&);

  std::array<Line, kKept> ring_{};
  std::uint64_t count_ = 0;
  std::uint64_t hash_ = 0x243F6A8885A308D3ULL;
  bool show_ = false;
};

}  // namespace ringpost::sim
