// Envelopes: their one string of text, and the form in which the spool keeps them:
//
//     octet    version, 1
//     octet    protocol; octet body type; octet RET; octet SMTPUTF8 (0 or 1)
//     signed   accepted, milliseconds since 1970
//     octet    client's address family (0 none, 1 IPv4, 2 IPv6); number port; text of 0, 4 or 16 octets: its address
//     text     reverse-path; text envid; text helo
//     number   recipients, and for each: text forward-path, number length of its domain, octet notify, text orcpt
//
// Numbers and texts are as codec.h says. A new field is a new version; old versions stay readable.
#include <algorithm>
#include <limits>

#include "codec.h"
#include "ringpost/base/check.h"
#include "ringpost/message.h"

namespace ringpost::message {
namespace {

constexpr std::uint8_t kVersion = 1;
constexpr std::size_t kPathLimit = smtp::kPath;
constexpr std::size_t kParameterLimit = smtp::kCommandLine;  // no parameter is longer than its line

template <class Enum>
void put_enum(std::string& out, Enum value) {
  put_octet(out, static_cast<unsigned>(value));
}

// An enumerator up to and with `last`.
template <class Enum>
Enum take_enum(Decoder& from, Enum last) {
  const std::uint8_t value = from.octet();
  if (value > static_cast<std::uint8_t>(last)) from.fail();
  return from.good() ? static_cast<Enum>(value) : Enum{};
}

void put_address(std::string& out, const SocketAddress& address) {
  put_enum(out, address.family);
  put_number(out, address.port);
  const auto* octets = reinterpret_cast<const char*>(address.octets.data());
  put_text(out, {octets, address.address_octets()});
}

SocketAddress take_address(Decoder& from) {
  SocketAddress address;
  address.family = take_enum(from, Family::v6);
  address.port = static_cast<std::uint16_t>(from.number(std::numeric_limits<std::uint16_t>::max()));
  const View octets = from.text(address.octets.size());
  if (octets.size() != address.address_octets()) from.fail();
  if (from.good()) std::ranges::copy(octets, reinterpret_cast<char*>(address.octets.data()));
  return address;
}

}  // namespace

void Envelope::clear() {
  accepted = {};
  client = {};
  protocol = Protocol::smtp;
  body = smtp::BodyType::seven_bit;
  ret = smtp::DsnReturn::unset;
  smtputf8 = false;
  reverse_path_ = envid_ = helo_ = {};
  if (text_.capacity() > kEnvelopeKeep) text_ = {};
  if (recipients_.capacity() * sizeof(Entry) > kEnvelopeKeep) recipients_ = {};
  text_.clear();
  recipients_.clear();
}

Envelope::Piece Envelope::keep(View text) {
  CHECK(text_.size() + text.size() <= std::numeric_limits<std::uint32_t>::max());
  const Piece piece{static_cast<std::uint32_t>(text_.size()), static_cast<std::uint32_t>(text.size())};
  text_.append(text);
  return piece;
}

void Envelope::set_reverse_path(View path) { reverse_path_ = keep(path); }
void Envelope::set_envid(View xtext) { envid_ = keep(xtext); }
void Envelope::set_helo(View name) { helo_ = keep(name); }

void Envelope::add_recipient(View forward_path, std::size_t domain_length, std::uint8_t notify, View orcpt) {
  CHECK(domain_length <= forward_path.size() && recipients_.size() < kMaxRecipients);
  const Piece path = keep(forward_path);
  recipients_.push_back({path, keep(orcpt), static_cast<std::uint32_t>(domain_length), notify});
}

Recipient Envelope::recipient(std::size_t index) const {
  CHECK(index < recipients_.size());
  const Entry& entry = recipients_[index];
  const View path = piece(entry.path);
  return {path, path.substr(path.size() - entry.domain_length), piece(entry.orcpt), entry.notify};
}

void Envelope::encode(std::string& out) const {
  put_octet(out, kVersion);
  put_enum(out, protocol);
  put_enum(out, body);
  put_enum(out, ret);
  put_octet(out, smtputf8 ? 1 : 0);
  put_signed(out, accepted.milliseconds);
  put_address(out, client);
  put_text(out, reverse_path());
  put_text(out, envid());
  put_text(out, helo());
  put_number(out, recipients_.size());
  for (const Entry& entry : recipients_) {
    put_text(out, piece(entry.path));
    put_number(out, entry.domain_length);
    put_octet(out, entry.notify);
    put_text(out, piece(entry.orcpt));
  }
}

// The encoded octets themselves become the envelope's text, and its pieces point into them: one copy, whatever it
// holds.
bool Envelope::decode(View octets) {
  clear();
  if (octets.size() > std::numeric_limits<std::uint32_t>::max()) return false;
  Decoder from(octets);
  const auto take_piece = [&](std::size_t most) {
    const View text = from.text(most);
    return Piece{static_cast<std::uint32_t>(from.offset(text)), static_cast<std::uint32_t>(text.size())};
  };
  if (from.octet() != kVersion) from.fail();
  protocol = take_enum(from, Protocol::utf8smtp);
  body = take_enum(from, smtp::BodyType::eight_bit_mime);
  ret = take_enum(from, smtp::DsnReturn::headers);
  smtputf8 = take_enum(from, std::uint8_t{1}) != 0;
  accepted.milliseconds = from.signed_number();
  client = take_address(from);
  reverse_path_ = take_piece(kPathLimit);
  envid_ = take_piece(kParameterLimit);
  helo_ = take_piece(kParameterLimit);
  for (std::uint64_t left = from.number(kMaxRecipients); left > 0 && from.good(); --left) {
    Entry entry;
    entry.path = take_piece(kPathLimit);
    entry.domain_length = static_cast<std::uint32_t>(from.number(entry.path.length));
    entry.notify = from.octet();
    entry.orcpt = take_piece(kParameterLimit);
    recipients_.push_back(entry);
  }
  if (!from.good_to_the_end()) {
    clear();
    return false;
  }
  text_.assign(octets);
  return true;
}

}  // namespace ringpost::message
