// Lines out of a stream that comes in pieces, for the simulated clients and peers. Written apart from the relay's own
// scanner, so that one does not hide the faults of the other.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "ringpost/base/bytes.h"

namespace ringpost::sim {

class Lines {
 public:
  void add(View octets) { waiting_ += octets; }
  // The next line without its CRLF; nullopt until one is complete.
  std::optional<std::string> next() {
    const std::size_t end = waiting_.find("\r\n");
    if (end == std::string::npos) return std::nullopt;
    std::string line = waiting_.substr(0, end);
    waiting_.erase(0, end + 2);
    return line;
  }
  // Up to `most` octets as they are.
  std::string take(std::size_t most) {
    std::string octets = waiting_.substr(0, most);
    waiting_.erase(0, octets.size());
    return octets;
  }
  // A whole content up to its end-of-data mark, dots taken out (RFC 5321 4.5.2); nullopt until it is complete.
  std::optional<std::string> content() {
    // The CRLF before the dot may be that of the DATA line.
    const std::size_t end = waiting_.starts_with(".\r\n") ? 0 : waiting_.find("\r\n.\r\n");
    if (end == std::string::npos) return std::nullopt;
    std::string content = end == 0 && waiting_.starts_with(".\r\n") ? "" : waiting_.substr(0, end + 2);
    waiting_.erase(0, end == 0 && content.empty() ? 3 : end + 5);
    for (std::size_t at = 0; at < content.size();) {
      if (content[at] == '.') content.erase(at, 1);
      at = content.find("\r\n", at);
      if (at == std::string::npos) break;
      at += 2;
    }
    return content;
  }
  [[nodiscard]] bool empty() const { return waiting_.empty(); }

 private:
  std::string waiting_;
};

// RFC 5321 4.5.2: a dot before each line that begins with one, and the end-of-data mark. `content` ends with CRLF.
inline std::string stuffed(View content) {
  std::string out;
  for (std::size_t at = 0; at < content.size();) {
    const std::size_t found = content.find("\r\n", at);
    const std::size_t end = found == View::npos ? content.size() : found + 2;
    if (content[at] == '.') out += '.';
    out += content.substr(at, end - at);
    at = end;
  }
  return out + ".\r\n";
}

}  // namespace ringpost::sim
