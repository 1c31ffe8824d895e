// Facts: what a search looks at for each live message without reading it, and the book that keeps them true. They lie
// in the spool's notes, 16 octets a message, and hold hashes instead of addresses: a search that is about addresses
// finds candidates here and verifies them on the disk.
//
// Owned by core's Rooms; told by intake, recovery and settle. One thread.
#pragma once

#include <bit>
#include <string>
#include <unordered_map>
#include <vector>

#include "ringpost/message.h"
#include "ringpost/spool.h"

namespace ringpost::core {

struct Facts {
  static constexpr std::uint8_t kKnown = 1;    // the rest was written: not so of a message damaged on the disk
  static constexpr std::uint8_t kSeveral = 2;  // recipients: `to` is a set
  static constexpr std::uint8_t kHeld = 4;     // some recipient is held
  static constexpr std::uint8_t kOpen = 8;     // some recipient is open, as of now: the index tells it of the disk

  std::uint32_t accepted = 0;  // seconds since 1970
  std::uint32_t from = 0;      // address_hash of the reverse-path
  std::uint32_t to = 0;        // address_hash of the one recipient, or set_of() all
  std::uint16_t error = 0;     // number in the ErrorBook of the last error, or one of the two below
  std::uint8_t flags = 0;
  std::uint8_t spare = 0;

  static constexpr std::uint16_t kNoError = 0;
  static constexpr std::uint16_t kLookForError = 1;  // recipients differ, or the book is full

  [[nodiscard]] bool known() const { return (flags & kKnown) != 0; }
  [[nodiscard]] bool several() const { return (flags & kSeveral) != 0; }
  [[nodiscard]] bool held() const { return (flags & kHeld) != 0; }
  [[nodiscard]] bool open() const { return (flags & kOpen) != 0; }

  static Facts of(const spool::Note& note) { return std::bit_cast<Facts>(note); }
  [[nodiscard]] spool::Note note() const { return std::bit_cast<spool::Note>(*this); }
};
static_assert(sizeof(Facts) == sizeof(spool::Note));

// Case is folded: RFC 5321 2.4 lets local parts differ in it, people who search do not.
std::uint16_t domain_hash(View domain);
// Upper half: of the whole address; lower half: domain_hash. A bare local part has the empty domain.
std::uint32_t address_hash(View address, View domain);
// An address in a set of 32: the bit of its domain and the bit of itself.
std::uint32_t set_of(std::uint32_t address_hash);
std::uint32_t domain_bit(std::uint16_t domain_hash);

// The domain behind the last "@", as a client wrote it; empty where there is none.
View domain_of(View address);

// Each different error of queued messages once, counted: many messages wait for the same few reasons.
class ErrorBook {
 public:
  static constexpr std::size_t kMost = 4096;  // texts; what comes beyond is looked up on the disk

  struct Error {
    std::string text;
    std::uint16_t code = 0;
    std::uint32_t users = 0;
    std::uint32_t version = 0;  // changes when the number is given to another error
  };

  // Takes a number for an error, to be given back by leave(); Facts::kLookForError when the book is full.
  std::uint16_t enter(View text, std::uint16_t code);
  void leave(std::uint16_t number);
  // Of a number above kLookForError that somebody has.
  [[nodiscard]] const Error& at(std::uint16_t number) const { return errors_[number - kFirst]; }

 private:
  static constexpr std::uint16_t kFirst = Facts::kLookForError + 1;

  static std::string key_of(View text, std::uint16_t code);

  std::vector<Error> errors_;
  std::vector<std::uint16_t> free_;
  std::unordered_map<std::string, std::uint16_t> numbers_;
};

// Writes the facts of live messages into their notes.
class FactsBook {
 public:
  // A message that was accepted, or found by recovery.
  void enter(spool::Note& note, const message::Envelope& envelope, const message::State& state);
  // Its state has changed and is about to be saved.
  void update(spool::Note& note, const message::State& state);
  // It is about to end.
  void leave(spool::Note& note);
  [[nodiscard]] const ErrorBook& errors() const { return errors_; }

 private:
  ErrorBook errors_;
};

}  // namespace ringpost::core
