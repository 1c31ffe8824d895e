// The simulated network: streams and datagrams between the relay's sockets and simulated peers, or among themselves.
//
// What is written arrives in order and whole, but cut into arbitrary segments, each after a time of its own; the
// writer feels a window, so a peer that does not read stops it. Either end may close, half-close or reset at any
// point; closing with unread octets resets, as Linux does; octets that reach a closed end are answered by a reset.
// Faults come from NetworkConditions (drawn from the seed) and from what is said about an address (down()).
//
// Endpoints are shared: an event on its way keeps both alive. Their owner hears of news by EndpointEvents and may
// detach at any time. One thread.
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "ringpost/ring.h"
#include "schedule.h"
#include "trace.h"

namespace ringpost::sim {

// What an owner hears; each is called from an event, never from within a call that the owner made.
class EndpointEvents {
 public:
  virtual ~EndpointEvents() = default;
  virtual void on_connected() = 0;  // of connect() only
  virtual void on_readable() = 0;   // octets, the end, or an error: look
  virtual void on_writable() = 0;   // room again after write() took less than it was given
};

// What the world does to streams. Chances are in a million.
struct NetworkConditions {
  Duration latency_least = 20us;
  Duration latency_most = 300us;
  unsigned stall = 0;  // per segment: it takes up to stall_most longer, and so does all behind it
  Duration stall_most = 20s;
  unsigned cut_small = 20'000;  // per write: it is cut into segments of 1 … 16 octets
  unsigned reset = 0;           // per segment: both ends are reset instead
  unsigned vanish = 0;          // per connection: at some segment it goes silent, for ever
  unsigned refuse = 0;          // per connect
  unsigned no_socket = 0;       // per socket that the relay makes: EMFILE
  unsigned lose = 0;            // per datagram
  unsigned repeat = 0;          // per datagram: it comes twice
  std::size_t window = 65536;
  std::size_t segment_most = 16384;
};

enum class Down {
  no,
  refused,      // ECONNREFUSED at once
  silent,       // SYNs vanish: ETIMEDOUT after kConnectTimeout
  unreachable,  // EHOSTUNREACH after a few seconds
};
inline constexpr Duration kConnectTimeout = 127s;

class Network;

class Endpoint : public std::enable_shared_from_this<Endpoint> {
 public:
  // Who hears of news from now on; null: nobody. If there is news already, it is told soon.
  void attach(EndpointEvents* events);
  // Takes what fits the window; the rest waits for on_writable().
  std::size_t write(View octets);
  [[nodiscard]] View readable() const { return View(arrived_).substr(taken_); }
  void consume(std::size_t octets);
  [[nodiscard]] bool at_end() const { return end_ && readable().empty(); }
  [[nodiscard]] int error() const { return error_; }  // errno, 0: none; what arrived before may still be read
  [[nodiscard]] bool connected() const { return connected_; }
  [[nodiscard]] bool can_write() const { return connected_ && !shut_ && !closed_ && error_ == 0; }
  [[nodiscard]] std::uint64_t written() const { return written_; }  // octets so far
  // When the owner of the other end had consumed the first `octets` of them: what it has seen for sure.
  [[nodiscard]] std::optional<Instant> read_by_other(std::uint64_t octets) const;
  void shutdown_write();
  void close();      // also detaches
  void reset();      // the same with a reset for the other end
  void go_silent();  // nothing arrives from either end any more: the machine is gone

  [[nodiscard]] const SocketAddress& local() const { return local_; }
  [[nodiscard]] const SocketAddress& remote() const { return remote_; }

 private:
  friend class Network;
  void end_here();

