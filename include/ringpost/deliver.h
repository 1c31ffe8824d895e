// Handing mail on: connections to the hosts of a destination and the client's side of SMTP. It ends in outcomes and
// callbacks: it does not know the queue, the spool or who decides how many connections there may be.
//
// Nested by depth: a Connection (which host next, TCP, time) holds a ClientSession (one SMTP talk: banner, EHLO, the
// transactions in flight) whose Transactions each hold one Job. ClientSession is a machine without I/O, as
// receive::Session is.
//
// With PIPELINING, MAIL RCPT… DATA go in one send, and the next envelope goes with the body (RFC 2920 3.1: "overlap");
// with CHUNKING whole transactions go behind each other, up to kTransactionsInFlight (RFC 3030).
//
// Thread: its core's.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "ringpost/base/counter.h"
#include "ringpost/base/list.h"
#include "ringpost/config.h"
#include "ringpost/message.h"
#include "ringpost/ring.h"
#include "ringpost/route.h"
#include "ringpost/smtp.h"

namespace ringpost::deliver {

inline constexpr std::size_t kTransactionsInFlight = 8;
// A connection with something in flight is given nothing more when so long no reply has come and no send has ended.
inline constexpr Duration kStalledAfter = 1s;
inline constexpr std::size_t kInFlightOctets = 1024 * 1024;  // of contents in flight on one connection, past the first

// One message for one destination: core's, from next() to done() or returned().
struct Job {
  SpoolId id;
  DestinationId destination;
  const message::Envelope* envelope = nullptr;
  const message::ContentFacts* facts = nullptr;
  std::span<const std::uint32_t> recipients;  // indices into the envelope, at least one
  message::BodySource* content = nullptr;     // trace line first; at its first octet
};

// When another host is there to be tried, one that does not answer a connect is waited for no longer than this.
inline constexpr Duration kNextHostAfter = 5s;
// A host that took no connection, or refused to talk, is tried behind the others for so long.
inline constexpr Duration kHostRests = 60s;

// Where an attempt went, for events.
struct Attempt {
  SocketAddress host;
  View host_name;  // of the MX or of the route's host; empty: it was given as an address
  SocketAddress source;
  View site;        // the destination's name
  Duration took{};  // from the transaction's first octet to this outcome
};

// What core binds for all destinations of its core. Besides what peers say, two kinds of outcome are ours:
//   - What the peer's EHLO does not allow is refused without trying, with the code that the extension names: 552 5.3.4
//     (larger than its SIZE), 553 5.6.7 and 550 5.6.9 (an address or a header section that needs SMTPUTF8). Eight-bit
//     octets go as they are to a peer without 8BITMIME: converting would break them and their signatures, and
//     refusing (RFC 6152 3) would lose mail that the servers of the field take.
//   - What went wrong with a connection has code 0: 4.4.1 no answer, 4.4.2 broken or timed out, 4.5.0 no SMTP, 4.3.x
//     our own shortage or a content that cannot be read.
class Host {
 public:
  virtual ~Host() = default;
  // The next job that is ready for the destination (its content open), or null.
  virtual Job* next(DestinationId) = 0;
  // One recipient's outcome (index into the envelope); each recipient of a job gets exactly one, before done().
  virtual void outcome(Job&, std::uint32_t recipient, const message::Outcome&, const Attempt&) = 0;
  // The job is over. Deliver does not look at it again.
  virtual void done(Job&) = 0;
  // The job was not begun, or lost its connection before any answer that counts (a cached connection that the peer had
  // closed): it goes back as if it never had been taken.
  virtual void returned(Job&) = 0;
  // A connection is gone (or was never made): its lease is free.
  virtual void closed(DestinationId) = 0;
  // A connection reached the point where mail can be sent, and asks for it next: the destination lives.
  virtual void reached(DestinationId) = 0;
  // No host of the destination took a connection, or greeted, or said EHLO: the last host's words. A job that waited
  // for it comes back by returned().
  virtual void unreachable(DestinationId, const message::Outcome&, const Attempt&) = 0;
  // A connection that TCP made is over, with so many messages taken; `took` is its whole life. Comes before closed().
  virtual void connection_over(DestinationId, std::uint32_t /*messages*/, const Attempt&) {}
  // This machine could not open a connection (no descriptor, port or memory left): no word about the destination.
  // closed() follows. The text says what to do.
  virtual void shortage(DestinationId, const message::Outcome&, const Attempt&) = 0;
  // A connection that wake() counted on has made no progress for kStalledAfter: there is none with room, or another.
  virtual void stalled(DestinationId) = 0;
};

// What one SMTP talk needs from around it; Connection implements it in the daemon, tests implement it in memory.
class Talk {
 public:
  virtual ~Talk() = default;
  virtual Job* next() = 0;
  virtual void outcome(Job&, std::uint32_t recipient, const message::Outcome&) = 0;
  virtual void done(Job&) = 0;
  virtual void returned(Job&) = 0;
  virtual void reached() = 0;
  // The peer offered CHUNKING and does not know BDAT: its host is better talked to by DATA from now on.
  virtual void bdat_unknown() = 0;
  // Each RCPT that was written is answered. May come again, when more of them were to be asked for.
  virtual void envelope_answered(Job&) {}
  // output() is worth calling, for a reason that the session's owner did not cause: a content has octets again, or
  // there is more to do than one turn should take. May come at any time, also from inside another room.
  virtual void ready() = 0;
};

// The client's side of one SMTP session, from banner to QUIT.
class ClientSession {
 public:
  ClientSession(View hostname, const config::Manners&, const config::DeliverTimeouts&, Talk&);
  ~ClientSession();  // every job was given back (CHECK): call broken() first, also when ended() by itself

