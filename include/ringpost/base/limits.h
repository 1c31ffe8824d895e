// Sizes fixed when the program is built (meson_options.txt says why one would change them) and the relations
// between them that other rooms build on. Limits that a peer or an operator sees are configuration keys instead.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>

#include "ringpost_options.h"

namespace ringpost {

inline constexpr std::uint32_t kRingEntries = RINGPOST_RING_ENTRIES;               // submission queue, per core
inline constexpr std::uint32_t kCompletionEntries = RINGPOST_COMPLETION_ENTRIES;   // completion queue, per core
inline constexpr std::uint32_t kReceiveBuffers = RINGPOST_RECEIVE_BUFFERS;         // provided buffers, per core
inline constexpr std::uint32_t kReceiveBufferSize = RINGPOST_RECEIVE_BUFFER_SIZE;  // octets of each
inline constexpr std::size_t kBodyChunkSize = RINGPOST_BODY_CHUNK_SIZE;            // octets of a pooled body chunk
inline constexpr std::size_t kCommitBufferSize = RINGPOST_COMMIT_BUFFER_SIZE;      // octets of one spool batch at most

inline constexpr std::size_t kDiskBlock = 4096;  // octets: the unit of O_DIRECT writes and of a page

static_assert(std::has_single_bit(kRingEntries),
              "the kernel rounds ring_entries up to a power of two: say so yourself");
static_assert(std::has_single_bit(kCompletionEntries) && kCompletionEntries >= 2 * kRingEntries);
static_assert(std::has_single_bit(kReceiveBuffers) && kReceiveBuffers <= 32768, "a buffer ring's own bounds");
static_assert(kBodyChunkSize % kDiskBlock == 0);
static_assert(kCommitBufferSize % kDiskBlock == 0);

}  // namespace ringpost
