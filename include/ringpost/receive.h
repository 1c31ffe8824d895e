// Taking mail in: listeners, connections and the server's side of an SMTP session (RFC 5321, 1870, 2034, 2920, 3030,
// 3461, 6152, 6531). It ends in a message::Draft and a callback: it does not know the spool.
//
// Two layers. Session is a machine without I/O: octets in, octets and wishes out; the same object runs under unit test,
// dialogue script, fuzzer, simulator and daemon. Receiver (per core) owns listeners and connections, moves octets
// between ring and sessions, and keeps the limits: sessions, time, errors, and what a session may hold.
//
// Thread: its core's.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include <sys/uio.h>

#include "ringpost/config.h"
#include "ringpost/message.h"
#include "ringpost/policy.h"
#include "ringpost/ring.h"
#include "ringpost/smtp.h"

namespace ringpost::receive {

// Transactions of one session whose commit is awaited while it parses on; their replies are held in order.
inline constexpr std::size_t kCommitsAwaited = 32;
// Octets of replies that a session holds before it stops parsing.
inline constexpr std::size_t kRepliesHeld = 16UL * 1024;

// Names one commit of one session; stays harmless when the session is gone.
struct Ticket {
  std::uint32_t slot = 0;
  std::uint32_t generation = 0;
  std::uint32_t sequence = 0;
};

// Why a draft could not be begun or kept; each becomes a reply.
struct Refused {
  std::uint16_t code = 452;
  smtp::EnhancedCode enhanced{4, 3, 1};
  View text = "Insufficient system storage";  // static
};

// What core binds for all sessions of its core.
class Host {
 public:
  virtual ~Host() = default;
  // The calendar's time, for the trace line of a message that is complete.
  [[nodiscard]] virtual WallTime wall() = 0;
  // A new, empty draft with its id and its content sink; or why not. Called at MAIL: a flood is refused before it
  // costs.
  virtual message::Draft* begin(Refused& why) = 0;
  // The draft is complete: envelope, facts, trace. Answered by Receiver::committed (or Session::committed) with the
  // same ticket, never from inside this call. The draft is no longer the session's.
  virtual void commit(message::Draft&, Ticket) = 0;
  // Given up (RSET, refusal, break): forget it. It was never said to be taken.
  virtual void abandon(message::Draft&) = 0;
  // For events and metrics: a reply with code >= 400. Texts live for the call; a path that is not known is empty.
  virtual void refused(const SocketAddress& client, View reverse_path, View forward_path, std::uint16_t code,
                       smtp::EnhancedCode enhanced, View text) = 0;
  // For events: a session that was counted is over.
  virtual void session_over(const SocketAddress& /*client*/, std::uint32_t /*messages*/, Duration /*took*/) {}
};

// Facts of one session that its connection knows.
struct Peer {
  SocketAddress client;
  SocketAddress listener;
  config::ListenerKind kind = config::ListenerKind::relay;
  policy::Verdict verdict;  // of policy::may_connect: a refusal is said instead of the banner, and ends the session
};

struct Statistics {
  std::uint64_t connections = 0;
  std::uint64_t sessions = 0;  // now
  std::uint64_t transactions = 0;
  std::uint64_t messages = 0;     // answered 250
  std::uint64_t octets = 0;       // of their contents
  std::uint64_t refused[6] = {};  // replies by first digit, index 4 and 5
};

// What the sessions of one core share: the pools that a session takes from only while it has something to keep there
// (an idle one owns a slot of some 250 octets and its client's name), and their counts.
class Pools {
 public:
  // For at most `sessions` Sessions at the same time. Address space, touched on use.
  explicit Pools(std::uint32_t sessions);
  ~Pools();  // after the last session
  Statistics statistics;

 private:
  friend class Session;
  friend class Receiver;
  struct Parts;
  std::unique_ptr<Parts> parts_;
};

class Session {
 public:
  // The banner is the first output. `config`, `host` and `pools` outlive the session; there is room for it in `pools`
  // (CHECK).
  Session(const config::Config& config, const Peer& peer, Host& host, Ticket name, Pools& pools);
  ~Session();  // abandons an open transaction; awaited commits go on
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;

