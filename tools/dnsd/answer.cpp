#include "answer.h"

#include <algorithm>
#include <charconv>

#include "ringpost/base/address.h"
#include "tools/common/amounts.h"

namespace ringpost::dnsd {
namespace {

constexpr std::size_t kHeader = 12;
constexpr std::size_t kPlainUdp = 512;  // octets, RFC 1035 4.2.1
constexpr std::uint16_t kOpt = 41;
constexpr std::uint16_t kOurUdp = 1232;
constexpr unsigned kMostAliases = 16;
constexpr std::uint32_t kNegativeTtl = 60;
constexpr std::uint8_t kNoError = 0, kFormErr = 1, kServFail = 2, kNxDomain = 3, kRefused = 5;

struct Question {
  std::uint16_t id = 0;
  std::string name;  // lower case
  std::string raw;   // the section's octets, as they came
  std::uint16_t type = 0;
  bool edns = false;
  std::size_t room = kPlainUdp;  // octets that the asker takes over UDP
};

std::uint16_t number(View wire, std::size_t at) {
  return static_cast<std::uint16_t>(static_cast<unsigned char>(wire[at]) << 8 |
                                    static_cast<unsigned char>(wire[at + 1]));
}

void put16(std::string& out, std::uint64_t value) {
  out += static_cast<char>(value >> 8 & 0xff);
  out += static_cast<char>(value & 0xff);
}
void put32(std::string& out, std::uint64_t value) {
  put16(out, value >> 16);
  put16(out, value);
}
void put_name(std::string& out, View name) {
  for (const View label : tools::split(name, '.')) {
    if (label.empty()) continue;
    out += static_cast<char>(label.size());
    out += label;
  }
  out += '\0';
}

bool read_question(View wire, Question& to) {
  if (wire.size() < kHeader || (wire[2] & 0x80) != 0 || number(wire, 4) != 1) return false;
  to.id = number(wire, 0);
  std::size_t at = kHeader;
  while (at < wire.size() && wire[at] != 0) {
    const std::size_t length = static_cast<unsigned char>(wire[at]);
    if (length > 63 || at + 1 + length >= wire.size()) return false;
    if (!to.name.empty()) to.name += '.';
    for (std::size_t i = 0; i < length; ++i) to.name += ascii_lower(wire[at + 1 + i]);
    at += 1 + length;
  }
  if (at + 5 > wire.size()) return false;
  to.type = number(wire, at + 1);
  to.raw = wire.substr(kHeader, at + 5 - kHeader);
  at += 5;
  // OPT is the only additional record that questions have: root, type, size.
  if (number(wire, 10) > 0 && at + 11 <= wire.size() && wire[at] == 0 && number(wire, at + 1) == kOpt) {
    to.edns = true;
    to.room = std::clamp<std::size_t>(number(wire, at + 3), kPlainUdp, kOurUdp);
  }
  return true;
}

// An address of "127.0.0.0/8" that the name decides, always the same.
SocketAddress one_of(const Network& network, const std::string& name) {
  SocketAddress address = network.base;
  std::uint64_t sum = 0xcbf29ce484222325ULL;
  for (const char c : name) sum = (sum ^ static_cast<unsigned char>(c)) * 0x100000001b3ULL;
  const std::size_t bits = address.address_octets() * 8;
  for (std::size_t bit = network.prefix; bit < bits; ++bit, sum = sum >> 1 | sum << 63)
    if ((sum & 1) != 0) address.octets[bit / 8] |= static_cast<std::uint8_t>(0x80 >> bit % 8);
  return address;
}

// A record's data in wire form; empty: not to be had.
std::string data_of(const Record& record, const std::string& name) {
  std::string text = record.data;
  for (std::size_t at = text.find('$'); at != std::string::npos; at = text.find('$', at + name.size()))
    text.replace(at, 1, name);
  std::string out;
  switch (record.type) {
    case kA:
    case kAaaa: {
      const auto network = Network::parse(text);
      if (!network || (record.type == kA && network->base.family != Family::v4)) return out;
      const SocketAddress address = one_of(*network, name);
      // Written as ::ffff:192.0.2.1, it is read as the IPv4 address that it is.
      if (record.type == kAaaa && address.family == Family::v4) out.assign("\0\0\0\0\0\0\0\0\0\0\xff\xff", 12);
      out.append(reinterpret_cast<const char*>(address.octets.data()), address.address_octets());
      return out;
    }
    case kMx: {
      const std::size_t space = text.find_first_of(" \t");
      unsigned preference = 0;
      std::from_chars(text.data(), text.data() + std::min(space, text.size()), preference);
      put16(out, preference);
      put_name(out, space == std::string::npos ? View{} : View(text).substr(text.find_first_not_of(" \t", space)));
      return out;
    }
    case kTxt:
      for (View rest = text; !rest.empty(); rest.remove_prefix(std::min<std::size_t>(rest.size(), 255))) {
        const View part = rest.substr(0, 255);
        out += static_cast<char>(part.size());
        out += part;
      }
      return out;
    case kSoa: {
      // "MINIMUM": of the rest nobody asks.
      unsigned minimum = kNegativeTtl;
      std::from_chars(text.data(), text.data() + text.size(), minimum);
      put_name(out, "ns.invalid");
      put_name(out, "hostmaster.invalid");
      for (const unsigned value : {1U, 3600U, 600U, 86400U, minimum}) put32(out, value);
      return out;
    }
    default:
      put_name(out, text);
      return out;
  }
}

// One reply as it is put together.
struct Reply {
  explicit Reply(std::uint8_t with = kNoError) : code(with) {}

