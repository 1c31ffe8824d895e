// The classifiers (AVX2, SSE2, plain words) and their choice by CPU. See classify.h.
#include "classify.h"

#include <bit>
#include <cstring>

#include "ringpost/base/check.h"

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace ringpost::smtp {
namespace detail {
namespace {

// ---- Plain words: eight octets in one integer, for CPUs that we have no better code for ------------------------

constexpr std::uint64_t kOnes = 0x0101010101010101;
constexpr std::uint64_t kLow7 = 0x7F7F7F7F7F7F7F7F;

// Bit 7 of each octet of the result is set where that octet of `word` is zero; exact, no carry between octets.
constexpr std::uint64_t zero_octets(std::uint64_t word) { return ~(((word & kLow7) + kLow7) | word | kLow7); }

// The eight bits 7, gathered into the low octet in order.
constexpr std::uint64_t gather(std::uint64_t bits) { return ((bits >> 7) * 0x0102040810204080) >> 56; }

constexpr std::uint64_t mask_of(std::uint64_t word, char octet) {
  return gather(zero_octets(word ^ (kOnes * static_cast<unsigned char>(octet))));
}

Seen classify_scalar(const char* octets, std::size_t blocks, Masks* out) {
  std::uint64_t zeros = 0;
  std::uint64_t all = 0;
  for (std::size_t block = 0; block < blocks; ++block) {
    Masks masks{0, 0, 0};
    for (std::size_t part = 0; part < kBlock / 8; ++part) {
      std::uint64_t word = 0;
      std::memcpy(&word, octets + block * kBlock + part * 8, sizeof word);
      if constexpr (std::endian::native == std::endian::big) word = __builtin_bswap64(word);
      masks.cr |= mask_of(word, '\r') << (part * 8);
      masks.lf |= mask_of(word, '\n') << (part * 8);
      masks.dot |= mask_of(word, '.') << (part * 8);
      zeros |= zero_octets(word);
      all |= word;
    }
    out[block] = masks;
  }
  return {zeros != 0, (all & ~kLow7) != 0};
}

constexpr Classifier kScalar{classify_scalar};

#if defined(__x86_64__)

// ---- SSE2: every x86-64 has it ---------------------------------------------------------------------------------

std::uint64_t bits_sse2(__m128i equal) { return static_cast<std::uint32_t>(_mm_movemask_epi8(equal)); }

Seen classify_sse2(const char* octets, std::size_t blocks, Masks* out) {
  const __m128i cr = _mm_set1_epi8('\r');
  const __m128i lf = _mm_set1_epi8('\n');
  const __m128i dot = _mm_set1_epi8('.');
  __m128i least = _mm_set1_epi8(1);
  __m128i all = _mm_setzero_si128();
  for (std::size_t block = 0; block < blocks; ++block) {
    Masks masks{0, 0, 0};
    for (std::size_t part = 0; part < kBlock / 16; ++part) {
      const __m128i v = _mm_loadu_si128(reinterpret_cast<const __m128i*>(octets + block * kBlock + part * 16));
      masks.cr |= bits_sse2(_mm_cmpeq_epi8(v, cr)) << (part * 16);
      masks.lf |= bits_sse2(_mm_cmpeq_epi8(v, lf)) << (part * 16);
      masks.dot |= bits_sse2(_mm_cmpeq_epi8(v, dot)) << (part * 16);
      least = _mm_min_epu8(least, v);
      all = _mm_or_si128(all, v);
    }
    out[block] = masks;
  }
  return {_mm_movemask_epi8(_mm_cmpeq_epi8(least, _mm_setzero_si128())) != 0, _mm_movemask_epi8(all) != 0};
}

constexpr Classifier kSse2{classify_sse2};

// ---- AVX2 ------------------------------------------------------------------------------------------------------

[[gnu::target("avx2")]] inline std::uint64_t bits_avx2(__m256i low, __m256i high) {
  return static_cast<std::uint32_t>(_mm256_movemask_epi8(low)) |
         (std::uint64_t{static_cast<std::uint32_t>(_mm256_movemask_epi8(high))} << 32);
}

[[gnu::target("avx2")]] Seen classify_avx2(const char* octets, std::size_t blocks, Masks* out) {
  const __m256i cr = _mm256_set1_epi8('\r');
  const __m256i lf = _mm256_set1_epi8('\n');
  const __m256i dot = _mm256_set1_epi8('.');
  __m256i least = _mm256_set1_epi8(1);
  __m256i all = _mm256_setzero_si256();
  for (std::size_t block = 0; block < blocks; ++block) {
    const auto* at = reinterpret_cast<const __m256i*>(octets + block * kBlock);
    const __m256i low = _mm256_loadu_si256(at);
    const __m256i high = _mm256_loadu_si256(at + 1);
    out[block].cr = bits_avx2(_mm256_cmpeq_epi8(low, cr), _mm256_cmpeq_epi8(high, cr));
    out[block].lf = bits_avx2(_mm256_cmpeq_epi8(low, lf), _mm256_cmpeq_epi8(high, lf));
    out[block].dot = bits_avx2(_mm256_cmpeq_epi8(low, dot), _mm256_cmpeq_epi8(high, dot));
    least = _mm256_min_epu8(least, _mm256_min_epu8(low, high));
    all = _mm256_or_si256(all, _mm256_or_si256(low, high));
  }
  return {_mm256_movemask_epi8(_mm256_cmpeq_epi8(least, _mm256_setzero_si256())) != 0, _mm256_movemask_epi8(all) != 0};
}

constexpr Classifier kAvx2{classify_avx2};

const Classifier& best() {
  static const Classifier& chosen = __builtin_cpu_supports("avx2") ? kAvx2 : kSse2;
  return chosen;
}

#else

const Classifier& best() { return kScalar; }

#endif

}  // namespace

const Classifier& classifier(Simd simd) {
  CHECK(simd_available(simd));
#if defined(__x86_64__)
  if (simd == Simd::avx2) return kAvx2;
  if (simd == Simd::sse2) return kSse2;
#endif
  return simd == Simd::scalar ? kScalar : best();
}

}  // namespace detail

bool simd_available(Simd simd) {
  switch (simd) {
    case Simd::best:
    case Simd::scalar:
      return true;
#if defined(__x86_64__)
    case Simd::sse2:
      return true;
    case Simd::avx2:
      return __builtin_cpu_supports("avx2") != 0;
#else
    case Simd::sse2:
    case Simd::avx2:
      return false;
#endif
  }
  return false;
}

}  // namespace ringpost::smtp
