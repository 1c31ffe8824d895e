// The second implementation of ring::Ring: the loop of one simulated core on virtual time. Made and stepped by World;
// what it does with sockets goes to Network, with files to Disk.
//
// It keeps to the face and goes to its edges: operations begin when the turn ends, complete in an order drawn from the
// seed, receives come in arbitrary pieces whose octets are overwritten when the handler returns, sends and writes may
// take long, a cancelled operation may still complete. It watches its caller too: octets that change while a send or
// a write is in the kernel are a violation (World::violations).
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "disk.h"
#include "network.h"
#include "ringpost/ring.h"

namespace ringpost::sim {

class World;

class SimRing final : public ring::Ring {
 public:
  SimRing(World&, CoreId, unsigned cores, std::uint64_t seed);
  ~SimRing() override;

  WallTime wall() const override;
  void run() override;

  Result<ring::Socket> listen(const SocketAddress&, const ring::ListenOptions&) override;
  Result<ring::Socket> listen_local(const std::string& path) override;
  Result<SocketAddress> local_address(ring::Socket) override;
  Result<SocketAddress> peer_address(ring::Socket) override;
  void accept(ring::Operation&, ring::Socket listener) override;
  Result<ring::Socket> socket_to(const SocketAddress& remote, const SocketAddress& source) override;
  Result<ring::Socket> datagram_to(const SocketAddress& remote) override;
  void connect(ring::Operation&, ring::Socket, const SocketAddress& remote) override;
  void receive(ring::Operation&, ring::Socket) override;
  void send(ring::Operation&, ring::Socket, std::span<const iovec> pieces) override;
  void shutdown_write(ring::Socket) override;
  void close(ring::Socket) override;
  void cancel(ring::Operation&) override;

  ring::Files& files() override;
  void open(ring::Operation&, const char* path, ring::Files::Open mode) override;
  void read(ring::Operation&, ring::File, Room room, std::uint64_t offset) override;
  void write(ring::Operation&, ring::File, View octets, std::uint64_t offset, bool durable) override;
  void sync(ring::Operation&, ring::File) override;
  void allocate(ring::Operation&, ring::File, std::uint64_t size) override;
  void remove(ring::Operation&, const char* path) override;
  void close(ring::File) override;

  void mail_to(CoreId to, const ring::Mail&) override;
  void help(ring::Operation&, std::move_only_function<int()> work) override;

  // ---- for World
  // Asks for a turn at `when` or sooner.
  void wake(Instant when);
  void take_mail(const ring::Mail& mail);
  void catch_up();  // now() is the world's again, between turns
  // The process is gone: nothing of it is called any more, each operation is out of the kernel, sockets break or go
  // silent. Owners may be destroyed now; what they still ask for does nothing or fails.
  void die(bool silent);
  // stop() was called, and all operations are back: they were cancelled and their owners heard of it.
  [[nodiscard]] bool stopped() const { return stopping_ && in_flight_ == 0; }
  [[nodiscard]] std::size_t in_flight() const { return in_flight_; }  // operations

 private:
  enum class Kind : std::uint8_t {
    none,
    accept,
    connect,
    receive,
    send,
    open,
    read,
    write,
    sync,
    allocate,
    remove,
    help
  };
  struct SimSocket;
  struct Wake {  // at most one event of it counts: the one that carries the token
    bool set = false;
    Instant when;
    std::uint64_t token = 0;
  };
  struct Slot {
    ring::Operation* operation = nullptr;
    Kind kind = Kind::none;
    bool begun = false;
    bool ready = false;
    bool cancelled = false;
    bool done = false;  // `result` is decided
    bool durable = false;
    std::uint32_t generation = 0;
    int fd = -1;
    int result = 0;
    std::uint64_t offset = 0;  // of a file operation; of a send: octets sent
    std::uint32_t checksum = 0;
    std::vector<iovec> pieces;
    View octets;
    Room room;
    std::string path;
    ring::Files::Open mode = ring::Files::Open::read;
    SocketAddress remote;
    std::move_only_function<int()> work;
    DiskWork disk;
  };

  Slot* take(ring::Operation&, Kind, int fd);  // null when dead: then nothing happens
  void wake_by(Wake SimRing::*, Instant when, Schedule::Weight);
  void turn();
  void hand_out_completions();
  void cancel_all();
  void begin_submissions();
  void begin(std::uint32_t index);
  void begin_accept(std::uint32_t index, Slot&);
  void begin_receive(std::uint32_t index, Slot&);
  void begin_connect(std::uint32_t index, Slot&);
  void begin_send(std::uint32_t index, Slot&);
  void begin_file(std::uint32_t index, Slot&);
  void after(Duration delay, std::uint32_t index, void (SimRing::*next)(std::uint32_t));
  void complete(std::uint32_t index);
  void make_ready(std::uint32_t index);
  void finish(std::uint32_t index);
  void finish_accept(std::uint32_t index);
  void finish_receive(std::uint32_t index);
  void finish_datagrams(std::uint32_t index);
  void hand_over(Slot&, View octets);
  void run_help(std::uint32_t index);
  void finish_file(std::uint32_t index);
  void decide(std::uint32_t index, int result);
  void pump_send(std::uint32_t index);
  void settle_final(std::uint32_t index, int result);
  void check_octets(const Slot&, const char* what);
  static std::uint32_t checksum(const Slot&);
  SimSocket* socket(int fd);
  Result<ring::Socket> add_listener(const SocketAddress&, int backlog, bool share);

  World& world_;
  bool dead_ = false;
  bool in_turn_ = false;
  Instant free_at_;  // the turn before is over
  Wake work_;        // for completions, mail and submissions
  Wake timer_;       // for the wheel; does not keep the world from being idle
  std::size_t in_flight_ = 0;
  std::deque<Slot> slots_;  // stay where they are while handlers ask for more
  std::vector<std::uint32_t> free_slots_;
  std::vector<std::uint32_t> submissions_;
  std::vector<std::uint32_t> ready_;
  std::vector<ring::Mail> mail_;
  std::vector<char> scratch_;  // the provided buffer
  std::map<int, std::unique_ptr<SimSocket>> sockets_;
  int next_fd_ = 3;  // never used again: a closed one is found out
};

}  // namespace ringpost::sim