  // Octets from the peer: all are consumed.
  void feed(View input);
  // What to send now, as pieces in order that stay in place until sent(); empty: nothing to say. Asks Talk::next() for
  // more work when a transaction may begin. Not called again before sent().
  std::span<const iovec> output();
  void sent(std::size_t octets);  // all of what output() gave
  // There may be work: output() is worth calling.
  [[nodiscard]] bool can_take_work() const;
  // The connection is over: gives each job its outcomes or back, by how far it was. `why` ("connection reset by peer")
  // stands in the outcomes, unless the session ended by itself and has a better reason. The kernel reads nothing of
  // what output() gave any more. Ends the session.
  void broken(View why);
  // patience() passed without progress(): QUIT when idle(), else the session has ended().
  void timed_out();
  // No new transaction; QUIT when the ones in flight are done.
  void quit();
  [[nodiscard]] bool ended() const;         // close the connection once output is sent
  [[nodiscard]] bool idle() const;          // greeted, no transaction in flight
  [[nodiscard]] bool usable() const;        // greeted, and not ending
  [[nodiscard]] Duration patience() const;  // for the reply or the progress that is due (RFC 5321 4.5.3.2)
  // Grows with each whole reply and each send: a peer that drips octets makes none.
  [[nodiscard]] std::uint64_t progress() const;
  [[nodiscard]] std::size_t in_flight() const;  // jobs it holds
  static std::size_t octets_each();             // of memory that one takes, for the memory plan
  // Why the session was over before it could ask for work, if it was: the peer's words.
  [[nodiscard]] bool refused(message::Outcome&) const;

 private:
  struct Parts;
  std::unique_ptr<Parts> parts_;
};

struct Statistics {
  std::uint64_t connections = 0;  // made since start
  std::uint64_t open = 0;         // now
  std::uint64_t connect_failures = 0;
  std::uint64_t shortages = 0;  // connections that were not opened for want of something of ours
  std::uint64_t transactions = 0;
  std::uint64_t delivered = 0;  // recipients
  std::uint64_t later = 0;
  std::uint64_t never = 0;
  std::uint64_t octets = 0;  // of contents sent
  // The phases of attempts, in nanoseconds by the ring's clock; the last two of those that were delivered to somebody.
  Histogram connect_time;   // TCP
  Histogram greeting_time;  // from there until mail can be sent
  Histogram envelope_time;  // from the transaction's first octet to the last reply to a RCPT
  Histogram content_time;   // from there to the end
};

// Host is called from the ring's turns only, never from inside these functions; from inside Host's, any of these may be
// called.
class Deliverer {
 public:
  Deliverer(ring::Ring&, std::shared_ptr<const config::Config>, Host&);
  ~Deliverer();

  // Opens one more connection to the destination; its lease was taken. It tries the hosts in order, those that failed
  // lately last, and asks for jobs when it can send. The way is copied.
  void open(DestinationId, const route::Way&);
  // There are jobs. True when a connection of the destination has room and will ask this turn; false: all are busy, or
  // none.
  bool wake(DestinationId);
  // Gives back `count` connections, those counted that are being given back already: idle ones at once, then those not
  // greeted yet, others when their transactions in flight are done.
  void yield(DestinationId, std::uint32_t count);
  [[nodiscard]] std::uint32_t connections(DestinationId) const;
  [[nodiscard]] std::uint32_t connecting(DestinationId) const;  // of them: not greeted yet
  // The destination has no connection and its id may come to mean another one: what is known of it goes.
  void forget(DestinationId);
  void reconfigure(std::shared_ptr<const config::Config>);
  // No new transactions; idle connections QUIT; the others when done.
  void drain();
  // Breaks every connection: jobs get their outcomes or come back, in the turns that follow.
  void abort();
  [[nodiscard]] bool idle() const;  // no connection left, no operation in the kernel
  [[nodiscard]] const Statistics& statistics() const;
  static std::vector<config::MemoryLine> memory(const config::Config&, unsigned cores);

 private:
  struct Parts;
  std::unique_ptr<Parts> parts_;
};

}  // namespace ringpost::deliver
