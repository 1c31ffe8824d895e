// The header section, read as it arrives: how many Received fields, and whether it is ASCII. RFC 5322 2.2.
// Lines end at LF here; that each LF has its CR is the business of smtp::BodyScanner, which saw the octets first.
#include <cstring>

#include "ringpost/message.h"

namespace ringpost::message {
namespace {

constexpr View kReceived = "received";

constexpr bool blank(char c) { return c == ' ' || c == '\t'; }
// RFC 5322 2.2: a field name is made of printable octets other than the colon.
constexpr bool name_octet(char c) { return c > ' ' && c <= '~' && c != ':'; }

bool some_eight_bit(View octets) {
  std::uint64_t all = 0;
  for (; octets.size() >= sizeof all; octets.remove_prefix(sizeof all)) {
    std::uint64_t word = 0;
    std::memcpy(&word, octets.data(), sizeof word);
    all |= word;
  }
  unsigned char rest = 0;
  for (const char c : octets) rest |= static_cast<unsigned char>(c);
  return ((all & 0x8080808080808080) != 0) || (rest & 0x80) != 0;
}

}  // namespace

void HeaderScan::feed(View octets) {
  while (!octets.empty() && !complete()) {
    if (place_ != Place::value) {
      take(octets.front());
      octets.remove_prefix(1);
      continue;
    }
    const std::size_t lf = octets.find('\n');
    const View value = octets.substr(0, lf == View::npos ? lf : lf + 1);
    eight_bit_ |= some_eight_bit(value);
    octets.remove_prefix(value.size());
    if (lf != View::npos) place_ = Place::line_start;
  }
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
      return take_name(c);
    case Place::blank_behind_name:
      if (!blank(c)) take_name(c == ':' ? c : '\n');
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
    take_name(c);
  } else {
    place_ = Place::complete;
  }
}

void HeaderScan::take_name(char c) {
  if (c == ':') {
    if (matched_ == kReceived.size()) ++received_;
    field_seen_ = true;
    place_ = Place::value;
  } else if (blank(c)) {
    place_ = Place::blank_behind_name;
  } else if (!name_octet(c)) {
    place_ = Place::complete;
  } else {
    const bool fits = matched_ < kReceived.size() && ascii_lower(c) == kReceived[matched_];
    matched_ = fits ? static_cast<std::uint8_t>(matched_ + 1) : kOther;
  }
}

}  // namespace ringpost::message
