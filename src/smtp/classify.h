// Octets classified 64 at a time: where a body holds CR, LF and dots, and whether it holds NUL or 8-bit octets.
// One Classifier per instruction set; the walk over their masks is one piece of code for all of them, so that the
// instruction sets can differ in nothing but speed. Owns nothing. Called by body.cpp and stuffer.cpp only.
#pragma once

#include <cstddef>
#include <cstdint>

#include "ringpost/smtp.h"

namespace ringpost::smtp::detail {

inline constexpr std::size_t kBlock = 64;  // octets: one bit each in a mask

// Bit n is octet n of the block.
struct Masks {
  std::uint64_t cr;
  std::uint64_t lf;
  std::uint64_t dot;
};

struct Seen {
  bool nul;
  bool eight_bit;
};

struct Classifier {
  // Fills out[0 … blocks - 1] for blocks * kBlock octets; says what was seen in all of them together.
  Seen (*classify)(const char* octets, std::size_t blocks, Masks* out);
};

// Goes over `octets`, which follow what `state` has seen, up to the first dot that begins a line (RFC 5321 4.5.2) or to
// the end; gives the number of octets gone over and adds exactly those to the state.
std::size_t walk(BodyState& state, const Classifier& classifier, View octets);

// Goes over one octet that is neither CR nor LF: the dot at which walk() stopped, or the octet behind a removed one.
void step(BodyState& state);

}  // namespace ringpost::smtp::detail
