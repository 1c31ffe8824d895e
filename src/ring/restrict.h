// What a ring is good for: the operations that this room asks for, and no others. The probe looks for them in the
// kernel; a ring that was made disabled is restricted to them before it is enabled (IORING_REGISTER_RESTRICTIONS,
// Linux 5.10), so that code which got into the process cannot use it for what the relay never does: other operations,
// linked ones, fixed files, more registrations.
#pragma once

#include <array>

#include "uring.h"

namespace ringpost::ring {

struct Needed {
  int code;
  const char* name;
};
inline constexpr std::array kOperations{
    Needed{IORING_OP_ACCEPT, "accept"},   Needed{IORING_OP_RECV, "receive"},
    Needed{IORING_OP_SEND, "send"},       Needed{IORING_OP_SENDMSG, "send of several pieces"},
    Needed{IORING_OP_CONNECT, "connect"}, Needed{IORING_OP_ASYNC_CANCEL, "cancel"},
    Needed{IORING_OP_READ, "read"},       Needed{IORING_OP_WRITE, "write"},
    Needed{IORING_OP_FSYNC, "sync"},      Needed{IORING_OP_FALLOCATE, "allocate"},
    Needed{IORING_OP_OPENAT, "open"},     Needed{IORING_OP_UNLINKAT, "remove"},
};

// Restricts a ring that was set up with IORING_SETUP_R_DISABLED, and enables it; 0 or -errno. What is registered with
// it must be there before.
int restrict_and_enable(io_uring& ring);

}  // namespace ringpost::ring
