// Replies as we write them: RFC 5321 4.2, with RFC 2034's enhanced code on each line.
#include <algorithm>
#include <cstring>

#include "ringpost/base/check.h"
#include "ringpost/smtp.h"

namespace ringpost::smtp {
namespace {

// "250-2.0.0 ": the longest head is the code, its separator, an enhanced code and a blank.
constexpr std::size_t kHead = 4 + EnhancedCode::kTextLength + 1;

std::size_t write_head(std::array<char, kHead>& head, std::uint16_t code, EnhancedCode enhanced, bool last) {
  head[0] = static_cast<char>('0' + code / 100);
  head[1] = static_cast<char>('0' + code / 10 % 10);
  head[2] = static_cast<char>('0' + code % 10);
  head[3] = last ? ' ' : '-';
  if (!enhanced.given()) return 4;
  const View text = enhanced.write(Room{head}.subspan(4));
  head[4 + text.size()] = ' ';
  return 4 + text.size() + 1;
}

// An octet that could end the line, or the string in somebody's C program, never comes out of a text.
char safe(char c) { return c == '\r' || c == '\n' || c == '\0' ? '?' : c; }

}  // namespace

std::size_t write_reply(Room room, std::uint16_t code, EnhancedCode enhanced, std::span<const View> lines) {
  CHECK(code >= 200 && code <= 599 && !lines.empty());
  std::array<char, kHead> head;
  std::size_t written = 0;
  for (std::size_t i = 0; i < lines.size(); ++i) {
    const std::size_t head_length = write_head(head, code, enhanced, i + 1 == lines.size());
    const View text = lines[i].substr(0, kWrittenReplyLine - 2 - head_length);
    if (room.size() - written < head_length + text.size() + 2) return 0;
    char* at = room.data() + written;
    std::memcpy(at, head.data(), head_length);
    at = std::ranges::transform(text, at + head_length, safe).out;
    *at++ = '\r';
    *at++ = '\n';
    written = static_cast<std::size_t>(at - room.data());
  }
  return written;
}

std::size_t write_reply(Room room, std::uint16_t code, EnhancedCode enhanced, View text) {
  return write_reply(room, code, enhanced, std::span<const View>{&text, 1});
}

}  // namespace ringpost::smtp
