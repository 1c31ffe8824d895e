// JsonLine: one JSON object in one line of ASCII, whatever octets peers sent.
#include <array>
#include <charconv>

#include "ringpost/report.h"

namespace ringpost::report {
namespace {

constexpr char kHex[] = "0123456789abcdef";

void append_unit(std::string& out, unsigned unit) {
  const char text[6] = {'\\', 'u', kHex[unit >> 12 & 15], kHex[unit >> 8 & 15], kHex[unit >> 4 & 15], kHex[unit & 15]};
  out.append(text, sizeof text);
}

// RFC 8259 7: above U+FFFF as a surrogate pair.
void append_code_point(std::string& out, unsigned code) {
  if (code < 0x10000) return append_unit(out, code);
  append_unit(out, 0xD800 + ((code - 0x10000) >> 10));
  append_unit(out, 0xDC00 + ((code - 0x10000) & 0x3FF));
}

struct Decoded {
  unsigned code = 0;
  std::size_t octets = 1;
};

// One UTF-8 character at the head of `text` (RFC 3629), or the octet itself where there is none.
Decoded decode(View text) {
  const auto octet = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  const unsigned first = octet(0);
  const std::size_t length = first >= 0xF0 && first < 0xF5   ? 4
                             : first >= 0xE0 && first < 0xF0 ? 3
                             : first >= 0xC2 && first < 0xE0 ? 2
                                                             : 1;
  if (length == 1 || text.size() < length) return {first, 1};
  unsigned code = first & (0xFFU >> (length + 1));
  for (std::size_t i = 1; i < length; ++i) {
    if ((octet(i) & 0xC0) != 0x80) return {first, 1};
    code = code << 6 | (octet(i) & 0x3F);
  }
  constexpr std::array<unsigned, 5> kSmallest{0, 0, 0x80, 0x800, 0x10000};
  if (code < kSmallest[length] || code > 0x10FFFF || (code >= 0xD800 && code < 0xE000)) return {first, 1};
  return {code, length};
}

bool plain(char c) { return c >= ' ' && c < 0x7F && c != '"' && c != '\\'; }

void append_octets(std::string& out, View text) {
  while (!text.empty()) {
    std::size_t run = 0;
    while (run < text.size() && plain(text[run])) ++run;
    out.append(text.substr(0, run));
    text.remove_prefix(run);
    if (text.empty()) return;
    if (text.front() == '"' || text.front() == '\\') {
      out.push_back('\\');
      out.push_back(text.front());
      text.remove_prefix(1);
      continue;
    }
    const Decoded next = decode(text);
    append_code_point(out, next.code);
    text.remove_prefix(next.octets);
  }
}

template <class Number>
void append_number(std::string& out, Number value) {
  char text[24];
  const auto [end, error] = std::to_chars(text, text + sizeof text, value);
  out.append(text, end);
}

// `value` with exactly `width` digits.
char* put_digits(char* to, unsigned value, int width) {
  for (int i = width - 1; i >= 0; --i, value /= 10) to[i] = static_cast<char>('0' + value % 10);
  return to + width;
}

}  // namespace

JsonLine::JsonLine(std::string& out) : out_(out) { out_.push_back('{'); }

void JsonLine::key(View name) {
  if (!first_) out_.push_back(',');
  first_ = false;
  out_.push_back('"');
  out_.append(name);
  out_.append("\":");
}

JsonLine& JsonLine::text(View name, View octets, std::size_t limit) {
  key(name);
  out_.push_back('"');
  append_octets(out_, octets.substr(0, limit));
  out_.push_back('"');
  return *this;
}

JsonLine& JsonLine::number(View name, std::int64_t value) {
  key(name);
  append_number(out_, value);
  return *this;
}

JsonLine& JsonLine::number(View name, std::uint64_t value) {
  key(name);
  append_number(out_, value);
  return *this;
}

JsonLine& JsonLine::flag(View name, bool value) {
  key(name);
  out_.append(value ? "true" : "false");
  return *this;
}

JsonLine& JsonLine::time(View name, WallTime at) {
  key(name);
  const auto point = std::chrono::sys_time<std::chrono::milliseconds>{std::chrono::milliseconds{at.milliseconds}};
  const auto day = std::chrono::floor<std::chrono::days>(point);
  const std::chrono::year_month_day date{day};
  const std::chrono::hh_mm_ss clock{point - day};
  char text[32];
  char* to = text;
  *to++ = '"';
  to = put_digits(to, static_cast<unsigned>(static_cast<int>(date.year())), 4);
  *to++ = '-';
  to = put_digits(to, static_cast<unsigned>(date.month()), 2);
  *to++ = '-';
  to = put_digits(to, static_cast<unsigned>(date.day()), 2);
  *to++ = 'T';
  to = put_digits(to, static_cast<unsigned>(clock.hours().count()), 2);
  *to++ = ':';
  to = put_digits(to, static_cast<unsigned>(clock.minutes().count()), 2);
  *to++ = ':';
  to = put_digits(to, static_cast<unsigned>(clock.seconds().count()), 2);
  *to++ = '.';
  to = put_digits(to, static_cast<unsigned>(clock.subseconds().count()), 3);
  *to++ = 'Z';
  *to++ = '"';
  out_.append(text, to);
  return *this;
}

JsonLine& JsonLine::seconds(View name, Duration duration) {
  key(name);
  const auto milliseconds = std::chrono::duration_cast<std::chrono::milliseconds>(duration).count();
  append_number(out_, milliseconds / 1000);
  char text[4] = {'.'};
  put_digits(text + 1, static_cast<unsigned>(milliseconds < 0 ? -milliseconds % 1000 : milliseconds % 1000), 3);
  out_.append(text, sizeof text);
  return *this;
}

JsonLine& JsonLine::raw(View name, View json) {
  key(name);
  out_.append(json);
  return *this;
}

void JsonLine::end() { out_.push_back('}'); }

}  // namespace ringpost::report
