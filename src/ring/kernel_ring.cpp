// The life of a kernel ring and its turn; see kernel_ring.h.
#include "kernel_ring.h"

#include <sched.h>
#include <time.h>

#include <cerrno>
#include <cstdio>

#include "restrict.h"

namespace ringpost::ring {
namespace {

constexpr Duration kFullBoxWait = 1ms;    // how soon letters that found a full box are offered again
constexpr Duration kBusyPause = 1ms;      // when the kernel has no memory for a new request
constexpr Duration kDrainBound = 15s;     // after stop(): what is not back by then is given up
constexpr Duration kCancelAgain = 100ms;  // while draining: ask again for what did not end
constexpr std::uint32_t kLettersPerTurn = 2 * Mailbox::kLetters;  // a flood of letters must not hold up the sockets

Instant read_clock() {
  timespec at{};
  clock_gettime(CLOCK_MONOTONIC, &at);
  return {at.tv_sec * 1'000'000'000LL + at.tv_nsec};
}

Result<void> pin_to(int cpu) {
  cpu_set_t set;
  CPU_ZERO(&set);
  CPU_SET(static_cast<std::size_t>(cpu), &set);
  if (sched_setaffinity(0, sizeof set, &set) != 0)
    return fail(errno, "cannot pin a core's thread to CPU " + std::to_string(cpu));
  return {};
}

}  // namespace

KernelRing::KernelRing(Fleet& fleet, CoreId core, unsigned cores, const RingOptions& options)
    : Ring(core, cores, seed_from_system()),
      shared_(*fleet.shared_),
      box_(*shared_.boxes.at(core.value)),
      slots_(options.operations),
      accept_pause_(this, call<&KernelRing::resume_accepts>),
      waiting_(cores),
      mailed_(cores) {}

KernelRing::~KernelRing() {
  if (ring_made_) io_uring_queue_exit(&ring_);
}

Result<void> KernelRing::set_up(const RingOptions& options) {
  if (box_.bell() < 0) return fail(EMFILE, "no descriptor was left for a core's mailbox: raise the limit (ulimit -n)");
  if (options.pin_to_cpu >= 0)
    if (auto pinned = pin_to(options.pin_to_cpu); !pinned) return pinned;

  io_uring_params parameters{};
  parameters.flags = uring::kSetupFlags | (options.restrict ? unsigned{IORING_SETUP_R_DISABLED} : 0U);
  parameters.cq_entries = options.completions;
  if (const int error = io_uring_queue_init_params(options.entries, &ring_, &parameters); error < 0)
    return fail(-error, "an io_uring cannot be set up: see missing features in `ringpost check`");
  ring_made_ = true;
  // Saves the kernel a descriptor look-up in each turn; a kernel that refuses is only slower.
  io_uring_register_ring_fd(&ring_);
  bundles_ = options.bundle_receives && bundles_work();
  if (auto ready = buffers_.set_up(ring_, options.receive_buffers, options.receive_buffer_size); !ready) return ready;
  statistics_.receive_buffers = buffers_.count();
  if (options.restrict)
    if (const int error = restrict_and_enable(ring_); error < 0)
      return fail(-error, "an io_uring cannot be restricted to what is used: set hardening.io_uring = false");
  read_clocks();
  timers_.run(now_);
  queue_doorbell();
  return {};
}

void KernelRing::read_clocks() {
  now_ = read_clock();
  timespec at{};
  clock_gettime(CLOCK_REALTIME, &at);
  wall_ = {at.tv_sec * 1'000LL + at.tv_nsec / 1'000'000};
}

void KernelRing::run() {
  while (!stopping_) turn();
  drain();
  stopping_ = false;
}

void KernelRing::turn() {
  read_clocks();
  ++statistics_.turns;
  settle_cancelled();
  complete_all();
  resume_receives();
  // While draining no timer runs: what one would begin could not end.
  if (!draining_) timers_.run(now_);
  take_mail();
  work_left_ = run_deferred();
  post_waiting();
  ring_bells();
  statistics_.operations = slots_.used();
  submit_and_wait();
}

// ---- mail

void KernelRing::mail_to(CoreId to, const Mail& mail) {
  CHECK(mail.kind != kJobDone && to.value < waiting_.size());
  if (to == core_) {
    own_mail_.push_back(mail);
    return;
  }
  std::deque<Mail>& before = waiting_[to.value];
  if (before.empty() && shared_.boxes[to.value]->push(mail)) {
    mailed_[to.value] = true;
    any_mailed_ = true;
    return;
  }
  before.push_back(mail);
  any_waiting_ = true;
}

void KernelRing::take_mail() {
  own_mail_now_.swap(own_mail_);
  for (const Mail& mail : own_mail_now_) deliver_mail(mail);
  own_mail_now_.clear();

  Mail mail;
  for (std::uint32_t taken = 0; taken < kLettersPerTurn && box_.pop(mail); ++taken) take_letter(mail);
}

void KernelRing::take_letter(const Mail& mail) {
  if (mail.kind != kJobDone) {
    deliver_mail(mail);
    return;
  }
  const std::unique_ptr<Job> job(static_cast<Job*>(mail.pointer));
  const std::uint32_t index = slots_.find(job->ticket);
  CHECK(index != kNoSlot);
  finish(index, job->result);
}

void KernelRing::post_waiting() {
  if (!any_waiting_) return;
  any_waiting_ = false;
  for (std::size_t to = 0; to < waiting_.size(); ++to) {
    std::deque<Mail>& letters = waiting_[to];
    while (!letters.empty() && shared_.boxes[to]->push(letters.front())) {
      letters.pop_front();
      mailed_[to] = true;
      any_mailed_ = true;
    }
    any_waiting_ = any_waiting_ || !letters.empty();
  }
}

// One bell per box and turn, however many letters, and none for a core that is awake.
void KernelRing::ring_bells() {
  if (!any_mailed_) return;
  any_mailed_ = false;
  for (std::size_t to = 0; to < mailed_.size(); ++to) {
    if (!mailed_[to]) continue;
    mailed_[to] = false;
    if (shared_.boxes[to]->claim_bell()) shared_.boxes[to]->ring_bell();
  }
}

void KernelRing::help(Operation& operation, std::move_only_function<int()> work) {
  const std::uint32_t index = start(operation, Kind::help, -1);
  slots_[index].where = Where::helper;
  auto job = std::make_unique<Job>();
  job->work = std::move(work);
  job->core = core_;
  job->ticket = slots_.ticket(index);
  shared_.help(std::move(job));
}

// ---- the system call

void KernelRing::submit_and_wait() {
  const bool drained = draining_ && slots_.used() == 0;
  const bool more_to_do =
      stopping_ || drained || work_left_ || !settling_.empty() || !own_mail_.empty() || !aside_.empty();
  statistics_.submissions += io_uring_sq_ready(&ring_);
  if (!more_to_do && box_.sleep_if_empty()) {
    after_enter(enter_and_wait(longest_wait()));
    box_.wake();
    return;
  }
  after_enter(io_uring_submit_and_get_events(&ring_));
}

std::optional<Duration> KernelRing::longest_wait() {
  std::optional<Duration> longest;
  if (draining_) {
    longest = kCancelAgain;
  } else if (const auto next = timers_.next()) {
    longest = std::max(*next - now_, Duration{0});
  }
  if (any_waiting_) longest = std::min(longest.value_or(kFullBoxWait), kFullBoxWait);
  return longest;
}

int KernelRing::enter_and_wait(std::optional<Duration> longest) {
  if (!longest) return io_uring_submit_and_wait(&ring_, 1);
  __kernel_timespec time{.tv_sec = longest->count() / 1'000'000'000, .tv_nsec = longest->count() % 1'000'000'000};
  io_uring_cqe* first = nullptr;
  return io_uring_submit_and_wait_timeout(&ring_, &first, 1, &time, nullptr);
}

void KernelRing::after_enter(int result) {
  if (io_uring_cq_has_overflow(&ring_)) {
    ++statistics_.completion_overflows;
    // The kernel keeps what does not fit and hands it on as we take; only what it had no memory for is lost, and an
    // operation that never ends is worse than a restart.
    CHECK(*ring_.cq.koverflow == 0);
  }
  switch (-result) {
    case ETIME:  // a timer is due
    case EINTR:  // a signal
    case EBUSY:  // completions must be taken first: the next turn does
      return;
    case EAGAIN:  // no memory for a request: its entry is still in the queue
    case ENOMEM: {
      const timespec pause{0, kBusyPause.count()};
      nanosleep(&pause, nullptr);
      return;
    }
    default:
      CHECK(result >= 0);
  }
}

// ---- the end

void KernelRing::drain() {
  draining_ = true;
  const Instant give_up = read_clock() + kDrainBound;
  Instant ask_again = read_clock();
  while (slots_.used() > 0) {
    const Instant at = read_clock();
    if (at >= give_up) {
      std::fprintf(stderr, "ringpost: core %u: %u operations did not end after they were cancelled\n",
                   unsigned{core_.value}, slots_.used());
      break;
    }
    cancel_all(at >= ask_again);
    if (at >= ask_again) ask_again = at + kCancelAgain;
    const bool was_stopping = std::exchange(stopping_, false);  // a turn that waits
    turn();
    stopping_ = stopping_ || was_stopping;
  }
  draining_ = false;
}

// Also what handlers began while the others ended; `again`: also what an earlier request did not find.
void KernelRing::cancel_all(bool again) {
  for (std::uint32_t index = 0; index < slots_.touched(); ++index) {
    Slot& slot = slots_[index];
    if (slot.where == Where::free) continue;
    if (again && slot.cancelled && slot.where == Where::kernel) queue_cancel(index);
    cancel(*slot.operation);
  }
}

Result<std::unique_ptr<Ring>> make_ring(Fleet& fleet, CoreId core, unsigned cores, const RingOptions& options) {
  auto ring = std::make_unique<KernelRing>(fleet, core, cores, options);
  if (auto ready = ring->set_up(options); !ready) return std::unexpected(ready.error());
  return ring;
}

}  // namespace ringpost::ring
