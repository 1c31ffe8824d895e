#include "restrict.h"

#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>

namespace ringpost::ring {
namespace {

// What may stand in an entry's flags: a receive's provided buffer, and a cancel that completes only when it failed.
constexpr std::uint8_t kEntryFlags = IOSQE_BUFFER_SELECT | IOSQE_CQE_SKIP_SUCCESS;
// The only registration that a running ring still needs: giving back its own descriptor at its end.
constexpr std::uint8_t kRegistration = IORING_UNREGISTER_RING_FDS;

// liburing 2.3 declares these two and does not have them.
int registration(const io_uring& ring, unsigned what, const void* argument, unsigned count) {
  const long result = ::syscall(SYS_io_uring_register, ring.ring_fd, what, argument, count);
  return result < 0 ? -errno : 0;
}

}  // namespace

int restrict_and_enable(io_uring& ring) {
  std::array<io_uring_restriction, kOperations.size() + 2> restrictions{};
  for (std::size_t i = 0; i < kOperations.size(); ++i) {
    restrictions[i].opcode = IORING_RESTRICTION_SQE_OP;
    restrictions[i].sqe_op = static_cast<std::uint8_t>(kOperations[i].code);
  }
  restrictions[kOperations.size()].opcode = IORING_RESTRICTION_SQE_FLAGS_ALLOWED;
  restrictions[kOperations.size()].sqe_flags = kEntryFlags;
  restrictions[kOperations.size() + 1].opcode = IORING_RESTRICTION_REGISTER_OP;
  restrictions[kOperations.size() + 1].register_op = kRegistration;
  const int error = registration(ring, IORING_REGISTER_RESTRICTIONS, restrictions.data(), restrictions.size());
  return error < 0 ? error : registration(ring, IORING_REGISTER_ENABLE_RINGS, nullptr, 0);
}

}  // namespace ringpost::ring
