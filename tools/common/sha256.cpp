// SHA-256; see sha256.h. The constants are FIPS 180-4 4.2.2 and 5.3.3.
#include "sha256.h"

#include <algorithm>
#include <bit>
#include <cstring>

#ifdef __x86_64__
#include <cpuid.h>
#include <immintrin.h>
#endif

namespace ringpost::tools {
namespace {

alignas(16) constexpr std::array<std::uint32_t, 64> kRound{
    0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5,
    0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174,
    0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
    0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967,
    0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
    0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
    0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
    0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2};

constexpr std::array<std::uint32_t, 8> kStart{0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a,
                                              0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19};

std::uint32_t big_endian(const unsigned char* at) {
  return std::uint32_t{at[0]} << 24 | std::uint32_t{at[1]} << 16 | std::uint32_t{at[2]} << 8 | at[3];
}

std::array<std::uint32_t, 64> schedule(const unsigned char* block) {
  std::array<std::uint32_t, 64> words{};
  for (std::size_t i = 0; i < 16; ++i) words[i] = big_endian(block + 4 * i);
  for (std::size_t i = 16; i < 64; ++i) {
    const std::uint32_t a = words[i - 15];
    const std::uint32_t b = words[i - 2];
    words[i] = words[i - 16] + (std::rotr(a, 7) ^ std::rotr(a, 18) ^ a >> 3) + words[i - 7] +
               (std::rotr(b, 17) ^ std::rotr(b, 19) ^ b >> 10);
  }
  return words;
}

}  // namespace

void Sha256::compress_portable(State& state, const unsigned char* blocks, std::size_t count) {
  for (; count > 0; --count, blocks += kBlock) {
    const auto words = schedule(blocks);
    auto [a, b, c, d, e, f, g, h] = state;
    for (std::size_t i = 0; i < 64; ++i) {
      const std::uint32_t first =
          h + (std::rotr(e, 6) ^ std::rotr(e, 11) ^ std::rotr(e, 25)) + ((e & f) ^ (~e & g)) + kRound[i] + words[i];
      const std::uint32_t second =
          (std::rotr(a, 2) ^ std::rotr(a, 13) ^ std::rotr(a, 22)) + ((a & b) ^ (a & c) ^ (b & c));
      h = g;
      g = f;
      f = e;
      e = d + first;
      d = c;
      c = b;
      b = a;
      a = first + second;
    }
    const State sum{a, b, c, d, e, f, g, h};
    for (std::size_t i = 0; i < sum.size(); ++i) state[i] += sum[i];
  }
}

#ifdef __x86_64__

bool Sha256::fast() {
  unsigned a = 0;
  unsigned b = 0;
  unsigned c = 0;
  unsigned d = 0;
  if (__get_cpuid_count(7, 0, &a, &b, &c, &d) == 0) return false;
  return (b & (1U << 29)) != 0 && __builtin_cpu_supports("sse4.1") != 0;
}

// The instructions work on the state as two registers, {a,b,e,f} and {c,d,g,h}, and do two rounds at a time.
__attribute__((target("sha,sse4.1,ssse3"))) void Sha256::compress_by_instructions(State& state,
                                                                                  const unsigned char* blocks,
                                                                                  std::size_t count) {
  const __m128i reverse = _mm_set_epi64x(0x0c0d0e0f08090a0bLL, 0x0405060700010203LL);
  const auto load = [](const void* at) { return _mm_loadu_si128(static_cast<const __m128i*>(at)); };
  const __m128i low = _mm_shuffle_epi32(load(&state[0]), 0xB1);   // b a d c → as the instructions want
  const __m128i high = _mm_shuffle_epi32(load(&state[4]), 0x1B);  // h g f e
  __m128i abef = _mm_alignr_epi8(low, high, 8);
  __m128i cdgh = _mm_blend_epi16(high, low, 0xF0);

  for (; count > 0; --count, blocks += kBlock) {
    const __m128i abef_before = abef;
    const __m128i cdgh_before = cdgh;
    __m128i words[4];
    for (std::size_t i = 0; i < 4; ++i) words[i] = _mm_shuffle_epi8(load(blocks + 16 * i), reverse);
    for (std::size_t i = 0; i < 16; ++i) {
      __m128i& now = words[i % 4];
      const __m128i sum = _mm_add_epi32(now, load(&kRound[4 * i]));
      cdgh = _mm_sha256rnds2_epu32(cdgh, abef, sum);
      abef = _mm_sha256rnds2_epu32(abef, cdgh, _mm_shuffle_epi32(sum, 0x0E));
      if (i >= 12) continue;
      // The four words sixteen further on take the place of those just used.
      const __m128i next = words[(i + 1) % 4];
      const __m128i after = words[(i + 2) % 4];
      const __m128i last = words[(i + 3) % 4];
      now = _mm_add_epi32(_mm_sha256msg1_epu32(now, next), _mm_alignr_epi8(last, after, 4));
      now = _mm_sha256msg2_epu32(now, last);
    }
    abef = _mm_add_epi32(abef, abef_before);
    cdgh = _mm_add_epi32(cdgh, cdgh_before);
  }

  const __m128i feba = _mm_shuffle_epi32(abef, 0x1B);
  const __m128i dchg = _mm_shuffle_epi32(cdgh, 0xB1);
  _mm_storeu_si128(reinterpret_cast<__m128i*>(&state[0]), _mm_blend_epi16(feba, dchg, 0xF0));
  _mm_storeu_si128(reinterpret_cast<__m128i*>(&state[4]), _mm_alignr_epi8(dchg, feba, 8));
}

#else

bool Sha256::fast() { return false; }
void Sha256::compress_by_instructions(State& state, const unsigned char* blocks, std::size_t count) {
  compress_portable(state, blocks, count);
}

#endif

void Sha256::reset() {
  static const Compress best = fast() ? &compress_by_instructions : &compress_portable;
  state_ = kStart;
  partial_size_ = 0;
  octets_ = 0;
  compress_ = best;
}

void Sha256::take(View octets) {
  if (octets.empty()) return;
  octets_ += octets.size();
  if (partial_size_ > 0) {
    const std::size_t part = std::min(octets.size(), kBlock - partial_size_);
    std::memcpy(partial_.data() + partial_size_, octets.data(), part);
    partial_size_ += part;
    octets.remove_prefix(part);
    if (partial_size_ < kBlock) return;
    compress_(state_, partial_.data(), 1);
    partial_size_ = 0;
  }
  const std::size_t whole = octets.size() / kBlock;
  if (whole > 0) compress_(state_, reinterpret_cast<const unsigned char*>(octets.data()), whole);
  octets.remove_prefix(whole * kBlock);
  if (octets.empty()) return;
  std::memcpy(partial_.data(), octets.data(), octets.size());
  partial_size_ = octets.size();
}

Sha256::Hex Sha256::hex() {
  const std::uint64_t bits = octets_ * 8;
  std::array<char, kBlock + 8> padding{};
  padding[0] = static_cast<char>(0x80);
  const std::size_t zeros = (kBlock + 56 - partial_size_ - 1) % kBlock;
  for (std::size_t i = 0; i < 8; ++i) padding[1 + zeros + i] = static_cast<char>(bits >> (56 - 8 * i));
  take(View(padding.data(), 1 + zeros + 8));

  constexpr View kDigits = "0123456789abcdef";
  Hex text{};
  for (std::size_t i = 0; i < kHexLength; ++i) text[i] = kDigits[state_[i / 8] >> (28 - 4 * (i % 8)) & 0xF];
  return text;
}

Sha256::Hex Sha256::hex_of(View octets, bool by_instructions) {
  Sha256 hash;
  hash.compress_ = by_instructions && fast() ? &compress_by_instructions : &compress_portable;
  hash.take(octets);
  return hash.hex();
}

}  // namespace ringpost::tools
