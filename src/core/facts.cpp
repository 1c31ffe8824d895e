#include "core/facts.h"

#include <algorithm>
#include <array>

#include "ringpost/base/check.h"
#include "ringpost/base/crc32c.h"

namespace ringpost::core {
namespace {

using message::Status;

constexpr std::uint32_t kOfDomain = 0x2545F491;  // seeds: a domain and an address of the same letters differ
constexpr std::uint32_t kOfAddress = 0x9E3779B9;
constexpr std::uint32_t kSpread = 0x85EBCA6B;
constexpr int kHalf = 16;
constexpr std::uint32_t kSetMask = 31;

// The upper half of a product: the lower bits of a CRC alone do not depend on enough of the octets.
std::uint16_t half_hash(View text, std::uint32_t seed) {
  std::array<char, 512> folded;
  std::uint32_t hash = seed;
  while (!text.empty()) {
    const View piece = text.substr(0, folded.size());
    std::ranges::transform(piece, folded.begin(), ascii_lower);
    hash = crc32c(View{folded.data(), piece.size()}, hash);
    text.remove_prefix(piece.size());
  }
  return static_cast<std::uint16_t>((hash * kSpread) >> kHalf);
}

}  // namespace

std::uint16_t domain_hash(View domain) { return half_hash(domain, kOfDomain); }

std::uint32_t address_hash(View address, View domain) {
  return std::uint32_t{half_hash(address, kOfAddress)} << kHalf | domain_hash(domain);
}

std::uint32_t set_of(std::uint32_t hash) {
  return std::uint32_t{1} << (hash >> kHalf & kSetMask) | domain_bit(static_cast<std::uint16_t>(hash));
}

std::uint32_t domain_bit(std::uint16_t hash) { return std::uint32_t{1} << (hash & kSetMask); }

View domain_of(View address) {
  const std::size_t at = address.rfind('@');
  return at == View::npos ? View{} : address.substr(at + 1);
}

// ---- errors

std::string ErrorBook::key_of(View text, std::uint16_t code) { return std::to_string(code) + ' ' + std::string{text}; }

std::uint16_t ErrorBook::enter(View text, std::uint16_t code) {
  const std::string key = key_of(text, code);
  if (const auto known = numbers_.find(key); known != numbers_.end()) {
    ++errors_[known->second - kFirst].users;
    return known->second;
  }
  std::uint16_t number = 0;
  if (!free_.empty()) {
    number = free_.back();
    free_.pop_back();
  } else if (errors_.size() < kMost) {
    number = static_cast<std::uint16_t>(kFirst + errors_.size());
    errors_.emplace_back();
  } else {
    return Facts::kLookForError;
  }
  Error& error = errors_[number - kFirst];
  error = {std::string{text}, code, 1, error.version + 1};
  numbers_.emplace(key, number);
  return number;
}

void ErrorBook::leave(std::uint16_t number) {
  if (number < kFirst) return;
  Error& error = errors_[number - kFirst];
  CHECK(error.users > 0);
  if (--error.users > 0) return;
  numbers_.erase(key_of(error.text, error.code));
  error.text = {};
  free_.push_back(number);
}

// ---- facts

void FactsBook::enter(spool::Note& note, const message::Envelope& envelope, const message::State& state) {
  constexpr std::int64_t kMillisecondsPerSecond = 1000;
  Facts facts;
  facts.flags = Facts::kKnown;
  facts.accepted = static_cast<std::uint32_t>(envelope.accepted.milliseconds / kMillisecondsPerSecond);
  facts.from = address_hash(envelope.reverse_path(), domain_of(envelope.reverse_path()));
  if (envelope.recipient_count() == 1) {
    const message::Recipient only = envelope.recipient(0);
    facts.to = address_hash(only.forward_path, only.domain);
  } else {
    facts.flags |= Facts::kSeveral;
    for (std::size_t i = 0; i < envelope.recipient_count(); ++i) {
      const message::Recipient one = envelope.recipient(i);
      facts.to |= set_of(address_hash(one.forward_path, one.domain));
    }
  }
  note = facts.note();
  update(note, state);
}

// The last error of the recipients that are not done; a search looks at the disk where they differ.
void FactsBook::update(spool::Note& note, const message::State& state) {
  Facts facts = Facts::of(note);
  const std::uint16_t before = facts.error;
  facts.error = Facts::kNoError;
  facts.flags &= static_cast<std::uint8_t>(~(Facts::kHeld | Facts::kOpen));
  const message::RecipientState* shown = nullptr;
  message::RecipientState first;
  for (std::size_t i = 0; i < state.size(); ++i) {
    const message::RecipientState one = state.at(i);
    if (one.status == Status::held) facts.flags |= Facts::kHeld;
    if (one.status == Status::open) facts.flags |= Facts::kOpen;
    if (is_over(one.status)) continue;
    if (shown == nullptr) {
      first = one;
      shown = &first;
    } else if (one.code != first.code || one.text != first.text) {
      facts.error = Facts::kLookForError;
    }
  }
  if (facts.error == Facts::kNoError && shown != nullptr && (first.code != 0 || !first.text.empty()))
    facts.error = errors_.enter(first.text, first.code);
  errors_.leave(before);
  note = facts.note();
}

void FactsBook::leave(spool::Note& note) {
  Facts facts = Facts::of(note);
  errors_.leave(facts.error);
  facts.error = Facts::kNoError;
  note = facts.note();
}

}  // namespace ringpost::core
