// CRC32C (Castagnoli), as RFC 3720 B.4 has it; SSE 4.2 or ARMv8 instructions where the CPU has them.
#pragma once

#include <cstdint>

#include "ringpost/base/bytes.h"

namespace ringpost {

// The checksum of `octets` going on from `seed` (the value an earlier call returned; 0 to begin). Any thread.
std::uint32_t crc32c(View octets, std::uint32_t seed = 0);

// The same without special instructions, for the CPU that has none and for tests that compare the two.
std::uint32_t crc32c_portable(View octets, std::uint32_t seed = 0);

}  // namespace ringpost
