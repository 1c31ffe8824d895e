// What ringpost-dnsd knows: names, their records, and how it misbehaves about them. Read from lines:
//
//   example.net        MX     10 mx1.example.net     # a record: name, optional TTL in seconds, type, data
//   mx1.example.net    60 A   192.0.2.1
//   *.many.test        MX     10 mx.$                # all names below; $ is the name that was asked for
//   mx.*.many.test     A      127.0.0.0/24           # * stands for one label; an address of the range, by the name
//   bad.example        !servfail type=MX first=3     # a misbehaviour: of questions for MX, the first three only
//
// Types: A AAAA MX CNAME TXT SOA. A name that has nothing below it and no line does not exist. Pure, one thread.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "ringpost/base/bytes.h"
#include "ringpost/base/result.h"
#include "ringpost/base/time.h"

namespace ringpost::dnsd {

inline constexpr std::uint32_t kDefaultTtl = 300;  // seconds
// Record types, by their numbers.
inline constexpr std::uint16_t kA = 1, kCname = 5, kSoa = 6, kMx = 15, kTxt = 16, kAaaa = 28;

enum class Deed : std::uint8_t {
  servfail,
  refuse,    // REFUSED
  no_edns,   // FORMERR to a question with EDNS
  silence,   // no reply
  delay,     // delay=DURATION
  truncate,  // over UDP: TC, and nothing in it
  cut,       // over UDP: TC, and the packet ends in the middle of a record
  wrong_id,  // these four: a forged packet, and then the true one (unless 'only')
  wrong_question,
  wrong_source,      // from another port
  lie,               // the true answer, with records of other names in every section
  loop,              // CNAMEs that lead back
  compression_loop,  // a name whose compression pointer points to itself
  garbage,           // octets behind a good header
  empty,             // a datagram without octets
  nxdomain,
  no_data,
  no_soa,     // negative answers without SOA
  no_follow,  // CNAMEs are answered and not followed
};

struct Behaviour {
  Deed deed = Deed::servfail;
  Duration delay{};
  std::optional<std::uint16_t> type;
  std::uint64_t first = UINT64_MAX;  // questions
  bool only = false;
  std::uint64_t used = 0;
};

struct Record {
  std::uint16_t type = 0;
  std::uint32_t ttl = kDefaultTtl;
  std::string data;  // as written
};

struct Node {
  std::vector<Record> records;
  std::vector<Behaviour> behaviours;
};

std::optional<std::uint16_t> type_of(View word);
std::string type_text(std::uint16_t type);

class Zone {
 public:
  // Adds lines. The error names the line.
  Result<void> read(View text);

  // The node of `name` (lower case, no final dot): its own, else the pattern with the most labels that fits. Null:
  // none.
  [[nodiscard]] Node* find(const std::string& name);
  // Whether something is known below `name`.
  [[nodiscard]] bool has_below(const std::string& name) const;

 private:
  Result<void> read_line(View line);
  Node& node(const std::string& name);

  std::map<std::string, Node> names_;
  struct Pattern {
    std::vector<std::string> labels;
    Node node;
  };
  std::vector<Pattern> patterns_;
};

}  // namespace ringpost::dnsd
