// The original, as a DSN returns it: octets as they are where a MIME part can hold them, else quoted-printable.
#include <algorithm>

#include "report/dsn.h"

namespace ringpost::report {
namespace {

constexpr std::size_t kQuotedLine = 76;  // RFC 2045 6.7 (5)
constexpr std::size_t kMessageIdMost = 250;

// Takes the first line off, its CRLF included.
View take_line(View& octets) {
  const std::size_t end = octets.find("\r\n");
  const View line = octets.substr(0, end == View::npos ? octets.size() : end + 2);
  octets.remove_prefix(line.size());
  return line;
}

bool is_blank(char c) { return c == ' ' || c == '\t'; }

// RFC 5322 2.2: a name of printable ASCII without colon, and the colon; blanks between them as of old (4.5).
bool begins_field(View line) {
  std::size_t at = 0;
  while (at < line.size() && line[at] > 32 && line[at] < 127 && line[at] != ':') ++at;
  if (at == 0) return false;
  while (at < line.size() && is_blank(line[at])) ++at;
  return at < line.size() && line[at] == ':';
}

bool lines_fit(View octets) {
  while (!octets.empty())
    if (take_line(octets).size() > kDsnLine + 2) return false;
  return true;
}

// RFC 2045 6.7, line by line: the CRLFs stay.
void put_quoted_printable(std::string& out, View octets) {
  constexpr View kHex = "0123456789ABCDEF";
  while (!octets.empty()) {
    View line = take_line(octets);
    const bool ended = line.ends_with("\r\n");
    if (ended) line.remove_suffix(2);
    std::size_t used = 0;
    for (std::size_t i = 0; i < line.size(); ++i) {
      const char c = line[i];
      const bool plain = (c > 32 && c < 127 && c != '=') || (is_blank(c) && i + 1 < line.size());
      if (used + (plain ? 1 : 3) > kQuotedLine - 1) {
        out += "=\r\n";
        used = 0;
      }
      if (plain) {
        out += c;
        ++used;
        continue;
      }
      const auto octet = static_cast<unsigned char>(c);
      out.append("=").append(1, kHex[octet >> 4]).append(1, kHex[octet & 15]);
      used += 3;
    }
    if (ended) out += "\r\n";
  }
}

}  // namespace

View header_section(View content) {
  View rest = content;
  std::size_t fields = 0;  // octets of whole fields
  std::size_t seen = 0;
  while (!rest.empty()) {
    const View line = take_line(rest);
    const bool folded = seen > 0 && is_blank(line.front());
    if (!folded) fields = seen;
    if (line == "\r\n" || !line.ends_with("\r\n") || (!folded && !begins_field(line))) return content.substr(0, seen);
    if (seen + line.size() > kDsnHeader) return content.substr(0, fields);
    seen += line.size();
  }
  return content.substr(0, seen);
}

View message_id(View header) {
  constexpr View kName = "message-id:";
  while (!header.empty()) {
    const View line = take_line(header);
    const bool is_it = line.size() > kName.size() && std::equal(kName.begin(), kName.end(), line.begin(),
                                                                [](char a, char b) { return a == ascii_lower(b); });
    if (!is_it) continue;
    // Its value may stand on the next line.
    std::size_t length = line.size();
    for (View rest = header; !rest.empty() && is_blank(rest.front());) length += take_line(rest).size();
    const View field{line.data(), length};
    const std::size_t begin = field.find('<');
    const std::size_t end = begin == View::npos ? begin : field.find('>', begin);
    if (end == View::npos || end - begin > kMessageIdMost) return {};
    const View id = field.substr(begin, end + 1 - begin);
    return std::ranges::all_of(id, [](char c) { return c > 32 && c < 127; }) ? id : View{};
  }
  return {};
}

Returned returned_of(const Dsn& dsn, bool global) {
  Returned returned{.octets = header_section(dsn.content), .whole = false, .global = global, .encoding = "7bit"};
  const bool fits = lines_fit(dsn.content) && dsn.content.find('\0') == View::npos;
  if (dsn.return_content && fits) {
    returned.octets = dsn.content;
    returned.whole = true;
    // RFC 2046 5.2.1: a message is never encoded anew.
    if (!is_ascii(returned.octets)) returned.encoding = "8bit";
    // RFC 6532 3.7: message/global is for header sections that need it.
    returned.global = global && !is_ascii(header_section(dsn.content));
    return returned;
  }
  const View header = returned.octets;
  const bool safe = lines_fit(header) && header.find('\0') == View::npos;
  if (safe && global && smtp::utf8_valid(header))
    returned.encoding = is_ascii(header) ? "7bit" : "8bit";  // RFC 6533 5.3: 8bit where it can be
  else if (!safe || !is_ascii(header))
    returned.encoding = "quoted-printable";
  return returned;
}

void put_returned(std::string& out, const Returned& returned) {
  const View type = returned.whole ? (returned.global ? View{"message/global"} : View{"message/rfc822"})
                                   : (returned.global ? View{"message/global-headers"} : View{"text/rfc822-headers"});
  out.append("Content-Type: ").append(type).append("\r\n");
  out.append("Content-Description: ")
      .append(returned.whole ? "The message" : "Header fields of the message")
      .append("\r\n");
  out.append("Content-Transfer-Encoding: ").append(returned.encoding).append("\r\n\r\n");
  if (returned.encoding == "quoted-printable")
    put_quoted_printable(out, returned.octets);
  else
    out += returned.octets;
}

}  // namespace ringpost::report
