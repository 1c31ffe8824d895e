// Header words; see header.h.
#include "header.h"

#include <algorithm>

namespace ringpost::tools {

std::size_t body_start(View octets, std::size_t search_from) {
  for (std::size_t at = octets.find('\n', search_from); at != View::npos; at = octets.find('\n', at + 1)) {
    const std::size_t line_end = at > 0 && octets[at - 1] == '\r' ? at - 1 : at;
    if (line_end == 0 || octets[line_end - 1] == '\n') return at + 1;
  }
  return View::npos;
}

View header_of(View message) { return message.substr(0, std::min(body_start(message), message.size())); }

View header_value(View header, View name) {
  while (!header.empty()) {
    const std::size_t end = std::min(header.find('\n'), header.size());
    View line = header.substr(0, end);
    header.remove_prefix(std::min(end + 1, header.size()));
    if (line.size() <= name.size() || line[name.size()] != ':') continue;
    if (!equal_ignoring_case(line.substr(0, name.size()), name)) continue;
    line.remove_prefix(name.size() + 1);
    while (!line.empty() && (line.front() == ' ' || line.front() == '\t')) line.remove_prefix(1);
    while (!line.empty() && (line.back() == ' ' || line.back() == '\r')) line.remove_suffix(1);
    return line;
  }
  return {};
}

}  // namespace ringpost::tools
