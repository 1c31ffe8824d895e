// The header section, read as it arrives: how many Received fields, and whether it is ASCII. RFC 5322 2.2.
// Lines end at LF here; that each LF has its CR is the business of smtp::BodyScanner, which saw the octets first.
#include <array>
#include <cstring>

#include "ringpost/message.h"

namespace ringpost::message {
namespace {

constexpr View kReceived = "received";

constexpr bool blank(char c) { return c == ' ' || c == '\t'; }

// RFC 5322 2.2: a field name is made of printable octets other than the colon.
constexpr std::array<bool, 256> kNameOctets = [] {
  std::array<bool, 256> table{};
  for (unsigned c = '!'; c <= '~'; ++c) table[c] = c != ':';
  return table;
}();
constexpr bool name_octet(char c) { return kNameOctets[static_cast<unsigned char>(c)]; }

// Octets looked at for 8-bit ones at a time, before their lines are: few headers have any, so lines are not looked at
// twice.
constexpr std::size_t kSlice = 512;

bool some_eight_bit(View octets) {
  constexpr std::size_t kWords = 4;
  std::array<std::uint64_t, kWords> all{};
  for (; octets.size() >= sizeof all; octets.remove_prefix(sizeof all)) {
    std::array<std::uint64_t, kWords> words;
    std::memcpy(words.data(), octets.data(), sizeof words);
    for (std::size_t i = 0; i < kWords; ++i) all[i] |= words[i];
  }
  unsigned char rest = 0;
  for (const char c : octets) rest |= static_cast<unsigned char>(c);
  return (((all[0] | all[1] | all[2] | all[3]) & 0x8080808080808080) != 0) || (rest & 0x80) != 0;
}

}  // namespace

void HeaderScan::feed(View octets) {
  while (!octets.empty() && !complete()) {
    const View slice = octets.substr(0, kSlice);
    octets.remove_prefix(slice.size());
    take_slice(slice, !eight_bit_ && some_eight_bit(slice));
  }
}

void HeaderScan::take_slice(View slice, bool has_eight_bit) {
  while (!slice.empty() && !complete()) {
    std::size_t taken = 0;
    if (place_ == Place::line_start)
      taken = take_line(slice, has_eight_bit);
    else if (place_ == Place::value)
      taken = take_value(slice, has_eight_bit);
    else if (place_ == Place::name)
      taken = take_name(slice);
    if (taken == 0) {
      take(slice.front());
      taken = 1;
    }
    slice.remove_prefix(taken);
  }
}

// The line at the front of `octets`, when it is whole and like most: a name, its colon and a value, or a folded value.
// Gives its octets; 0 when it is something else, and goes octet by octet.
std::size_t HeaderScan::take_line(View octets, bool has_eight_bit) {
  const std::size_t lf = octets.find('\n');
  if (lf == View::npos) return 0;
  const View line = octets.substr(0, lf + 1);
  std::size_t name = 0;
  if (!(blank(line.front()) && field_seen_)) {
    while (name_octet(line[name])) ++name;  // LF is none
    if (name == 0 || line[name] != ':') return 0;
    if (name == kReceived.size() && equal_ignoring_case(line.substr(0, name), kReceived)) ++received_;
    field_seen_ = true;
  }
  if (has_eight_bit) eight_bit_ = eight_bit_ || some_eight_bit(line.substr(name));
  return line.size();
}

std::size_t HeaderScan::take_value(View octets, bool has_eight_bit) {
  const std::size_t lf = octets.find('\n');
  const View value = octets.substr(0, lf == View::npos ? lf : lf + 1);
  if (has_eight_bit) eight_bit_ = eight_bit_ || some_eight_bit(value);
  if (lf != View::npos) place_ = Place::line_start;
  return value.size();
}

// The octets of a name at the front of `octets`; 0 at its end.
std::size_t HeaderScan::take_name(View octets) {
  std::size_t length = 0;
  for (; matched_ != kOther && length < octets.size() && name_octet(octets[length]); ++length) {
    const bool fits = matched_ < kReceived.size() && ascii_lower(octets[length]) == kReceived[matched_];
    matched_ = fits ? static_cast<std::uint8_t>(matched_ + 1) : kOther;
  }
  while (length < octets.size() && name_octet(octets[length])) ++length;
  return length;
}

//                  blank, in a field
//          +-------------------------------> value --- LF ---> line_start
//     line_start -- name octet --> name ---- ":" --> value
//          |                        +-- blank --> blank_behind_name -- ":" --> value     (RFC 5322 4.5)
//          +-- CR --> empty_line -- LF --> complete;  anything else --> complete
void HeaderScan::take(char c) {
  switch (place_) {
    case Place::line_start:
      return begin_line(c);
    case Place::name:
      return end_name(c);
    case Place::blank_behind_name:
      if (!blank(c)) end_name(c);
      return;
    case Place::empty_line:
    case Place::value:
    case Place::complete:
      place_ = Place::complete;
  }
}

void HeaderScan::begin_line(char c) {
  matched_ = 0;
  if (blank(c) && field_seen_) {
    place_ = Place::value;
  } else if (c == '\r') {
    place_ = Place::empty_line;
  } else if (name_octet(c)) {
    place_ = Place::name;
    take_name({&c, 1});
  } else {
    place_ = Place::complete;
  }
}

void HeaderScan::end_name(char c) {
  if (c == ':') {
    if (matched_ == kReceived.size()) ++received_;
    field_seen_ = true;
    place_ = Place::value;
  } else {
    place_ = blank(c) ? Place::blank_behind_name : Place::complete;
  }
}

}  // namespace ringpost::message
