// The walk over classified octets: line ends, bare CR and LF, and the dots that begin a line. The one
// place that knows what a line of a body is. It sees each octet once, save those behind a dot it stops at.
#include <algorithm>
#include <array>
#include <bit>
#include <cstring>

#include "classify.h"

namespace ringpost::smtp::detail {
namespace {

// Blocks classified before they are walked over: enough to hide the call, few enough that a body of nothing but dotted
// lines, which stops the walk at each, costs little.
constexpr std::size_t kBatch = 8;

// The first `count` bits; count is 1 … 64.
constexpr std::uint64_t low_bits(std::size_t count) { return ~std::uint64_t{0} >> (kBlock - count); }

// One block of which `length` octets (1 … 64) count. Gives the octets gone over: fewer than length where a dot begins
// a line. RFC 5321 2.3.8: only CR directly followed by LF ends a line.
std::size_t walk_block(BodyState& state, const Masks& masks, std::size_t length) {
  const std::uint64_t behind_cr = (masks.cr << 1) | std::uint64_t{state.after_cr};
  const std::uint64_t all_ends = masks.lf & behind_cr;
  const std::uint64_t starts = (all_ends << 1) | std::uint64_t{state.line_start};
  const std::uint64_t stops = masks.dot & starts;
  if (stops != 0) length = std::min(length, static_cast<std::size_t>(std::countr_zero(stops)));
  if (length == 0) return 0;

  const std::uint64_t counted = low_bits(length);
  const std::uint64_t ends = all_ends & counted;
  state.facts.bare_lf |= (masks.lf & counted & ~ends) != 0;
  state.facts.bare_cr |= (behind_cr & counted & ~masks.lf) != 0;
  state.after_cr = ((masks.cr >> (length - 1)) & 1) != 0;
  state.line_start = ((ends >> (length - 1)) & 1) != 0;
  state.facts.octets += length;
  return length;
}

// Whole blocks, as long as no dot begins a line in one: the state stays in registers. Gives the blocks walked over.
std::size_t walk_blocks(BodyState& state, const Masks* masks, std::size_t blocks) {
  constexpr int kLast = kBlock - 1;
  std::uint64_t after_cr = state.after_cr ? 1 : 0;
  std::uint64_t line_start = state.line_start ? 1 : 0;
  std::uint64_t bare_cr = 0;
  std::uint64_t bare_lf = 0;
  std::size_t done = 0;
  for (; done < blocks; ++done) {
    const Masks& block = masks[done];
    const std::uint64_t behind_cr = (block.cr << 1) | after_cr;
    const std::uint64_t ends = block.lf & behind_cr;
    if ((block.dot & ((ends << 1) | line_start)) != 0) break;
    bare_lf |= block.lf & ~ends;
    bare_cr |= behind_cr & ~block.lf;
    after_cr = block.cr >> kLast;
    line_start = ends >> kLast;
  }
  state.after_cr = after_cr != 0;
  state.line_start = line_start != 0;
  state.facts.bare_lf |= bare_lf != 0;
  state.facts.bare_cr |= bare_cr != 0;
  state.facts.octets += done * kBlock;
  return done;
}

// Walks over up to kBatch blocks, of which the last may count in part; the octets gone over.
std::size_t walk_batch(BodyState& state, const Masks* masks, std::size_t octets) {
  const std::size_t whole = walk_blocks(state, masks, octets / kBlock);
  const std::size_t done = whole * kBlock;
  if (done == octets) return done;
  return done + walk_block(state, masks[whole], std::min(kBlock, octets - done));
}

// The classifier saw a whole batch; only what was walked over may count, and it may be less.
void note(BodyFacts& facts, Seen seen, View walked, std::size_t classified) {
  if (walked.size() == classified) {
    facts.nul |= seen.nul;
    facts.eight_bit |= seen.eight_bit;
    return;
  }
  if (seen.nul && !facts.nul) facts.nul = walked.find('\0') != View::npos;
  if (seen.eight_bit && !facts.eight_bit)
    facts.eight_bit = std::ranges::any_of(walked, [](char c) { return (c & 0x80) != 0; });
}

}  // namespace

std::size_t walk(BodyState& state, const Classifier& classifier, View octets) {
  std::array<Masks, kBatch> masks;
  std::size_t done = 0;
  while (octets.size() - done >= kBlock) {
    const std::size_t blocks = std::min(kBatch, (octets.size() - done) / kBlock);
    const Seen seen = classifier.classify(octets.data() + done, blocks, masks.data());
    const std::size_t walked = walk_batch(state, masks.data(), blocks * kBlock);
    note(state.facts, seen, octets.substr(done, walked), blocks * kBlock);
    done += walked;
    if (walked < blocks * kBlock) return done;
  }
  const View rest = octets.substr(done);
  if (rest.empty()) return done;
  std::array<char, kBlock> padded;
  padded.fill(' ');
  std::memcpy(padded.data(), rest.data(), rest.size());
  const Seen seen = classifier.classify(padded.data(), 1, masks.data());
  const std::size_t walked = walk_batch(state, masks.data(), rest.size());
  note(state.facts, seen, rest.substr(0, walked), rest.size());
  return done + walked;
}

void step(BodyState& state) {
  ++state.facts.octets;
  state.after_cr = false;
  state.line_start = false;
}

}  // namespace ringpost::smtp::detail
