// The kernel's implementation of the loop. One class, four files: kernel_ring.cpp (life and turn), operations.cpp
// (what owners ask for → submission queue), completions.cpp (completion queue → handlers), sockets.cpp (socket calls
// that do not wait).
//
// How operations go: each takes a slot, which holds everything that is needed to ask the kernel; queue() writes the
// submission entry; the turn submits them all at once. A completion is found by its ticket. finish() frees the slot
// before it calls the handler, so the handler may start the same operation again or free its owner.
#pragma once

#include <deque>
#include <memory>
#include <vector>

#include "buffers.h"
#include "fleet.h"
#include "ringpost/ring.h"
#include "slots.h"
#include "uring.h"

namespace ringpost::ring {

// Tickets have slot numbers below RingOptions::operations; these are none of them.
inline constexpr std::uint64_t kDoorbellTicket = UINT64_MAX;
inline constexpr std::uint64_t kUnwatchedTicket = UINT64_MAX - 1;

class KernelRing final : public Ring {
 public:
  KernelRing(Fleet& fleet, CoreId core, unsigned cores, const RingOptions& options);
  ~KernelRing() override;
  Result<void> set_up(const RingOptions& options);

  [[nodiscard]] WallTime wall() const override { return wall_; }
  void run() override;

  Result<Socket> listen(const SocketAddress& address, const ListenOptions& options) override;
  Result<Socket> listen_local(const std::string& path) override;
  Result<SocketAddress> local_address(Socket socket) override;
  Result<SocketAddress> peer_address(Socket socket) override;
  void accept(Operation& operation, Socket listener) override;
  Result<Socket> socket_to(const SocketAddress& remote, const SocketAddress& source) override;
  Result<Socket> datagram_to(const SocketAddress& remote) override;
  void connect(Operation& operation, Socket socket, const SocketAddress& remote) override;
  void receive(Operation& operation, Socket socket) override;
  void send(Operation& operation, Socket socket, std::span<const iovec> pieces) override;
  void shutdown_write(Socket socket) override;
  void close(Socket socket) override;
  void cancel(Operation& operation) override;

  Files& files() override { return kernel_files(); }
  void open(Operation& operation, const char* path, Files::Open mode) override;
  void read(Operation& operation, File file, Room room, std::uint64_t offset) override;
  void write(Operation& operation, File file, View octets, std::uint64_t offset, bool durable) override;
  void sync(Operation& operation, File file) override;
  void allocate(Operation& operation, File file, std::uint64_t size) override;
  void remove(Operation& operation, const char* path) override;
  void close(File file) override;

  void mail_to(CoreId to, const Mail& mail) override;
  void help(Operation& operation, std::move_only_function<int()> work) override;

 private:
  // ---- kernel_ring.cpp
  void read_clocks();
  void turn();
  void take_mail();
  void take_letter(const Mail& mail);
  void post_waiting();
  void ring_bells();
  void submit_and_wait();
  int enter_and_wait(std::optional<Duration> longest);
  [[nodiscard]] std::optional<Duration> longest_wait();
  void after_enter(int result);
  void drain();
  void cancel_all(bool again);

  // ---- sockets.cpp
  Result<Socket> listen_on_given(const SocketAddress& address, std::vector<int> given);

  // ---- operations.cpp
  std::uint32_t start(Operation& operation, Kind kind, int fd);
  void queue(std::uint32_t index);
  void queue_doorbell();
  void queue_cancel(std::uint32_t index);
  io_uring_sqe& next_entry();
  void set_completions_aside();
  void prepare(const Slot& slot, io_uring_sqe& entry) const;
  void prepare_accept(const Slot& slot, io_uring_sqe& entry) const;
  void prepare_receive(const Slot& slot, io_uring_sqe& entry) const;
  void resume_accepts();

  // ---- completions.cpp
  void complete_all();
  void complete(const io_uring_cqe& done);
  void complete_slot(std::uint32_t index, const io_uring_cqe& done);
  void settle_cancelled();
  void resume_receives();
  void finish(std::uint32_t index, int result);
  void go_on(std::uint32_t index);
  void accepted(std::uint32_t index, const io_uring_cqe& done);
  void received(std::uint32_t index, const io_uring_cqe& done);
  void hand_over(std::uint32_t index, const io_uring_cqe& done);
  void hand_over_piece(std::uint32_t index, View octets);
  void sent(std::uint32_t index, int result);
  void opened(std::uint32_t index, int result);

  Fleet::Shared& shared_;
  Mailbox& box_;
  io_uring ring_{};
  WallTime wall_;
  bool ring_made_ = false;
  bool draining_ = false;
  bool bundles_ = false;
  bool work_left_ = false;  // deferred work that waits for the next turn
  ReceiveBuffers buffers_;
  SlotTable slots_;
  SendBlocks send_blocks_;
  SlotQueue parked_;
  SlotQueue paused_;
  SlotQueue settling_;
  Timer accept_pause_;
  std::vector<int> shared_listeners_;    // those that other cores accept from as well
  std::vector<io_uring_cqe> aside_;      // completions taken out of a full queue before their turn
  std::vector<io_uring_cqe> aside_now_;  // those being handled
  std::uint64_t doorbell_ = 0;           // where the kernel puts what the eventfd held

  // Letters to this core itself, and those that another's box had no room for, by core.
  std::vector<Mail> own_mail_;
  std::vector<Mail> own_mail_now_;
  std::vector<std::deque<Mail>> waiting_;
  std::vector<bool> mailed_;  // by core: letters were pushed in this turn
  bool any_mailed_ = false;
  bool any_waiting_ = false;
};

// Whether this kernel bundles receives and lets us limit their total; asks it once, with a pair of sockets.
bool bundles_work();

// open(2)'s flags for a mode.
int file_open_flags(Files::Open mode);

}  // namespace ringpost::ring