  Network* network_ = nullptr;
  std::shared_ptr<Endpoint> other_;
  EndpointEvents* events_ = nullptr;
  std::string arrived_;
  std::size_t taken_ = 0;       // of arrived_
  std::size_t on_the_way_ = 0;  // octets that the other end wrote and that have not arrived
  std::uint64_t written_ = 0;
  std::vector<std::pair<std::uint64_t, Instant>> read_by_other_;  // octets in all, and when it was so many
  Instant last_arrival_;                                          // of what the other end sent: nothing overtakes
  std::int64_t vanish_after_ = -1;  // segments until this connection goes silent; -1: never
  bool blocked_ = false;            // write() took less than it was given
  bool connected_ = false;
  bool end_ = false;   // the other end's FIN arrived
  bool shut_ = false;  // our FIN is sent
  bool closed_ = false;
  bool silent_ = false;
  bool doomed_ = false;  // a reset is on its way: what is written from now on is lost
  int error_ = 0;
  SocketAddress local_;
  SocketAddress remote_;
};
using EndpointPointer = std::shared_ptr<Endpoint>;

// Called for each connection that waits in a listener's queue; the owner takes it by Listener::take().
class ListenerEvents {
 public:
  virtual ~ListenerEvents() = default;
  virtual void on_connection() = 0;
};

// What an address that takes datagrams hears; each is called from an event.
class DatagramEvents {
 public:
  virtual ~DatagramEvents() = default;
  virtual void on_datagram(View octets, const SocketAddress& from) = 0;
  virtual void on_datagram_error(int /*code*/) {}  // what it sent found nobody
};

class Listener {
 public:
  [[nodiscard]] bool waiting() const { return !queue_.empty(); }
  EndpointPointer take();
  [[nodiscard]] const SocketAddress& address() const { return address_; }

 private:
  friend class Network;
  SocketAddress address_;
  ListenerEvents* events_ = nullptr;
  std::size_t backlog_ = 0;
  bool open_ = true;
  std::deque<EndpointPointer> queue_;
};
using ListenerPointer = std::shared_ptr<Listener>;

class Network {
 public:
  Network(Schedule& schedule, Trace& trace, std::uint64_t seed) : schedule_(schedule), trace_(trace), random_(seed) {}

  ~Network();  // pairs of endpoints hold each other: this lets them go
  Network(const Network&) = delete;
  Network& operator=(const Network&) = delete;

  [[nodiscard]] NetworkConditions& conditions() { return conditions_; }
  // How connects to this address end from now on; connections that stand are not touched.
  void down(const SocketAddress& address, Down how);

  // Several listeners on one address share it (SO_REUSEPORT). Port 0: a free one is chosen. EADDRINUSE when
  // another listener has it and `share` is false for either.
  Result<ListenerPointer> listen(SocketAddress address, ListenerEvents&, std::size_t backlog, bool share);
  void close(Listener&);  // what waits in its queue is reset

  // An end that is not connected yet; `source` may be unspecified.
  EndpointPointer make(const SocketAddress& source);
  // Ends in on_connected(), or in on_readable() with error().
  void connect(Endpoint&, const SocketAddress& remote);

  // Takes datagrams at `address` until unbind(); port 0: one is chosen. Gives the address.
  SocketAddress bind(SocketAddress address, DatagramEvents&);
  void unbind(const SocketAddress& address) { bound_.erase(address); }
  // It arrives once, twice or never, and datagrams overtake each other. down() counts here too.
  void send_datagram(const SocketAddress& from, const SocketAddress& to, std::string octets);

  // Whether the relay finds no descriptor for one more socket now.
  [[nodiscard]] bool lacks_socket() {
    return conditions_.no_socket > 0 && random_.chance(conditions_.no_socket, 1'000'000);
  }
  // UNIX stream sockets: the path stands for the address.
  SocketAddress local_name(const std::string& path);

 private:
  friend class Endpoint;
  [[nodiscard]] Duration latency();
  void deliver(Endpoint& to, std::string octets);
  void deliver_end(Endpoint& to);
  void break_end(Endpoint& to, int code);
  void tell_readable(Endpoint& to);
  void establish(const EndpointPointer& caller, const SocketAddress& remote);
  Instant arrival(Endpoint& to);
  ListenerPointer pick(const SocketAddress& address);
  void tell_datagram_error(const SocketAddress& sender, Duration delay, int code);

  Schedule& schedule_;
  Trace& trace_;
  Random random_;
  NetworkConditions conditions_;
  std::map<SocketAddress, std::deque<ListenerPointer>> listeners_;
  std::map<SocketAddress, Down> down_;
  std::map<SocketAddress, DatagramEvents*> bound_;
  std::map<std::string, std::uint16_t> local_names_;
  std::vector<std::weak_ptr<Endpoint>> made_;
  std::size_t prune_at_ = 64;
  std::uint16_t next_port_ = 20000;
};

}  // namespace ringpost::sim
