// Spool ids as text: 13 letters of 5 bits, most significant first; the first letter holds the top 4 bits.
#include "ringpost/base/ids.h"

#include <cstring>

namespace ringpost {

namespace {

constexpr std::string_view kAlphabet = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";
constexpr int kBitsPerLetter = 5;
constexpr std::uint64_t kLetterMask = (1U << kBitsPerLetter) - 1;
constexpr std::uint8_t kNoDigit = 0xFF;

constexpr std::array<std::uint8_t, 256> make_digits() {
  std::array<std::uint8_t, 256> digits{};
  digits.fill(kNoDigit);
  for (std::size_t i = 0; i < kAlphabet.size(); ++i) {
    const char letter = kAlphabet[i];
    digits[static_cast<unsigned char>(letter)] = static_cast<std::uint8_t>(i);
    if (letter >= 'A') digits[static_cast<unsigned char>(letter | 0x20)] = static_cast<std::uint8_t>(i);
  }
  return digits;
}

constexpr std::array<std::uint8_t, 256> kDigits = make_digits();

// Two letters at once, by their ten bits.
constexpr int kBitsPerPair = 2 * kBitsPerLetter;
constexpr std::uint64_t kPairMask = (1U << kBitsPerPair) - 1;
constexpr std::array<std::array<char, 2>, kPairMask + 1> kPairs = [] {
  std::array<std::array<char, 2>, kPairMask + 1> pairs{};
  for (std::size_t i = 0; i < pairs.size(); ++i)
    pairs[i] = {kAlphabet[i >> kBitsPerLetter], kAlphabet[i & kLetterMask]};
  return pairs;
}();

}  // namespace

std::array<char, SpoolId::kTextLength> SpoolId::letters() const {
  std::array<char, kTextLength> out;
  std::uint64_t rest = value;
  for (std::size_t i = kTextLength; i >= 2; i -= 2) {
    std::memcpy(&out[i - 2], kPairs[rest & kPairMask].data(), 2);
    rest >>= kBitsPerPair;
  }
  out[0] = kAlphabet[rest];
  return out;
}

std::string SpoolId::text() const {
  const auto all = letters();
  return {all.data(), all.size()};
}

std::optional<SpoolId> SpoolId::parse(std::string_view text) {
  if (text.size() != kTextLength) return std::nullopt;
  std::uint64_t value = 0;
  for (std::size_t i = 0; i < kTextLength; ++i) {
    const std::uint8_t digit = kDigits[static_cast<unsigned char>(text[i])];
    // 13 letters hold 65 bits: a first letter past 15 would not come back from text().
    if (digit == kNoDigit || (i == 0 && digit > 15)) return std::nullopt;
    value = (value << kBitsPerLetter) | digit;
  }
  return SpoolId{value};
}

}  // namespace ringpost
