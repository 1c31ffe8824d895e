// The walk over classified octets: line ends, bare CR and LF, line lengths, and the dots that begin a line. The one
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

void count_lines(BodyState& state, std::uint64_t ends, std::size_t length) {
  std::size_t begin = 0;
  for (; ends != 0; ends &= ends - 1) {
    const auto end = static_cast<std::size_t>(std::countr_zero(ends)) + 1;
    const std::uint64_t octets = state.line + (end - begin) - 2;  // its CR is always on the same line
    state.facts.longest_line = std::max(state.facts.longest_line, octets);
    state.line = 0;
    begin = end;
  }
  state.line += length - begin;
}

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
  count_lines(state, ends, length);
  state.after_cr = ((masks.cr >> (length - 1)) & 1) != 0;
  state.line_start = ((ends >> (length - 1)) & 1) != 0;
  state.facts.octets += length;
  return length;
}

// Walks over up to kBatch whole blocks; the octets gone over.
std::size_t walk_batch(BodyState& state, const Masks* masks, std::size_t octets) {
  std::size_t done = 0;
  while (done < octets) {
    const std::size_t length = std::min(kBlock, octets - done);
    const std::size_t walked = walk_block(state, masks[done / kBlock], length);
    done += walked;
    if (walked < length) break;
  }
  return done;
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
  ++state.line;
  state.after_cr = false;
  state.line_start = false;
}

}  // namespace ringpost::smtp::detail
