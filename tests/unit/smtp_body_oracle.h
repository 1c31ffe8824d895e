// What RFC 5321 4.5.2 and 2.3.8 say of a body, written octet by octet with no thought of speed: the judge of the
// scanners in src/smtp. It shares no code with them. Used by the unit tests and the fuzz targets.
#pragma once

#include <algorithm>
#include <string>
#include <string_view>

#include "ringpost/smtp.h"

namespace oracle {

struct Data {
  std::string clean;
  std::size_t consumed = 0;  // octets up to and with the end of data; all of the input when it has not ended
  bool ended = false;
};

// `input` is everything since the 354.
inline Data read_data(std::string_view input) {
  Data data;
  bool line_start = true;
  std::size_t at = 0;
  while (at < input.size()) {
    if (line_start && input[at] == '.') {
      const std::string_view line = input.substr(at);
      if (line.starts_with(".\r\n")) return {data.clean, at + 3, true};
      if (line == ".\r") break;  // not known yet whether that is the end
      line_start = false;
      ++at;
      continue;
    }
    data.clean.push_back(input[at]);
    line_start = input[at] == '\n' && at > 0 && input[at - 1] == '\r';
    ++at;
  }
  data.consumed = input.size();
  return data;
}

// The facts of a whole body.
inline ringpost::smtp::BodyFacts facts(std::string_view body) {
  ringpost::smtp::BodyFacts facts;
  facts.octets = body.size();
  facts.nul = body.find('\0') != std::string_view::npos;
  facts.eight_bit = std::any_of(body.begin(), body.end(), [](char c) { return static_cast<unsigned char>(c) > 127; });
  facts.ends_with_crlf = body.ends_with("\r\n");
  for (std::size_t i = 0; i < body.size(); ++i) {
    if (body[i] == '\r' && (i + 1 == body.size() || body[i + 1] != '\n')) facts.bare_cr = true;
    if (body[i] == '\n' && (i == 0 || body[i - 1] != '\r')) facts.bare_lf = true;
  }
  while (!body.empty()) {
    const std::string_view line = body.substr(0, body.find("\r\n"));
    if (line.starts_with('.')) ++facts.dot_lines;
    body.remove_prefix(std::min(body.size(), line.size() + 2));
  }
  return facts;
}

// The body as DATA carries it, end of data included.
inline std::string stuffed(std::string_view body) {
  std::string out;
  for (std::size_t i = 0; i < body.size(); ++i) {
    const bool line_start = i == 0 || (i >= 2 && body.substr(i - 2, 2) == "\r\n");
    if (line_start && body[i] == '.') out.push_back('.');
    out.push_back(body[i]);
  }
  return out + (body.empty() || body.ends_with("\r\n") ? ".\r\n" : "\r\n.\r\n");
}

inline bool same(const ringpost::smtp::BodyFacts& a, const ringpost::smtp::BodyFacts& b) {
  return a.octets == b.octets && a.dot_lines == b.dot_lines && a.bare_cr == b.bare_cr && a.bare_lf == b.bare_lf &&
         a.nul == b.nul && a.eight_bit == b.eight_bit && a.ends_with_crlf == b.ends_with_crlf;
}

}  // namespace oracle
