// SHA-256 (FIPS 180-4) for the tools' ledgers: what proves that a message left as it came. By the CPU's SHA
// instructions where it has them. Not for secrets: the relay's own hashing is the crypto room's.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "ringpost/base/bytes.h"

namespace ringpost::tools {

class Sha256 {
 public:
  static constexpr std::size_t kHexLength = 64;
  using Hex = std::array<char, kHexLength>;

  Sha256() { reset(); }
  void reset();
  void take(View octets);
  // Lower-case hexadecimal digits of the hash of all that was taken; then reset() begins another.
  Hex hex();

  static bool fast();  // this CPU has the instructions

  // For tests: the one or the other way, whatever the CPU prefers.
  static Hex hex_of(View octets, bool by_instructions);

 private:
  static constexpr std::size_t kBlock = 64;
  using State = std::array<std::uint32_t, 8>;
  using Compress = void (*)(State&, const unsigned char* blocks, std::size_t count);
  static void compress_portable(State& state, const unsigned char* blocks, std::size_t count);
  static void compress_by_instructions(State& state, const unsigned char* blocks, std::size_t count);

  State state_{};
  std::array<unsigned char, kBlock> partial_{};
  std::size_t partial_size_ = 0;
  std::uint64_t octets_ = 0;
  Compress compress_;
};

inline View view_of(const Sha256::Hex& hex) { return {hex.data(), hex.size()}; }

}  // namespace ringpost::tools
