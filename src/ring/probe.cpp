// What this kernel lacks, found by trying: versions say little about a kernel with backports, a container's seccomp
// profile or a sysctl. Owns a small ring of its own for each question. Called at start and by `ringpost check`.
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>

#include "buffers.h"
#include "kernel_ring.h"
#include "restrict.h"
#include "ringpost/base/fd.h"
#include "uring.h"

namespace ringpost::ring {
namespace {

constexpr unsigned kProbeEntries = 8;
constexpr unsigned kProbeBuffers = 4;
constexpr unsigned kProbeBufferSize = 4096;

class ProbeRing {
 public:
  ProbeRing() = default;
  ProbeRing(const ProbeRing&) = delete;
  ProbeRing& operator=(const ProbeRing&) = delete;
  ~ProbeRing() {
    if (made_) io_uring_queue_exit(&ring_);
  }

  // 0 or -errno.
  int set_up(unsigned more_flags = 0) {
    io_uring_params parameters{};
    parameters.flags = uring::kSetupFlags | more_flags;
    parameters.cq_entries = 4 * kProbeEntries;
    const int error = io_uring_queue_init_params(kProbeEntries, &ring_, &parameters);
    made_ = error == 0;
    return error;
  }

  io_uring& ring() { return ring_; }
  io_uring_sqe& entry() { return *io_uring_get_sqe(&ring_); }

  // Submits and gives the first completion's result, or -ETIME when none came in a second.
  int ask() {
    __kernel_timespec second{.tv_sec = 1, .tv_nsec = 0};
    io_uring_cqe* done = nullptr;
    const int error = io_uring_submit_and_wait_timeout(&ring_, &done, 1, &second, nullptr);
    if (done == nullptr) return error < 0 ? error : -ETIME;
    const int result = done->res;
    io_uring_cqe_seen(&ring_, done);
    return result;
  }

 private:
  io_uring ring_{};
  bool made_ = false;
};

struct Pair {
  Pair() {
    std::array<int, 2> fds{-1, -1};
    ::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds.data());
    ours.reset(fds[0]);
    theirs.reset(fds[1]);
  }
  Fd ours;
  Fd theirs;
};

// Receives one octet by a multishot receive into provided buffers; the result of the completion or -errno.
int try_receive(bool bundled) {
  ProbeRing probe;
  if (const int error = probe.set_up(); error < 0) return error;
  ReceiveBuffers buffers;
  if (const auto ready = buffers.set_up(probe.ring(), kProbeBuffers, kProbeBufferSize); !ready)
    return -ready.error().code;
  const Pair pair;
  if (::write(pair.theirs.get(), "x", 1) != 1) return -errno;
  io_uring_sqe& entry = probe.entry();
  io_uring_prep_recv_multishot(&entry, pair.ours.get(), nullptr, 0, 0);
  entry.flags |= IOSQE_BUFFER_SELECT;
  entry.buf_group = ReceiveBuffers::kGroup;
  if (bundled) {
    entry.ioprio |= uring::kReceiveBundle;
    uring::limit_receive_total(entry, kProbeBufferSize);
  }
  return probe.ask();
}

int try_durable_write() {
  ProbeRing probe;
  if (const int error = probe.set_up(); error < 0) return error;
  const Fd file(::memfd_create("probe", MFD_CLOEXEC));
  if (!file.valid()) return -errno;
  io_uring_sqe& entry = probe.entry();
  io_uring_prep_write(&entry, file.get(), "x", 1, 0);
  entry.rw_flags = RWF_DSYNC;
  return probe.ask();
}

constexpr unsigned kFeatures = IORING_FEAT_NODROP |         // completions are never dropped
                               IORING_FEAT_SUBMIT_STABLE |  // what an entry points at is read when submitted
                               IORING_FEAT_FAST_POLL |      // sockets wait without a kernel thread each
                               IORING_FEAT_EXT_ARG;         // the wait has a timeout of its own

std::string why_no_ring(int error) {
  switch (error) {
    case ENOSYS:
      return "This kernel was built without io_uring: use Linux 6.1 or newer with CONFIG_IO_URING.";
    case EPERM:
    case EACCES:
      return "io_uring is forbidden here: set the sysctl kernel.io_uring_disabled to 0, and in a container allow "
             "io_uring_setup, io_uring_enter and io_uring_register in its seccomp profile.";
    case EINVAL:
      return "This kernel's io_uring cannot defer task work to one issuer: use Linux 6.1 or newer.";
    case ENOMEM:
      return "There is no memory for an io_uring: raise the limit of locked memory (ulimit -l, LimitMEMLOCK=).";
    case EMFILE:
    case ENFILE:
      return "There is no descriptor for an io_uring: raise the limit of open files (ulimit -n, LimitNOFILE=).";
    default:
      return std::string("An io_uring cannot be set up (") + std::strerror(error) + "): use Linux 6.1 or newer.";
  }
}

void find_missing_operations(ProbeRing& probe, std::vector<std::string>& missing) {
  io_uring_probe* const known = io_uring_get_probe_ring(&probe.ring());
  if (known == nullptr) {
    missing.emplace_back(
        "io_uring cannot say which operations it has: use Linux 6.1 or newer, and allow "
        "io_uring_register in a container's seccomp profile.");
    return;
  }
  for (const Needed& needed : kOperations)
    if (io_uring_opcode_supported(known, needed.code) == 0)
      missing.push_back(std::string("io_uring lacks the operation ") + needed.name + ": use Linux 6.1 or newer.");
  io_uring_free_probe(known);
}

}  // namespace

bool bundles_work() {
  static const bool work = try_receive(true) == 1;
  return work;
}

bool restrictions_hold() {
  ProbeRing probe;
  if (probe.set_up(IORING_SETUP_R_DISABLED) < 0 || restrict_and_enable(probe.ring()) < 0) return false;
  io_uring_prep_nop(&probe.entry());
  return probe.ask() == -EACCES;
}

std::vector<std::string> missing_in_kernel() {
  std::vector<std::string> missing;
  ProbeRing probe;
  if (const int error = probe.set_up(); error < 0) {
    missing.push_back(why_no_ring(-error));
    return missing;
  }
  if ((probe.ring().features & kFeatures) != kFeatures)
    missing.emplace_back("io_uring lacks one of NODROP, SUBMIT_STABLE, FAST_POLL, EXT_ARG: use Linux 6.1 or newer.");
  find_missing_operations(probe, missing);
  if (const int result = try_receive(false); result != 1)
    missing.push_back(std::string("Repeated receives into provided buffers do not work (") + std::strerror(-result) +
                      "): use Linux 6.1 or newer.");
  if (const int result = try_durable_write(); result != 1)
    missing.push_back(std::string("Durable writes (RWF_DSYNC) do not work (") + std::strerror(-result) +
                      "): use Linux 6.1 or newer.");
  return missing;
}

}  // namespace ringpost::ring
