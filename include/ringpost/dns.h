// Questions to the Domain Name System: a seam (Lookup) that the rooms above ask, and the Resolver behind it: a stub
// resolver over the ring that asks recursive servers, checks what they say, and keeps it for as long as it holds.
// This room is the only one that knows ldns.
//
// What an answer must be to count: it comes from the server that was asked (a connected socket), repeats the id and the
// question, and reads as a message; of its records only those count whose owner is the name asked for or follows from
// it by CNAMEs in the same answer (bounded, no loop). Truncated ones are asked for again over TCP.
//
// Thread: its core's, each object here; an Answer never changes and may be read on any thread.
//
// Never here: what MX records mean for mail (route).
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "ringpost/base/address.h"
#include "ringpost/base/bytes.h"
#include "ringpost/base/list.h"
#include "ringpost/base/time.h"
#include "ringpost/ring.h"

namespace ringpost::dns {

// Bounds, all per core.
inline constexpr std::size_t kMostAsked = 512;             // questions with a server at once; further ones wait
inline constexpr std::size_t kMostQuestions = 65536;       // asked and waiting; further ones fail at once
inline constexpr std::size_t kMostAliases = 12;            // CNAMEs followed for one question
inline constexpr std::size_t kMostRecords = 256;           // of an answer that are kept
inline constexpr std::size_t kMostTextOctets = 64 * 1024;  // of an answer's TXT records together
inline constexpr Duration kLeastTtl = 1s;                  // what a server says is brought between these
inline constexpr Duration kMostTtl = 24h;
inline constexpr Duration kMostNegativeTtl = 1h;  // RFC 2308 5: one to three hours
inline constexpr Duration kFailureTtl = 5s;       // RFC 9520 3.2: failures are kept too, at least a second
inline constexpr std::uint16_t kUdpSize = 1232;   // octets of a reply over UDP that we announce

enum class Type : std::uint16_t { a = 1, cname = 5, mx = 15, txt = 16, aaaa = 28, tlsa = 52 };
View name_of(Type type);

enum class Status : std::uint8_t {
  found,
  no_data,    // the name is there, with other records
  no_name,    // NXDOMAIN
  temporary,  // nobody could say; `text` says why
};

struct Mx {
  std::uint16_t preference = 0;
  std::string host;  // as Answer::name; empty: the root, "." (RFC 7505)
  auto operator<=>(const Mx&) const = default;
};

struct Tlsa {
  std::uint8_t usage = 0, selector = 0, matching = 0;
  std::string data;  // octets
};

struct Answer {
  Status status = Status::temporary;
  std::string name;                      // after all CNAMEs; lower case, without the final dot, odd octets as \ddd
  std::vector<Mx> mx;                    // each vector: only where that type was asked for and found
  std::vector<SocketAddress> addresses;  // port 0
  std::vector<std::string> texts;        // each record's strings joined
  std::vector<Tlsa> tlsa;
  Instant expires;
  bool secure = false;  // validated by a server on loopback (RFC 6840 5.7: AD)
  std::string text;     // for people: "example.net has no MX record", "no answer from 127.0.0.1:53 within 5 s"
  [[nodiscard]] std::size_t octets() const;  // of memory
};
using AnswerPointer = std::shared_ptr<const Answer>;

// One wait for an answer: a named member of who waits, at most one lookup at a time. Destroying or cancelling it ends
// the wait; the question goes on for the cache.
class Query : public Link<Query> {
 public:
  using Handler = void (*)(void* owner, const AnswerPointer& answer);
  Query(void* owner, Handler handler) : owner_(owner), handler_(handler) {}

  [[nodiscard]] bool waiting() const { return linked(); }
  void cancel() { unlink(); }
  // For implementations of Lookup: ends the wait and tells the owner, who may destroy this.
  void complete(const AnswerPointer& answer) {
    unlink();
    handler_(owner_, answer);
  }

