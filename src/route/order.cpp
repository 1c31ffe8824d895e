// The order in which the addresses of a host are tried: RFC 6724 6, with sources as this machine would choose them.
#include <algorithm>
#include <array>
#include <bit>

#include "ringpost/route.h"

namespace ringpost::route {
namespace {

using Octets = std::array<std::uint8_t, 16>;

// As an IPv6 address: IPv4 ones are mapped (RFC 6724 3.2).
Octets mapped(const SocketAddress& address) {
  if (address.family == Family::v6) return address.octets;
  Octets out{};
  out[10] = out[11] = 0xff;
  std::copy_n(address.octets.begin(), 4, out.begin() + 12);
  return out;
}

struct Policy {
  Octets prefix;
  unsigned bits;
  int precedence;
  int label;
};

// RFC 6724 2.1, the longest prefix first.
constexpr Policy kPolicies[] = {
    {{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1}, 128, 50, 0},  // ::1
    {{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff}, 96, 35, 4},         // IPv4
    {{}, 96, 1, 3},                                                  // ::/96
    {{0x20, 0x01, 0, 0}, 32, 5, 5},                                  // Teredo
    {{0x20, 0x02}, 16, 30, 2},                                       // 6to4
    {{0x3f, 0xfe}, 16, 1, 12},                                       // 6bone
    {{0xfe, 0xc0}, 10, 1, 11},                                       // site-local
    {{0xfc}, 7, 3, 13},                                              // unique local
    {{}, 0, 40, 1},
};

unsigned common_bits(const Octets& a, const Octets& b) {
  unsigned bits = 0;
  for (std::size_t i = 0; i < a.size(); ++i, bits += 8) {
    const auto differ = static_cast<std::uint8_t>(a[i] ^ b[i]);
    if (differ != 0) return bits + static_cast<unsigned>(std::countl_zero(differ));
  }
  return bits;
}

const Policy& policy_of(const SocketAddress& address) {
  const Octets octets = mapped(address);
  return *std::find_if(std::begin(kPolicies), std::end(kPolicies),
                       [&](const Policy& each) { return common_bits(octets, each.prefix) >= each.bits; });
}

// RFC 6724 3.1, as multicast scopes: link-local 2, site-local 5, global 14. IPv4: loopback and 169.254/16 are
// link-local.
int scope_of(const SocketAddress& address) {
  constexpr int kLink = 2, kSite = 5, kGlobal = 14;
  if (address.is_loopback() || address.is_link_local()) return kLink;
  const bool site = address.family == Family::v6 && address.octets[0] == 0xfe && (address.octets[1] & 0xc0) == 0xc0;
  return site ? kSite : kGlobal;
}

// Negative: a goes first; positive: b; zero: equals. Rules 3, 4 and 7 need what a program is not told (deprecated, home
// and tunnelled addresses).
int compare(const Candidate& a, const Candidate& b) {
  if (a.source.has_value() != b.source.has_value()) return a.source ? -1 : 1;  // rule 1
  if (!a.source) return 0;
  const auto prefer = [](bool first, bool second) { return static_cast<int>(second) - static_cast<int>(first); };
  const bool a_scope = scope_of(a.address) == scope_of(*a.source);
  const bool b_scope = scope_of(b.address) == scope_of(*b.source);
  if (a_scope != b_scope) return prefer(a_scope, b_scope);  // rule 2
  const bool a_label = policy_of(a.address).label == policy_of(*a.source).label;
  const bool b_label = policy_of(b.address).label == policy_of(*b.source).label;
  if (a_label != b_label) return prefer(a_label, b_label);                                                   // rule 5
  if (const int by = policy_of(b.address).precedence - policy_of(a.address).precedence; by != 0) return by;  // rule 6
  if (const int by = scope_of(a.address) - scope_of(b.address); by != 0) return by;                          // rule 8
  if (a.address.family != Family::v6 || b.address.family != Family::v6) return 0;
  constexpr unsigned kPrefix = 64;  // bits: what a source's own network has in common says nothing (rule 9)
  const unsigned a_bits = std::min(common_bits(mapped(a.address), mapped(*a.source)), kPrefix);
  const unsigned b_bits = std::min(common_bits(mapped(b.address), mapped(*b.source)), kPrefix);
  return static_cast<int>(b_bits) - static_cast<int>(a_bits);
}

}  // namespace

void order_by_rules(std::vector<Candidate>& candidates) {
  std::stable_sort(candidates.begin(), candidates.end(),
                   [](const Candidate& a, const Candidate& b) { return compare(a, b) < 0; });
}

}  // namespace ringpost::route
