// The parts of a DSN, and the means they share. Private to report; everything appends to a string.
//
//   dsn.cpp           the header section, and the order of the parts
//   dsn_words.cpp     the part for people
//   dsn_status.cpp    the part for machines: message/delivery-status, or message/global-delivery-status
//   dsn_returned.cpp  the original: its header section, or all of it
#pragma once

#include <string>

#include "ringpost/report.h"

namespace ringpost::report {

inline constexpr std::size_t kDsnLine = 998;  // octets of the longest line without CRLF (RFC 5322 2.1.1)

bool is_ascii(View octets);

// Appends octets of a peer as text that ends no line: control octets as "?", and so what is above 127, except
// well-formed UTF-8 where `utf8` allows it.
void put_clean(std::string& out, View octets, bool utf8);

// Appends "name: value CRLF", folded at blanks where a line would be longer than people like (RFC 5322 2.2.3). The
// value holds no control octets.
void put_field(std::string& out, View name, View value);

// ---- the parts, each without the boundary before and behind it

void put_words(std::string& out, const Dsn&, bool whole_returned);
// `global`: RFC 6533.
void put_status(std::string& out, const Dsn&, bool global);

// How the original is returned.
struct Returned {
  View octets;         // of the original
  bool whole = false;  // else its header section
  bool global = false;
  View encoding;  // Content-Transfer-Encoding
};
Returned returned_of(const Dsn&, bool global);
void put_returned(std::string& out, const Returned&);

// The header section at the front of a content, its empty line not included, as far as kDsnHeader: whole fields only. A
// content without one has none (RFC 5322 2.2: what is no field ends it).
View header_section(View content);
// The first Message-ID of a header section, with its angle brackets; empty when there is none that may be repeated.
View message_id(View header);

}  // namespace ringpost::report