 private:
  void* owner_;
  Handler handler_;
};

// answered<&Search::on_mx> makes a member function a Handler.
template <auto Method>
struct AnsweredOf;
template <class Owner, void (Owner::*Method)(const AnswerPointer&)>
struct AnsweredOf<Method> {
  static void call(void* owner, const AnswerPointer& answer) { (static_cast<Owner*>(owner)->*Method)(answer); }
};
template <auto Method>
inline constexpr Query::Handler answered = &AnsweredOf<Method>::call;

// Who answers questions: the Resolver, core's lookups over all cores, a test's table.
class Lookup {
 public:
  virtual ~Lookup() = default;
  // Completes the query once, never from inside this call. `name` in any case, with or without a final dot; what is
  // no name (empty, a label above 63 octets, characters that no host or mail domain has) gets no_name.
  virtual void lookup(Query& query, View name, Type type) = 0;
};

// The name as questions and the cache know it: lower case, no final dot; empty: it is none.
std::string normal_name(View name);

struct ResolverOptions {
  std::vector<SocketAddress> servers;  // in order of preference; none: every question fails
  std::uint64_t cache_octets =
      16 * 1024 * 1024;  // for all cached answers of this core; the least recently used go first
};

struct Statistics {
  std::uint64_t lookups = 0;   // asked of us
  std::uint64_t cached = 0;    // answered from the cache
  std::uint64_t joined = 0;    // that joined a question already on its way
  std::uint64_t sent = 0;      // questions sent to servers, each try
  std::uint64_t tcp = 0;       // of them over TCP
  std::uint64_t timeouts = 0;  // tries without an answer
  std::uint64_t ignored = 0;   // datagrams with a wrong id or question
  std::uint64_t failures = 0;  // questions that ended as temporary
  std::uint64_t entries = 0;   // in the cache now
  std::uint64_t octets = 0;    // of them
};

// A server as it stands, for people.
struct ServerState {
  SocketAddress address;
  Duration smoothed{};         // round trip
  std::uint32_t failures = 0;  // in a row
  std::string last_error;
};

class Resolver final : public Lookup {
 public:
  Resolver(ring::Ring&, ResolverOptions);
  ~Resolver() override;  // idle() first

  void lookup(Query& query, View name, Type type) override;
  // Other servers or another bound; what is on its way goes on, and the cache stays if the servers are the same.
  void reconfigure(ResolverOptions);
  // Begins nothing any more and calls back what the kernel holds; queries that wait are never completed.
  void stop();
  [[nodiscard]] bool idle() const;  // no operation is in the kernel
  [[nodiscard]] Statistics statistics() const;
  [[nodiscard]] std::vector<ServerState> servers() const;

 private:
  struct Parts;
  std::unique_ptr<Parts> parts_;
};

// What a server's message says about a question, for the Resolver, the fuzzer and tests. Pure.
struct Reply {
  enum class Kind : std::uint8_t {
    not_ours,   // another id or question, or no reply at all: wait on
    garbage,    // ours, but it cannot be read
    truncated,  // ask over TCP
    no_edns,    // FORMERR or NOTIMP to a question with EDNS: ask without
    refused,    // SERVFAIL, REFUSED, a referral, …: ask another server
    answer,
    follow,  // a chain of CNAMEs that ends at a name about which this message says nothing: ask for that name
  };
  Kind kind = Kind::not_ours;
  std::string text;  // why, where it is no answer
  std::string next;  // follow
  Duration ttl{};    // answer and follow: the least on the way, between the bounds above
  std::size_t aliases = 0;
  Answer answer;           // `expires` and `secure` unset
  bool authentic = false;  // AD
};
// `name` is normal. `tcp`: TC means nothing.
Reply read_reply(View wire, std::uint16_t id, View name, Type type, bool with_edns, bool tcp);
// The question as it is sent: RD, AD (RFC 6840 5.7), and EDNS(0) with kUdpSize.
std::string write_question(std::uint16_t id, View name, Type type, bool with_edns);

}  // namespace ringpost::dns
