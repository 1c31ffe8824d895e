// From the completion queue to the owners' handlers. Each completion is copied and taken off the queue before its
// handler runs, and a final one frees its slot first: a handler may start, cancel or free what it likes.
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "kernel_ring.h"

namespace ringpost::ring {
namespace {

// One connection broke before we had it (accept(2)): the next one may be good.
bool is_lost_connection(int error) { return error == ECONNABORTED || error == EPROTO || error == EINTR; }

bool is_broken_listener(int error) {
  return error == EBADF || error == EINVAL || error == ENOTSOCK || error == EOPNOTSUPP || error == EFAULT;
}

std::uint16_t buffer_of(const io_uring_cqe& done) {
  return static_cast<std::uint16_t>(done.flags >> IORING_CQE_BUFFER_SHIFT);
}

constexpr std::uint32_t kOverrun = UINT32_MAX;

// What an operation that was cancelled ends with.
int cancel_result(const Slot& slot) {
  return slot.kind == Kind::receive && slot.after_cancel == kOverrun ? -ENOBUFS : -ECANCELED;
}

// Takes `octets` off the front of the pieces of a message.
void advance(msghdr& header, std::size_t octets) {
  while (octets > 0) {
    iovec& piece = header.msg_iov[0];
    const std::size_t part = std::min(octets, piece.iov_len);
    piece.iov_base = static_cast<char*>(piece.iov_base) + part;
    piece.iov_len -= part;
    octets -= part;
    if (piece.iov_len > 0) continue;
    ++header.msg_iov;
    --header.msg_iovlen;
  }
}

}  // namespace

void KernelRing::complete_all() {
  aside_now_.swap(aside_);
  for (const io_uring_cqe& done : aside_now_) complete(done);
  aside_now_.clear();
  // Not more than are there now: what a full submission queue lets the kernel add belongs to the next turn.
  for (unsigned ready = io_uring_cq_ready(&ring_); ready > 0; --ready) {
    io_uring_cqe* next = nullptr;
    if (io_uring_peek_cqe(&ring_, &next) != 0) return;
    const io_uring_cqe done = *next;
    io_uring_cq_advance(&ring_, 1);
    complete(done);
  }
}

void KernelRing::complete(const io_uring_cqe& done) {
  ++statistics_.completions;
  if (done.user_data >= kUnwatchedTicket) {
    if (done.user_data == kDoorbellTicket) queue_doorbell();
    return;
  }
  const std::uint32_t index = slots_.find(done.user_data);
  // A completion for a life that is over: the kernel has used memory that was no longer its own.
  CHECK(index != kNoSlot && slots_[index].where == Where::kernel);
  complete_slot(index, done);
}

void KernelRing::complete_slot(std::uint32_t index, const io_uring_cqe& done) {
  switch (slots_[index].kind) {
    case Kind::accept:
      return accepted(index, done);
    case Kind::receive:
      return received(index, done);
    case Kind::send:
      return sent(index, done.res);
    case Kind::open:
      return opened(index, done.res);
    default:
      return finish(index, done.res);
  }
}

void KernelRing::finish(std::uint32_t index, int result) {
  Slot& slot = slots_[index];
  Operation& operation = *slot.operation;
  if (slot.kind == Kind::send && slot.sending.block != nullptr) send_blocks_.release(slot.sending.block);
  slots_.release(index);
  settle(operation, {.result = result, .received = {}, .final = true});
}

// The operation is not in the kernel any more but its owner has not ended it.
void KernelRing::go_on(std::uint32_t index) {
  if (slots_[index].cancelled) {
    slots_.push(settling_, index, Where::settling);
  } else {
    queue(index);
  }
}

void KernelRing::settle_cancelled() {
  SlotQueue now = std::exchange(settling_, {});
  while (!now.empty()) {
    const std::uint32_t index = slots_.pop(now);
    finish(index, cancel_result(slots_[index]));
  }
}

// ---- accept

void KernelRing::accepted(std::uint32_t index, const io_uring_cqe& done) {
  const bool armed = (done.flags & IORING_CQE_F_MORE) != 0;
  if (done.res >= 0) {
    settle(*slots_[index].operation, {.result = done.res, .received = {}, .final = false});
    if (!armed) go_on(index);
    return;
  }
  if (armed) return;
  const bool cancelled = slots_[index].cancelled;
  if (done.res == -ECANCELED || cancelled || is_broken_listener(-done.res)) return finish(index, done.res);
  if (is_lost_connection(-done.res)) return queue(index);
  // Short of descriptors or memory, or forbidden for now: asking again at once would only spin.
  slots_.push(paused_, index, Where::paused);
  if (!accept_pause_.armed()) arm(accept_pause_, kAcceptPause);
}

// ---- receive

void KernelRing::received(std::uint32_t index, const io_uring_cqe& done) {
  const bool armed = (done.flags & IORING_CQE_F_MORE) != 0;
  if (done.res > 0) {
    slots_[index].input_waits = (done.flags & IORING_CQE_F_SOCK_NONEMPTY) != 0;
    hand_over(index, done);
    if (!armed) go_on(index);
    return;
  }
  if ((done.flags & IORING_CQE_F_BUFFER) != 0) buffers_.give_back(buffer_of(done));
  if (armed) return;
  if (slots_[index].cancelled) return finish(index, done.res == 0 ? 0 : cancel_result(slots_[index]));
  if (done.res == -ENOBUFS) {
    ++statistics_.buffers_exhausted;
    ++statistics_.receives_parked;
    slots_[index].input_waits = true;
    slots_.push(parked_, index, Where::parked);
    return;
  }
  if (done.res == -EINTR) return queue(index);
  finish(index, done.res);
}

// A completion with octets: one buffer, or a bundle of several in the order they were provided. Neighbours in
// memory are handed over as one view.
void KernelRing::hand_over(std::uint32_t index, const io_uring_cqe& done) {
  CHECK((done.flags & IORING_CQE_F_BUFFER) != 0);
  auto left = static_cast<std::size_t>(done.res);
  std::uint16_t id = buffer_of(done);
  while (left > 0) {
    const std::uint16_t first = id;
    std::uint16_t last = id;
    std::size_t octets = std::min<std::size_t>(left, buffers_.size());
    while (octets < left) {
      id = buffers_.after(last);
      if (id != last + 1) break;
      last = id;
      octets += std::min<std::size_t>(left - octets, buffers_.size());
    }
    left -= octets;
    hand_over_piece(index, View(buffers_.octets(first), octets));
    for (unsigned back = first; back <= last; ++back) buffers_.give_back(static_cast<std::uint16_t>(back));
  }
}

void KernelRing::hand_over_piece(std::uint32_t index, View octets) {
  Slot& slot = slots_[index];
  if (slot.cancelled) {
    // The promise to an owner that keeps what comes after cancel(): more is dropped and the stream ends in an error.
    const bool kept = slot.after_cancel + octets.size() <= kReceiveAfterCancel;
    slot.after_cancel = kept ? slot.after_cancel + static_cast<std::uint32_t>(octets.size()) : kOverrun;
    if (!kept) return;
  }
  settle(*slot.operation, {.result = static_cast<int>(octets.size()), .received = octets, .final = false});
}

// All buffers are back by now, since no handler keeps one. As many receives as there are buffers can use one; more
// would only fail again.
void KernelRing::resume_receives() {
  for (unsigned count = buffers_.count(); count > 0 && !parked_.empty(); --count) {
    --statistics_.receives_parked;
    queue(slots_.pop(parked_));
  }
}

// ---- send

void KernelRing::sent(std::uint32_t index, int result) {
  Slot& slot = slots_[index];
  Slot::Sending& sending = slot.sending;
  if (result == -EINTR && !slot.cancelled) return queue(index);
  if (result <= 0) return finish(index, result == 0 ? -EPIPE : result);
  const auto octets = static_cast<std::uint32_t>(result);
  CHECK(octets <= sending.left);
  sending.sent += octets;
  sending.left -= octets;
  if (sending.left == 0) return finish(index, static_cast<int>(sending.sent));
  if (sending.block != nullptr) {
    advance(sending.block->header, octets);
  } else {
    sending.piece += octets;
  }
  go_on(index);
}

// ---- files

// A file system without O_DIRECT: a reader that only wished for it takes the page cache.
void KernelRing::opened(std::uint32_t index, int result) {
  Slot& slot = slots_[index];
  if (result == -EINVAL && slot.path.direct_if_possible && !slot.cancelled) {
    slot.path.flags &= ~O_DIRECT;
    slot.path.direct_if_possible = false;
    return queue(index);
  }
  finish(index, result);
}

}  // namespace ringpost::ring
