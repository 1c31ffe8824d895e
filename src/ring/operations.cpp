// What owners ask of a kernel ring: from the call to the submission queue. Nothing here waits and no handler is
// called, so any of these may be called from within any handler.
#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>
#include <climits>
#include <cstring>

#include "kernel_ring.h"

namespace ringpost::ring {
namespace {

// A multishot receive ends by itself after so much, which keeps what arrives after cancel() within the promise of
// kReceiveAfterCancel. A kernel that cannot be told so might fill all our buffers from one fast sender in one turn.
constexpr std::uint32_t kBundleTotal = 256 * 1024;
static_assert(kBundleTotal <= kReceiveAfterCancel);

constexpr mode_t kFileMode = 0640;
constexpr unsigned kEntryTries = 1000;  // tries to get a submission entry before something is very wrong

int open_flags(Files::Open mode) {
  switch (mode) {
    case Files::Open::read:
      return O_RDONLY;
    case Files::Open::read_direct:
      return O_RDONLY | O_DIRECT;
    case Files::Open::write:
      return O_RDWR;
    case Files::Open::write_direct:
      return O_RDWR | O_DIRECT;
    case Files::Open::create:
      return O_RDWR | O_CREAT | O_EXCL;
    case Files::Open::append:
      return O_WRONLY | O_CREAT | O_APPEND;
    case Files::Open::directory:
      return O_RDONLY | O_DIRECTORY;
  }
  CHECK(false);
}

bool is_directory(int fd) {
  struct stat facts{};
  return fstat(fd, &facts) == 0 && S_ISDIR(facts.st_mode);
}

}  // namespace

int file_open_flags(Files::Open mode) { return open_flags(mode) | O_CLOEXEC; }

// ---- the way into the kernel

std::uint32_t KernelRing::start(Operation& operation, Kind kind, int fd) {
  const std::uint32_t index = slots_.take(operation, kind);
  occupy(operation, index);
  slots_[index].fd = fd;
  return index;
}

void KernelRing::queue(std::uint32_t index) {
  Slot& slot = slots_[index];
  slot.where = Where::kernel;
  io_uring_sqe& entry = next_entry();
  prepare(slot, entry);
  entry.user_data = slots_.ticket(index);
}

void KernelRing::queue_doorbell() {
  io_uring_sqe& entry = next_entry();
  io_uring_prep_read(&entry, box_.bell(), &doorbell_, sizeof doorbell_, 0);
  entry.user_data = kDoorbellTicket;
}

void KernelRing::queue_cancel(std::uint32_t index) {
  io_uring_sqe& entry = next_entry();
  io_uring_prep_cancel64(&entry, slots_.ticket(index), 0);
  entry.flags |= IOSQE_CQE_SKIP_SUCCESS;
  entry.user_data = kUnwatchedTicket;
}

// A full queue is submitted and the turn goes on. A kernel that takes nothing because completions must be taken
// first gets them taken, and kept for their turn: no entry is ever dropped.
io_uring_sqe& KernelRing::next_entry() {
  for (unsigned tries = 0;; ++tries) {
    if (io_uring_sqe* const entry = io_uring_get_sqe(&ring_)) return *entry;
    CHECK(tries < kEntryTries);
    statistics_.submissions += io_uring_sq_ready(&ring_);
    const int result = io_uring_submit(&ring_);
    if (result < 0) {
      set_completions_aside();
      after_enter(result);
    }
  }
}

void KernelRing::set_completions_aside() {
  io_uring_cqe* done = nullptr;
  while (io_uring_peek_cqe(&ring_, &done) == 0) {
    aside_.push_back(*done);
    io_uring_cqe_seen(&ring_, done);
  }
}

void KernelRing::prepare(const Slot& slot, io_uring_sqe& entry) const {
  switch (slot.kind) {
    case Kind::accept:
      prepare_accept(slot, entry);
      return;
    case Kind::receive:
      prepare_receive(slot, entry);
      return;
    case Kind::connect:
      io_uring_prep_connect(&entry, slot.fd, reinterpret_cast<const sockaddr*>(&slot.address.octets),
                            slot.address.size);
      return;
    case Kind::send:
      // MSG_WAITALL: the kernel goes on after a short send by itself. MSG_NOSIGNAL: a peer that is gone is -EPIPE.
      if (slot.sending.block == nullptr) {
        io_uring_prep_send(&entry, slot.fd, slot.sending.piece, slot.sending.left, MSG_NOSIGNAL | MSG_WAITALL);
      } else {
        io_uring_prep_sendmsg(&entry, slot.fd, &slot.sending.block->header, MSG_NOSIGNAL | MSG_WAITALL);
      }
      return;
    case Kind::open:
      io_uring_prep_openat(&entry, AT_FDCWD, slot.path.path, slot.path.flags, kFileMode);
      return;
    case Kind::read:
      io_uring_prep_read(&entry, slot.fd, slot.transfer.octets, slot.transfer.size, slot.transfer.offset);
      return;
    case Kind::write:
      io_uring_prep_write(&entry, slot.fd, slot.transfer.octets, slot.transfer.size, slot.transfer.offset);
      entry.rw_flags = slot.transfer.flags;
      return;
    case Kind::sync:
      io_uring_prep_fsync(&entry, slot.fd, static_cast<unsigned>(slot.transfer.flags));
      return;
    case Kind::allocate:
      io_uring_prep_fallocate(&entry, slot.fd, 0, 0, static_cast<off_t>(slot.transfer.offset));
      return;
    case Kind::remove:
      io_uring_prep_unlink(&entry, slot.path.path, 0);
      return;
    case Kind::help:
      break;
  }
  CHECK(false);
}

// The kernel wakes the core that has waited longest, and a multishot accept never gives up its place: where cores share
// a listener, the first would take every connection. Asked one by one, they take turns.
void KernelRing::prepare_accept(const Slot& slot, io_uring_sqe& entry) const {
  if (std::ranges::find(shared_listeners_, slot.fd) == shared_listeners_.end()) {
    io_uring_prep_multishot_accept(&entry, slot.fd, nullptr, nullptr, SOCK_CLOEXEC);
  } else {
    io_uring_prep_accept(&entry, slot.fd, nullptr, nullptr, SOCK_CLOEXEC);
  }
}

void KernelRing::prepare_receive(const Slot& slot, io_uring_sqe& entry) const {
  // A bundle would join datagrams.
  if (bundles_ && !slot.datagram) {
    io_uring_prep_recv_multishot(&entry, slot.fd, nullptr, 0, 0);
    entry.ioprio |= uring::kReceiveBundle;
    uring::limit_receive_total(entry, kBundleTotal);
  } else {
    // One buffer per request: measured within 1 % of a multishot receive for mail of 4 KiB.
    io_uring_prep_recv(&entry, slot.fd, nullptr, 0, 0);
  }
  entry.flags |= IOSQE_BUFFER_SELECT;
  entry.buf_group = ReceiveBuffers::kGroup;
  // Where nothing waits to be read (a new connection), wait first: it saves an attempt.
  if (!slot.input_waits) entry.ioprio |= IORING_RECVSEND_POLL_FIRST;
}

// ---- sockets

void KernelRing::accept(Operation& operation, Socket listener) { queue(start(operation, Kind::accept, listener.fd)); }

void KernelRing::receive(Operation& operation, Socket socket) {
  const std::uint32_t index = start(operation, Kind::receive, socket.fd);
  slots_[index].after_cancel = 0;
  slots_[index].datagram = socket.datagram;
  queue(index);
}

void KernelRing::connect(Operation& operation, Socket socket, const SocketAddress& remote) {
  const std::uint32_t index = start(operation, Kind::connect, socket.fd);
  sockaddr_storage storage{};
  Slot::Address& address = slots_[index].address;
  address.size = static_cast<std::uint16_t>(remote.to_sockaddr(storage));
  CHECK(address.size > 0 && address.size <= sizeof address.octets);
  std::memcpy(&address.octets, &storage, address.size);
  queue(index);
}

void KernelRing::send(Operation& operation, Socket socket, std::span<const iovec> pieces) {
  CHECK(!pieces.empty() && pieces.size() <= kSendPieces);
  std::size_t total = 0;
  for (const iovec& piece : pieces) total += piece.iov_len;
  CHECK(total > 0 && total <= INT_MAX);

  const std::uint32_t index = start(operation, Kind::send, socket.fd);
  Slot::Sending& sending = slots_[index].sending;
  sending = {.block = nullptr,
             .piece = static_cast<const char*>(pieces[0].iov_base),
             .left = static_cast<std::uint32_t>(total),
             .sent = 0};
  if (pieces.size() > 1) {
    sending.block = send_blocks_.take();
    std::ranges::copy(pieces, sending.block->pieces);
    sending.block->header = {};
    sending.block->header.msg_iov = sending.block->pieces;
    sending.block->header.msg_iovlen = pieces.size();
  }
  queue(index);
}

// An operation that waits in a queue of the ring ends in a later step of the loop, like one in the kernel, so that
// no handler is called from here. Work on a helper thread cannot be called back: it completes as it does.
void KernelRing::cancel(Operation& operation) {
  if (!operation.in_kernel()) return;
  const std::uint32_t index = slot_of(operation);
  Slot& slot = slots_[index];
  if (slot.cancelled || slot.where == Where::helper) return;
  slot.cancelled = true;
  switch (slot.where) {
    case Where::kernel:
      queue_cancel(index);
      return;
    case Where::parked:
      --statistics_.receives_parked;
      slots_.leave(parked_, index);
      break;
    case Where::paused:
      slots_.leave(paused_, index);
      break;
    case Where::settling:
    case Where::helper:
    case Where::free:
      CHECK(false);
  }
  slots_.push(settling_, index, Where::settling);
}

void KernelRing::resume_accepts() {
  while (!paused_.empty()) queue(slots_.pop(paused_));
}

// ---- files

void KernelRing::open(Operation& operation, const char* path, Files::Open mode) {
  const std::uint32_t index = start(operation, Kind::open, -1);
  slots_[index].path = {
      .path = path, .flags = file_open_flags(mode), .direct_if_possible = mode == Files::Open::read_direct};
  queue(index);
}

void KernelRing::read(Operation& operation, File file, Room room, std::uint64_t offset) {
  const std::uint32_t index = start(operation, Kind::read, file.fd);
  slots_[index].transfer = {.octets = room.data(),
                            .offset = offset,
                            .size = static_cast<std::uint32_t>(std::min<std::size_t>(room.size(), INT_MAX)),
                            .flags = 0};
  queue(index);
}

void KernelRing::write(Operation& operation, File file, View octets, std::uint64_t offset, bool durable) {
  const std::uint32_t index = start(operation, Kind::write, file.fd);
  slots_[index].transfer = {.octets = const_cast<char*>(octets.data()),  // the kernel only reads
                            .offset = offset,
                            .size = static_cast<std::uint32_t>(std::min<std::size_t>(octets.size(), INT_MAX)),
                            .flags = durable ? RWF_DSYNC : 0};
  queue(index);
}

// A directory's names are what must last: fdatasync promises that for files' contents only.
void KernelRing::sync(Operation& operation, File file) {
  const std::uint32_t index = start(operation, Kind::sync, file.fd);
  const int flags = is_directory(file.fd) ? 0 : static_cast<int>(IORING_FSYNC_DATASYNC);
  slots_[index].transfer = {.octets = nullptr, .offset = 0, .size = 0, .flags = flags};
  queue(index);
}

void KernelRing::allocate(Operation& operation, File file, std::uint64_t size) {
  const std::uint32_t index = start(operation, Kind::allocate, file.fd);
  slots_[index].transfer = {.octets = nullptr, .offset = size, .size = 0, .flags = 0};
  queue(index);
}

void KernelRing::remove(Operation& operation, const char* path) {
  const std::uint32_t index = start(operation, Kind::remove, -1);
  slots_[index].path = {.path = path, .flags = 0, .direct_if_possible = false};
  queue(index);
}

}  // namespace ringpost::ring
