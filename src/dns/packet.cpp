// Messages by ldns: the question we send, and what of a server's reply may be believed. Pure functions; ldns checks the
// form (lengths, compression pointers that loop), this file the meaning.
#include <algorithm>
#include <cctype>
#include <cstdlib>
#include <memory>
#include <optional>

#include <fmt/format.h>

#include "ldns.h"
#include "ringpost/dns.h"

namespace ringpost::dns {
namespace {

constexpr std::size_t kHeaderOctets = 12;
constexpr std::size_t kLongestName = 253;  // octets of text, RFC 1035 2.3.4
constexpr std::size_t kLongestLabel = 63;

struct FreePacket {
  void operator()(ldns_pkt* packet) const { ldns_pkt_free(packet); }
};
using Packet = std::unique_ptr<ldns_pkt, FreePacket>;

bool is_name_char(char c) {
  return is_digit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '-' || c == '_' || c == '/';
}

// A domain name in wire form as text: lower case, no final dot. An octet that no host name has becomes \ddd, so that it
// is never taken for a dot or another name.
std::string text_of(const ldns_rdf* name) {
  const std::uint8_t* const data = ldns_rdf_data(name);
  const std::size_t size = ldns_rdf_size(name);
  std::string text;
  for (std::size_t at = 0; at < size && data[at] != 0;) {
    const std::size_t length = data[at++];
    if (length > kLongestLabel || at + length > size) return "\\";  // compressed: ldns has undone that
    if (!text.empty()) text += '.';
    for (const std::size_t end = at + length; at < end; ++at) {
      const char c = static_cast<char>(data[at]);
      if (is_name_char(c))
        text += ascii_lower(c);
      else
        text += fmt::format("\\{:03}", data[at]);
    }
  }
  return text;
}

SocketAddress address_of(const ldns_rdf* rdf) {
  SocketAddress address;
  const std::size_t size = ldns_rdf_size(rdf);
  if (size != 4 && size != 16) return address;
  std::copy_n(ldns_rdf_data(rdf), size, address.octets.begin());
  address.family = size == 4 ? Family::v4 : Family::v6;
  // A mapped address in an AAAA record is the IPv4 address that the kernel would go to: one rule covers both.
  constexpr std::uint8_t kMapped[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
  if (size == 16 && std::equal(std::begin(kMapped), std::end(kMapped), address.octets.begin()))
    return SocketAddress::v4(address.octets[12], address.octets[13], address.octets[14], address.octets[15], 0);
  return address;
}

// The octets of all character strings of a TXT record.
std::string joined(const ldns_rr* record) {
  std::string text;
  for (std::size_t i = 0; i < ldns_rr_rd_count(record); ++i) {
    const ldns_rdf* part = ldns_rr_rdf(record, i);
    const auto* data = reinterpret_cast<const char*>(ldns_rdf_data(part));
    const std::size_t size = ldns_rdf_size(part);
    if (size > 1) text.append(data + 1, size - 1);
  }
  return text;
}

// Adds what a record says to the answer; false: it is not whole.
bool add_record(Answer& answer, const ldns_rr* record, Type type) {
  const std::size_t fields = ldns_rr_rd_count(record);
  switch (type) {
    case Type::a:
    case Type::aaaa: {
      if (fields != 1) return false;
      const SocketAddress address = address_of(ldns_rr_rdf(record, 0));
      if (address.known()) answer.addresses.push_back(address);
      return address.known();
    }
    case Type::mx:
      if (fields != 2) return false;
      answer.mx.push_back({ldns_rdf2native_int16(ldns_rr_rdf(record, 0)), text_of(ldns_rr_rdf(record, 1))});
      return true;
    case Type::txt: {
      std::string text = joined(record);
      std::size_t held = text.size();
      for (const std::string& each : answer.texts) held += each.size();
      if (held > kMostTextOctets) return false;
      answer.texts.push_back(std::move(text));
      return true;
    }
    case Type::tlsa: {
      if (fields != 4) return false;
      const ldns_rdf* data = ldns_rr_rdf(record, 3);
      answer.tlsa.push_back({ldns_rdf2native_int8(ldns_rr_rdf(record, 0)),
                             ldns_rdf2native_int8(ldns_rr_rdf(record, 1)),
                             ldns_rdf2native_int8(ldns_rr_rdf(record, 2)),
                             {reinterpret_cast<const char*>(ldns_rdf_data(data)), ldns_rdf_size(data)}});
      return true;
    }
    case Type::cname:
      return true;  // the name itself is Answer::name
  }
  return false;
}

Duration bounded(std::uint32_t seconds, Duration most) {
  // RFC 2181 8: a TTL with its top bit set is zero.
  const Duration said = std::chrono::seconds{seconds > 0x7FFFFFFFU ? 0 : seconds};
  return std::clamp<Duration>(said, kLeastTtl, most);
}

bool is_below_or_same(View name, View zone) {
  if (zone.empty() || name == zone) return true;
  return name.size() > zone.size() && name.ends_with(zone) && name[name.size() - zone.size() - 1] == '.';
}

// One reply being judged.
class Judge {
 public:
  Judge(const ldns_pkt* packet, View name, Type type) : packet_(packet), name_(name), type_(type) {}

  void run(Reply& reply);

 private:
  [[nodiscard]] std::optional<std::string> alias_of(View owner, Reply& reply) const;
  std::size_t collect(View owner, Reply& reply) const;
  [[nodiscard]] std::optional<Duration> negative_ttl(View owner) const;
  [[nodiscard]] bool is_referral() const;
  void conclude(Reply& reply, View owner, std::size_t records) const;

  const ldns_pkt* packet_;
  View name_;
  Type type_;
};

// Bailiwick: only records of `owner` count, and `owner` is the name that was asked for or came of it by CNAMEs; what
// else a server puts into its answer is nobody's word.
std::size_t Judge::collect(View owner, Reply& reply) const {
  const ldns_rr_list* answers = ldns_pkt_answer(packet_);
  std::size_t found = 0;
  for (std::size_t i = 0; i < ldns_rr_list_rr_count(answers) && found < kMostRecords; ++i) {
    const ldns_rr* record = ldns_rr_list_rr(answers, i);
    if (static_cast<std::uint16_t>(ldns_rr_get_type(record)) != static_cast<std::uint16_t>(type_)) continue;
    if (ldns_rr_get_class(record) != LDNS_RR_CLASS_IN || text_of(ldns_rr_owner(record)) != owner) continue;
    if (!add_record(reply.answer, record, type_)) continue;
    reply.ttl = std::min(reply.ttl, bounded(ldns_rr_ttl(record), kMostTtl));
    ++found;
  }
  return found;
}

std::optional<std::string> Judge::alias_of(View owner, Reply& reply) const {
  const ldns_rr_list* answers = ldns_pkt_answer(packet_);
  for (std::size_t i = 0; i < ldns_rr_list_rr_count(answers); ++i) {
    const ldns_rr* record = ldns_rr_list_rr(answers, i);
    if (ldns_rr_get_type(record) != LDNS_RR_TYPE_CNAME || ldns_rr_rd_count(record) != 1) continue;
    if (ldns_rr_get_class(record) != LDNS_RR_CLASS_IN || text_of(ldns_rr_owner(record)) != owner) continue;
    reply.ttl = std::min(reply.ttl, bounded(ldns_rr_ttl(record), kMostTtl));
    return text_of(ldns_rr_rdf(record, 0));
  }
  return std::nullopt;
}

// RFC 2308 5: the lesser of the SOA's own TTL and its last field, of a zone that the name is in.
std::optional<Duration> Judge::negative_ttl(View owner) const {
  const ldns_rr_list* authority = ldns_pkt_authority(packet_);
  for (std::size_t i = 0; i < ldns_rr_list_rr_count(authority); ++i) {
    const ldns_rr* record = ldns_rr_list_rr(authority, i);
    if (ldns_rr_get_type(record) != LDNS_RR_TYPE_SOA || ldns_rr_rd_count(record) != 7) continue;
    if (!is_below_or_same(owner, text_of(ldns_rr_owner(record)))) continue;
    const std::uint32_t minimum = ldns_rdf2native_int32(ldns_rr_rdf(record, 6));
    return bounded(std::min(minimum, ldns_rr_ttl(record)), kMostNegativeTtl);
  }
  return std::nullopt;
}

// A server that names other servers instead of answering does not resolve for us.
bool Judge::is_referral() const {
  const ldns_rr_list* authority = ldns_pkt_authority(packet_);
  if (ldns_pkt_aa(packet_)) return false;
  for (std::size_t i = 0; i < ldns_rr_list_rr_count(authority); ++i)
    if (ldns_rr_get_type(ldns_rr_list_rr(authority, i)) == LDNS_RR_TYPE_NS) return true;
  return false;
}

void Judge::run(Reply& reply) {
  std::string owner(name_);
  reply.ttl = kMostTtl;
  for (;;) {
    const std::size_t records = collect(owner, reply);
    if (records > 0) return conclude(reply, owner, records);
    auto next = alias_of(owner, reply);
    if (!next) return conclude(reply, owner, 0);
    if (type_ == Type::cname) {
      owner = *next;
      return conclude(reply, owner, 1);
    }
    // Counting ends loops too.
    if (++reply.aliases > kMostAliases) {
      reply.kind = Reply::Kind::refused;
      reply.text = fmt::format("{} leads through more than {} CNAMEs", name_, kMostAliases);
      return;
    }
    owner = std::move(*next);
  }
}

void Judge::conclude(Reply& reply, View owner, std::size_t records) const {
  Answer& answer = reply.answer;
  reply.kind = Reply::Kind::answer;
  answer.name = owner;
  if (records > 0) {
    answer.status = Status::found;
    return;
  }
  const auto negative = negative_ttl(owner);
  if (ldns_pkt_get_rcode(packet_) == LDNS_RCODE_NXDOMAIN) {
    answer.status = Status::no_name;
    answer.text = fmt::format("{} does not exist (NXDOMAIN)", owner);
  } else if (!negative && reply.aliases > 0 && !is_referral()) {
    reply.kind = Reply::Kind::follow;
    reply.next = owner;
    return;
  } else if (!negative && is_referral()) {
    reply.kind = Reply::Kind::refused;
    reply.text = "it names other servers and does not resolve for us";
    return;
  } else {
    answer.status = Status::no_data;
    answer.text = fmt::format("{} has no {} record", owner, name_of(type_));
  }
  // RFC 2308 5: without a SOA the answer is not to be kept; it is for the moment in which equal questions come.
  reply.ttl = std::min(reply.ttl, negative.value_or(kLeastTtl));
}

bool repeats_question(const ldns_pkt* packet, View name, Type type) {
  const ldns_rr_list* questions = ldns_pkt_question(packet);
  if (ldns_rr_list_rr_count(questions) != 1) return false;
  const ldns_rr* question = ldns_rr_list_rr(questions, 0);
  return static_cast<std::uint16_t>(ldns_rr_get_type(question)) == static_cast<std::uint16_t>(type) &&
         ldns_rr_get_class(question) == LDNS_RR_CLASS_IN && text_of(ldns_rr_owner(question)) == name;
}

std::string rcode_text(ldns_pkt_rcode code) {
  char* const words = ldns_pkt_rcode2str(code);
  std::string text = words != nullptr ? words : "an error";
  std::free(words);
  return text;
}

std::uint16_t number_at(View wire, std::size_t at) {
  return static_cast<std::uint16_t>(static_cast<unsigned char>(wire[at]) << 8 |
                                    static_cast<unsigned char>(wire[at + 1]));
}

// A message that has no question section beside an error: some servers leave it out of FORMERR.
bool has_no_question(View wire) { return number_at(wire, 4) == 0; }

void judge_code(Reply& reply, ldns_pkt_rcode code, bool with_edns) {
  reply.kind = Reply::Kind::refused;
  if (with_edns && (code == LDNS_RCODE_FORMERR || code == LDNS_RCODE_NOTIMPL)) reply.kind = Reply::Kind::no_edns;
  reply.text = "it says " + rcode_text(code);
}

}  // namespace

View name_of(Type type) {
  switch (type) {
    case Type::a:
      return "A";
    case Type::cname:
      return "CNAME";
    case Type::mx:
      return "MX";
    case Type::txt:
      return "TXT";
    case Type::aaaa:
      return "AAAA";
    case Type::tlsa:
      return "TLSA";
  }
  return "unknown";
}

std::size_t Answer::octets() const {
  std::size_t sum = sizeof *this + name.capacity() + text.capacity() + addresses.capacity() * sizeof(SocketAddress) +
                    mx.capacity() * sizeof(Mx) + texts.capacity() * sizeof(std::string) +
                    tlsa.capacity() * sizeof(Tlsa);
  for (const Mx& each : mx) sum += each.host.capacity();
  for (const std::string& each : texts) sum += each.capacity();
  for (const Tlsa& each : tlsa) sum += each.data.capacity();
  return sum;
}

std::string normal_name(View name) {
  if (name.ends_with('.')) name.remove_suffix(1);
  if (name.empty() || name.size() > kLongestName) return {};
  std::size_t label = 0;
  for (const char c : name) {
    if (c == '.') {
      if (label == 0) return {};
      label = 0;
    } else if (!is_name_char(c) || ++label > kLongestLabel) {
      return {};
    }
  }
  if (label == 0) return {};
  std::string normal(name);
  std::transform(normal.begin(), normal.end(), normal.begin(), ascii_lower);
  return normal;
}

std::string write_question(std::uint16_t id, View name, Type type, bool with_edns) {
  ldns_rdf* const owner = ldns_dname_new_frm_str(std::string(name).c_str());
  if (owner == nullptr) return {};
  // AD in a question asks for AD in the answer, without the weight of signatures (RFC 6840 5.7).
  const Packet packet(ldns_pkt_query_new(owner, static_cast<ldns_rr_type>(type), LDNS_RR_CLASS_IN, LDNS_RD | LDNS_AD));
  if (packet == nullptr) {
    ldns_rdf_deep_free(owner);
    return {};
  }
  ldns_pkt_set_id(packet.get(), id);
  if (with_edns) ldns_pkt_set_edns_udp_size(packet.get(), kUdpSize);
  std::uint8_t* wire = nullptr;
  std::size_t size = 0;
  if (ldns_pkt2wire(&wire, packet.get(), &size) != LDNS_STATUS_OK) return {};
  std::string octets(reinterpret_cast<const char*>(wire), size);
  std::free(wire);
  return octets;
}

Reply read_reply(View wire, std::uint16_t id, View name, Type type, bool with_edns, bool tcp) {
  constexpr unsigned char kIsReply = 0x80;
  constexpr unsigned char kTruncated = 0x02;
  Reply reply;
  if (wire.size() < kHeaderOctets || number_at(wire, 0) != id) return reply;
  if ((static_cast<unsigned char>(wire[2]) & kIsReply) == 0) return reply;
  const bool truncated = (static_cast<unsigned char>(wire[2]) & kTruncated) != 0 && !tcp;
  const auto code = static_cast<ldns_pkt_rcode>(static_cast<unsigned char>(wire[3]) & 0x0f);
  if (has_no_question(wire)) {
    if (code != LDNS_RCODE_NOERROR && code != LDNS_RCODE_NXDOMAIN) judge_code(reply, code, with_edns);
    return reply;
  }
  ldns_pkt* read = nullptr;
  const auto status = ldns_wire2pkt(&read, reinterpret_cast<const std::uint8_t*>(wire.data()), wire.size());
  const Packet packet(status == LDNS_STATUS_OK ? read : nullptr);
  if (packet == nullptr) {
    // What a server cut off need not be whole.
    reply.kind = truncated ? Reply::Kind::truncated : Reply::Kind::garbage;
    reply.text = fmt::format("its reply cannot be read: {}", ldns_get_errorstr_by_id(status));
    return reply;
  }
  if (!repeats_question(packet.get(), name, type)) return reply;
  if (truncated) {
    reply.kind = Reply::Kind::truncated;
    return reply;
  }
  if (code != LDNS_RCODE_NOERROR && code != LDNS_RCODE_NXDOMAIN) {
    judge_code(reply, code, with_edns);
    return reply;
  }
  reply.authentic = ldns_pkt_ad(packet.get());
  Judge(packet.get(), name, type).run(reply);
  return reply;
}

}  // namespace ringpost::dns