  std::uint8_t code;
  bool truncated = false;
  std::string answers, authority, extra;
  std::uint16_t answer_count = 0, authority_count = 0, extra_count = 0;

  static void put_record(std::string& out, View owner, std::uint16_t type, std::uint32_t ttl, View data) {
    put_name(out, owner);
    put16(out, type);
    put16(out, 1);
    put32(out, ttl);
    put16(out, data.size());
    out += data;
  }
  void answer(View owner, std::uint16_t type, std::uint32_t ttl, View data) {
    put_record(answers, owner, type, ttl, data);
    ++answer_count;
  }
  [[nodiscard]] std::string octets(const Question& question) const {
    std::string out;
    put16(out, question.id);
    out += static_cast<char>(0x80 | 0x01 | (truncated ? 0x02 : 0));  // QR, RD
    out += static_cast<char>(0x80 | code);                           // RA
    put16(out, 1);
    put16(out, answer_count);
    put16(out, authority_count);
    put16(out, extra_count + (question.edns ? 1 : 0));
    out += question.raw;
    out += answers;
    out += authority;
    out += extra;
    if (question.edns) {
      out += '\0';
      put16(out, kOpt);
      put16(out, kOurUdp);
      put32(out, 0);
      put16(out, 0);
    }
    return out;
  }
};

// What behaviours of the names on the way ask for.
struct Deeds {
  std::vector<Behaviour> all;
  [[nodiscard]] const Behaviour* find(Deed deed) const {
    const auto found = std::find_if(all.begin(), all.end(), [&](const Behaviour& b) { return b.deed == deed; });
    return found == all.end() ? nullptr : &*found;
  }
  [[nodiscard]] bool has(Deed deed) const { return find(deed) != nullptr; }
};

void gather(Node& node, std::uint16_t type, Deeds& deeds) {
  for (Behaviour& each : node.behaviours) {
    if (each.type && *each.type != type) continue;
    if (each.used++ < each.first) deeds.all.push_back(each);
  }
}

void put_negative(Reply& reply, Zone& zone, const std::string& name, const Deeds& deeds) {
  if (deeds.has(Deed::no_soa)) return;
  // The zone of a name is the nearest one that has a SOA line, else its last label.
  std::string apex = name;
  Record soa{kSoa, kNegativeTtl, std::to_string(kNegativeTtl)};
  for (View at = name;;) {
    Node* const node = zone.find(std::string(at));
    const auto is_soa = [](const Record& r) { return r.type == kSoa; };
    if (node != nullptr && std::any_of(node->records.begin(), node->records.end(), is_soa)) {
      soa = *std::find_if(node->records.begin(), node->records.end(), is_soa);
      apex = at;
      break;
    }
    const std::size_t dot = at.find('.');
    apex = at;
    if (dot == View::npos) break;
    at.remove_prefix(dot + 1);
  }
  Reply::put_record(reply.authority, apex, kSoa, soa.ttl, data_of(soa, apex));
  ++reply.authority_count;
}

void put_loop(Reply& reply, const std::string& name) {
  std::string there;
  put_name(there, "loop." + name);
  std::string back;
  put_name(back, name);
  reply.answer(name, kCname, kDefaultTtl, there);
  reply.answer("loop." + name, kCname, kDefaultTtl, back);
}

// Follows CNAMEs as a recursive server does.
Reply truth(Zone& zone, const Question& question, Deeds& deeds) {
  Reply reply;
  std::string name = question.name;
  for (unsigned aliases = 0; aliases <= kMostAliases; ++aliases) {
    Node* const node = zone.find(name);
    if (node != nullptr) gather(*node, question.type, deeds);
    if (deeds.has(Deed::loop)) return put_loop(reply, name), reply;
    const bool denied = deeds.has(Deed::nxdomain) || deeds.has(Deed::no_data);
    if (node == nullptr || node->records.empty() || denied) {
      const bool there = (node != nullptr && !node->records.empty()) || zone.has_below(name);
      if ((!there && !deeds.has(Deed::no_data)) || deeds.has(Deed::nxdomain)) reply.code = kNxDomain;
      put_negative(reply, zone, name, deeds);
      return reply;
    }
    bool found = false;
    for (const Record& record : node->records) {
      if (record.type != question.type) continue;
      reply.answer(name, record.type, record.ttl, data_of(record, name));
      found = true;
    }
    const auto alias =
        std::find_if(node->records.begin(), node->records.end(), [](const Record& r) { return r.type == kCname; });
    if (found || alias == node->records.end()) {
      if (!found) put_negative(reply, zone, name, deeds);
      return reply;
    }
    reply.answer(name, kCname, alias->ttl, data_of(*alias, name));
    if (deeds.has(Deed::no_follow)) return reply;
    name = alias->data;
    std::transform(name.begin(), name.end(), name.begin(), ascii_lower);
  }
  reply.code = kServFail;
  return reply;
}

// Records of names that nobody asked for, in each section: an attempt to poison.
void put_lies(Reply& reply, const Question& question) {
  std::string address("\x7f\x00\x00\x42", 4);
  std::string host;
  put16(host, 0);
  put_name(host, "evil.test");
  for (const View victim : {View{"bank.test"}, View{"mx.bank.test"}}) {
    reply.answer(victim, kA, 86400, address);
    reply.answer(victim, kMx, 86400, host);
    Reply::put_record(reply.extra, victim, kA, 86400, address);
    ++reply.extra_count;
  }
  std::string soa;
  put_name(soa, "ns.evil.test");
  put_name(soa, "x.evil.test");
  for (int i = 0; i < 5; ++i) put32(soa, 86400);
  Reply::put_record(reply.authority, "evil.test", kSoa, 86400, soa);
  ++reply.authority_count;
  (void)question;
}

// A CNAME whose target is a pointer to itself.
std::string with_pointer_loop(const Question& question) {
  Reply reply;
  std::string out = reply.octets({question.id, question.name, question.raw, question.type, false});
  out[7] = 1;
  out += "\xC0\x0C";
  put16(out, kCname);
  put16(out, 1);
  put32(out, 60);
  put16(out, 2);
  put16(out, 0xC000 | out.size());
  return out;
}

Question with_other_name(Question question) {
  question.raw[1] = question.raw[1] == 'x' ? 'y' : 'x';
  return question;
}

// Forged packets before the true one.
void put_forgeries(std::vector<Packet>& out, const Reply& reply, const Question& question, const Deeds& deeds) {
  if (deeds.has(Deed::wrong_id)) {
    Question other = question;
    other.id ^= 0x5555;
    out.push_back({reply.octets(other), {}, false});
  }
  if (deeds.has(Deed::wrong_question)) out.push_back({reply.octets(with_other_name(question)), {}, false});
  if (deeds.has(Deed::wrong_source)) out.push_back({reply.octets(question), {}, true});
  if (deeds.has(Deed::empty)) out.push_back({{}, {}, false});
}

bool without_truth(const Deeds& deeds) {
  return std::any_of(deeds.all.begin(), deeds.all.end(), [](const Behaviour& b) { return b.only; });
}

// Over UDP, what does not fit is cut, and what a behaviour wants cut too.
std::string fitted(Reply reply, const Question& question, const Deeds& deeds) {
  std::string octets = reply.octets(question);
  if (deeds.has(Deed::cut)) {
    reply.truncated = true;
    octets = reply.octets(question);
    return octets.substr(0, std::max<std::size_t>(kHeader + question.raw.size(), octets.size() - 7));
  }
  if (octets.size() <= question.room && !deeds.has(Deed::truncate)) return octets;
  Reply none;
  none.code = reply.code;
  none.truncated = true;
  return none.octets(question);
}

}  // namespace

std::vector<Packet> Answerer::answer(View wire, bool tcp) {
  std::vector<Packet> out;
  Question question;
  if (!read_question(wire, question)) return out;
  Count& count = counts[{question.name, question.type}];
  ++(tcp ? count.tcp : count.udp);
  Deeds deeds;
  Reply reply = truth(zone, question, deeds);
  if (deeds.has(Deed::silence)) return out;
  if (deeds.has(Deed::servfail)) reply = Reply(kServFail);
  if (deeds.has(Deed::refuse)) reply = Reply(kRefused);
  if (deeds.has(Deed::no_edns) && question.edns) {
    reply = Reply(kFormErr);
    question.edns = false;
  }
  if (deeds.has(Deed::lie)) put_lies(reply, question);
  put_forgeries(out, reply, question, deeds);
  if (!without_truth(deeds)) {
    Packet last{tcp ? reply.octets(question) : fitted(reply, question, deeds), {}, false};
    if (deeds.has(Deed::compression_loop)) last.octets = with_pointer_loop(question);
    if (deeds.has(Deed::garbage)) last.octets = reply.octets(question).substr(0, 7) + "\x09" + std::string(40, '\xff');
    out.push_back(std::move(last));
  }
  if (const Behaviour* late = deeds.find(Deed::delay))
    for (Packet& each : out) each.delay = late->delay;
  return out;
}

}  // namespace ringpost::dnsd