  // Changes the session by `input` and gives how many octets it consumed. What is left is an unfinished command line
  // (offer it again with more behind it; at most smtp::kCommandLine octets), or the session waits (too many commits or
  // replies held, the sink is full: offer it again when wants_input()), or it has ended (drop it).
  std::size_t feed(View input);
  [[nodiscard]] bool wants_input() const;
  // The commit with this sequence is durable, or why it is not.
  void committed(std::uint32_t sequence, const Result<void>& result);
  // The content sink can take octets again. The session has this called by the sink itself.
  void drained();
  // Who to tell that the session, which did not want input, may want it again because its sink has drained.
  void on_wake(void* owner, void (*wake)(void* owner));
  // The peer was silent for patience(), or its content took longer than the configuration grants: 421 and the end.
  void timed_out();
  // The service goes down: 421 4.3.2 as soon as no transaction is under way (RFC 5321 3.8), at once when idle.
  void drain();

  // Octets for the peer, in order: the first run of them. They stay where they are until sent(); more may be added
  // behind them meanwhile.
  [[nodiscard]] View output() const;
  // The same as pieces for one send; gives how many of `pieces` were filled.
  std::size_t output(std::span<iovec> pieces) const;
  void sent(std::size_t octets);
  // Nothing is read any more. The peer is to be closed once answered().
  [[nodiscard]] bool ended() const;
  // All replies were sent and no commit is awaited.
  [[nodiscard]] bool answered() const;
  // No transaction is open and no commit awaited.
  [[nodiscard]] bool idle() const;
  // How long the peer may now be silent (config's receive timeouts); Duration::max() while it waits for us.
  [[nodiscard]] Duration patience() const;
  // Changes whenever patience() begins anew: a whole command line, a reply, octets of content. Not with a part of a
  // line.
  [[nodiscard]] std::uint32_t progress() const;
  // The number of the content that is under way, from 354 or the first BDAT to its end; 0: none. For the bound on its
  // time.
  [[nodiscard]] std::uint32_t content() const;

 private:
  friend class Pools;
  friend class Receiver;  // its memory plan
  struct Parts;
  Parts* parts_;  // in the pool
};

// How many sessions the process has, over all cores: limits.sessions and limits.sessions_per_client are of the process,
// and connections are not spread evenly over cores. One for all Receivers of a process. Any thread.
class Census {
 public:
  struct Count {
    std::uint32_t sessions = 0;   // before this one
    std::uint32_t of_client = 0;  // of them, from the same address; 0 when nobody asks
  };
  Census();
  ~Census();
  // Counts one more session. `by_client` costs a lock and is for when somebody asks for it; leave() is told the same.
  Count enter(const SocketAddress& client, bool by_client);
  void leave(const SocketAddress& client, bool by_client);

 private:
  struct Parts;
  std::unique_ptr<Parts> parts_;
};

class Receiver {
 public:
  // Pools are sized from `config`. `host` outlives it. Without a census it counts for itself: one core, or a test. It
  // may be destroyed when idle().
  Receiver(ring::Ring&, std::shared_ptr<const config::Config>, Host&, std::shared_ptr<Census> = nullptr);
  ~Receiver();

  // Opens the listeners of the config that take relay mail; the error names the address.
  Result<void> listen();
  // The addresses actually bound (port 0 becomes the kernel's choice).
  [[nodiscard]] std::vector<SocketAddress> addresses() const;
  void committed(Ticket, const Result<void>&);
  // Sessions that begin from now on use `config`; listeners stay.
  void reconfigure(std::shared_ptr<const config::Config>);
  // Closes the listeners; idle sessions get 421 now, others when their transaction is done.
  void drain();
  // Ends every session without ceremony (the spool has failed, or the drain time is over).
  void abort();
  [[nodiscard]] bool idle() const;  // no session left, no operation in the kernel
  [[nodiscard]] const Statistics& statistics() const;
  // What the pools take, for the memory plan.
  static std::vector<config::MemoryLine> memory(const config::Config&, unsigned cores);

 private:
  struct Parts;
  std::unique_ptr<Parts> parts_;
};

}  // namespace ringpost::receive
