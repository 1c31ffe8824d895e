// The fleet: mailboxes by core and a small pool of helper threads for what would block a loop. A job's result comes
// back through the mailbox of the core that asked.
#include "fleet.h"

#include <pthread.h>
#include <csignal>

namespace ringpost::ring {
namespace {

constexpr Duration kBoxFullPause = 200us;  // between two tries of a thread that has no loop to come back to

// Signals are for the thread that waits for them, never for a helper.
class SignalsBlocked {
 public:
  SignalsBlocked() {
    sigset_t all;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before_);
  }
  SignalsBlocked(const SignalsBlocked&) = delete;
  SignalsBlocked& operator=(const SignalsBlocked&) = delete;
  ~SignalsBlocked() { pthread_sigmask(SIG_SETMASK, &before_, nullptr); }

 private:
  sigset_t before_;
};

}  // namespace

Fleet::Shared::Shared(unsigned cores, unsigned helper_threads) {
  for (unsigned i = 0; i < cores; ++i) boxes.push_back(std::make_unique<Mailbox>());
  const SignalsBlocked blocked;  // a new thread inherits the mask
  for (unsigned i = 0; i < helper_threads; ++i) {
    helpers_.emplace_back([this] { help_loop(); });
    pthread_setname_np(helpers_.back().native_handle(), "helper");
  }
}

Fleet::Shared::~Shared() {
  {
    const std::lock_guard lock(mutex_);
    ending_ = true;
  }
  wanted_.notify_all();
  for (std::thread& helper : helpers_) helper.join();
  Mail mail;
  for (const auto& box : boxes)
    while (box->pop(mail))
      if (mail.kind == kJobDone) delete static_cast<Job*>(mail.pointer);
}

void Fleet::Shared::help(std::unique_ptr<Job> job) {
  CHECK(!helpers_.empty());
  {
    const std::lock_guard lock(mutex_);
    jobs_.push_back(std::move(job));
  }
  wanted_.notify_one();
}

std::unique_ptr<Job> Fleet::Shared::next_job() {
  std::unique_lock lock(mutex_);
  wanted_.wait(lock, [this] { return ending_ || !jobs_.empty(); });
  if (jobs_.empty()) return nullptr;
  auto job = std::move(jobs_.front());
  jobs_.pop_front();
  return job;
}

void Fleet::Shared::help_loop() {
  while (auto job = next_job()) {
    job->result = job->work();
    job->work = nullptr;  // what it owned goes on this thread
    const Mail done{.kind = kJobDone, .from = job->core, .words = {}, .pointer = job.get()};
    if (post(job->core, done)) [[maybe_unused]]
      auto* const on_its_way = job.release();
  }
}

bool Fleet::Shared::post(CoreId to, const Mail& mail) {
  Mailbox& box = *boxes.at(to.value);
  while (!box.push(mail)) {
    if (ending_) return false;
    std::this_thread::sleep_for(kBoxFullPause);
  }
  if (box.claim_bell()) box.ring_bell();
  return true;
}

Fleet::Fleet(unsigned cores, unsigned helper_threads) : shared_(std::make_unique<Shared>(cores, helper_threads)) {}
Fleet::~Fleet() = default;

void Fleet::give(const SocketAddress& address, Fd listener) {
  shared_->given.push_back({address, std::move(listener)});
}

void Fleet::mail_to(CoreId to, const Mail& mail) {
  CHECK(mail.kind != kJobDone);
  shared_->post(to, mail);
}

}  // namespace ringpost::ring
