// What the rings of one process share, from the inside: the mailboxes and the helper threads with their work.
#pragma once

#include <condition_variable>
#include <deque>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include "mailbox.h"
#include "ringpost/base/fd.h"
#include "ringpost/ring.h"

namespace ringpost::ring {

// Letters of this kind are the ring's own: `pointer` is a Job that is done. No owner may use it.
inline constexpr std::uint32_t kJobDone = UINT32_MAX;

// Work on its way to a helper thread and back.
struct Job {
  std::move_only_function<int()> work;
  CoreId core;
  std::uint64_t ticket = 0;  // the slot that waits for it
  int result = 0;
};

struct Fleet::Shared {
  Shared(unsigned cores, unsigned helper_threads);
  ~Shared();

  void help(std::unique_ptr<Job> job);
  // Waits while the box is full; false: given up, since the process ends.
  bool post(CoreId to, const Mail& mail);

  struct Given {
    SocketAddress address;
    Fd listener;
  };

  std::vector<std::unique_ptr<Mailbox>> boxes;
  std::vector<Given> given;  // filled before the rings are made, then only read

 private:
  void help_loop();
  std::unique_ptr<Job> next_job();

  std::mutex mutex_;
  std::condition_variable wanted_;
  std::deque<std::unique_ptr<Job>> jobs_;  // guarded by mutex_
  std::atomic<bool> ending_ = false;
  std::vector<std::thread> helpers_;
};

}  // namespace ringpost::ring
