// The one place that includes liburing. Debian 12's liburing 2.3 lacks names that newer kernels know: they are
// wrapped here, once, with the kernel they came with. What is newer than Linux 6.1 is used only where the probe
// finds it.
#pragma once

#include <liburing.h>

#include <cstdint>

namespace ringpost::ring::uring {

// Linux 6.10: one receive may fill several provided buffers, in ring order.
inline constexpr std::uint16_t kReceiveBundle = 1U << 4;  // IORING_RECVSEND_BUNDLE

// Linux 6.17: the octets after which a multishot receive ends by itself (sqe->optlen, the field that liburing 2.3
// calls file_index). Older kernels refuse a receive that sets it.
inline void limit_receive_total(io_uring_sqe& sqe, std::uint32_t octets) { sqe.file_index = octets; }

inline constexpr unsigned kSetupFlags =
    IORING_SETUP_CQSIZE |         // room for completions of many connections in one turn
    IORING_SETUP_SUBMIT_ALL |     // one refused entry does not hold back those behind it
    IORING_SETUP_SINGLE_ISSUER |  // a ring is its thread's alone: the kernel takes fewer locks
    IORING_SETUP_DEFER_TASKRUN;   // completions are made when we ask, in one batch, not by interrupts (Linux 6.1)

}  // namespace ringpost::ring::uring
