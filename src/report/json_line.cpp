// JsonLine: one JSON object in one line of ASCII, whatever octets peers sent.
#include <array>
#include <chrono>
#include <cstring>

#include "report/json_text.h"
#include "ringpost/report.h"

namespace ringpost::report {
namespace {

constexpr char kHex[] = "0123456789abcdef";
constexpr std::size_t kAroundName = 4;  // comma, quotes and colon

char* put_unit(char* to, unsigned unit) {
  const char text[6] = {'\\', 'u', kHex[unit >> 12 & 15], kHex[unit >> 8 & 15], kHex[unit >> 4 & 15], kHex[unit & 15]};
  return put_octets(to, {text, sizeof text});
}

// RFC 8259 7: above U+FFFF as a surrogate pair.
char* put_code_point(char* to, unsigned code) {
  if (code < 0x10000) return put_unit(to, code);
  return put_unit(put_unit(to, 0xD800 + ((code - 0x10000) >> 10)), 0xDC00 + ((code - 0x10000) & 0x3FF));
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

// Whether eight octets are all plain: the known trick that finds an octet of zero, or one below a bound, in a word.
bool all_plain(std::uint64_t word) {
  constexpr std::uint64_t kOnes = 0x0101010101010101;
  constexpr std::uint64_t kHigh = 0x8080808080808080;
  const auto some = [](std::uint64_t octets, std::uint64_t bound) {
    return (octets - kOnes * bound) & ~octets & kHigh;
  };
  const std::uint64_t below_blank = some(word, ' ');
  const std::uint64_t del = some(word ^ (kOnes * 0x7F), 1);
  const std::uint64_t quote = some(word ^ (kOnes * '"'), 1);
  const std::uint64_t backslash = some(word ^ (kOnes * '\\'), 1);
  return (below_blank | del | quote | backslash | (word & kHigh)) == 0;
}

// "00" … "99" behind each other.
constexpr std::array<char, 200> kPairs = [] {
  std::array<char, 200> pairs{};
  for (std::size_t i = 0; i < 100; ++i) {
    pairs[2 * i] = static_cast<char>('0' + i / 10);
    pairs[2 * i + 1] = static_cast<char>('0' + i % 10);
  }
  return pairs;
}();

// `value`, below 100, and what stands behind it.
char* put_two(char* to, unsigned value, char behind) {
  std::memcpy(to, &kPairs[std::size_t{2} * value], 2);
  to[2] = behind;
  return to + 3;
}

// `value`, below 1000, with three digits.
char* put_three(char* to, unsigned value) {
  *to++ = static_cast<char>('0' + value / 100);
  std::memcpy(to, &kPairs[std::size_t{2} * (value % 100)], 2);
  return to + 2;
}

}  // namespace

char* put_escaped(char* to, View text) {
  while (!text.empty()) {
    for (std::uint64_t word; text.size() >= sizeof word; text.remove_prefix(sizeof word), to += sizeof word) {
      std::memcpy(&word, text.data(), sizeof word);
      if (!all_plain(word)) break;
      std::memcpy(to, &word, sizeof word);
    }
    for (; !text.empty() && plain(text.front()); text.remove_prefix(1)) *to++ = text.front();
    if (text.empty()) break;
    if (text.front() == '"' || text.front() == '\\') {
      *to++ = '\\';
      *to++ = text.front();
      text.remove_prefix(1);
      continue;
    }
    const Decoded next = decode(text);
    to = put_code_point(to, next.code);
    text.remove_prefix(next.octets);
  }
  return to;
}

char* put_time(char* to, WallTime at) {
  const auto point = std::chrono::sys_time<std::chrono::milliseconds>{std::chrono::milliseconds{at.milliseconds}};
  const auto day = std::chrono::floor<std::chrono::days>(point);
  const std::chrono::year_month_day date{day};
  const auto year = static_cast<unsigned>(static_cast<int>(date.year()));
  const auto within = static_cast<unsigned>((point - day).count());  // milliseconds
  const unsigned second = within / 1000;
  *to++ = '"';
  to = put_two(to, year / 100 % 100, 0) - 1;
  to = put_two(to, year % 100, '-');
  to = put_two(to, static_cast<unsigned>(date.month()), '-');
  to = put_two(to, static_cast<unsigned>(date.day()), 'T');
  to = put_two(to, second / 3600, ':');
  to = put_two(to, second / 60 % 60, ':');
  to = put_two(to, second % 60, '.');
  to = put_three(to, within % 1000);
  *to++ = 'Z';
  *to++ = '"';
  return to;
}

char* put_seconds(char* to, std::int64_t milliseconds) {
  to = put_number(to, milliseconds / 1000);
  *to++ = '.';
  return put_three(to, static_cast<unsigned>(milliseconds < 0 ? -(milliseconds % 1000) : milliseconds % 1000));
}

JsonLine::JsonLine(std::string& out) : out_(out) { out_.push_back('{'); }

// One field: the string grows once, by the most it may need, and is cut to what `value` wrote.
template <class Value>
JsonLine& JsonLine::field(View name, std::size_t most, Value value) {
  const std::size_t before = out_.size();
  out_.resize_and_overwrite(before + name.size() + kAroundName + most, [&](char* text, std::size_t) {
    char* to = text + before;
    if (!first_) *to++ = ',';
    *to++ = '"';
    to = put_octets(to, name);
    *to++ = '"';
    *to++ = ':';
    return static_cast<std::size_t>(value(to) - text);
  });
  first_ = false;
  return *this;
}

JsonLine& JsonLine::text(View name, View octets, std::size_t limit) {
  octets = octets.substr(0, limit);
  return field(name, octets.size() * kMostPerOctet + 2, [&](char* to) {
    *to++ = '"';
    to = put_escaped(to, octets);
    *to++ = '"';
    return to;
  });
}

JsonLine& JsonLine::number(View name, std::int64_t value) {
  return field(name, kNumberLength, [&](char* to) { return put_number(to, value); });
}

JsonLine& JsonLine::number(View name, std::uint64_t value) {
  return field(name, kNumberLength, [&](char* to) { return put_number(to, value); });
}

JsonLine& JsonLine::flag(View name, bool value) { return raw(name, value ? "true" : "false"); }

JsonLine& JsonLine::time(View name, WallTime at) {
  return field(name, kTimeLength, [&](char* to) { return put_time(to, at); });
}

JsonLine& JsonLine::seconds(View name, Duration duration) {
  const auto milliseconds = std::chrono::duration_cast<std::chrono::milliseconds>(duration).count();
  return field(name, kNumberLength + 4, [&](char* to) { return put_seconds(to, milliseconds); });
}

JsonLine& JsonLine::raw(View name, View json) {
  return field(name, json.size(), [&](char* to) { return put_octets(to, json); });
}

void JsonLine::end() { out_.push_back('}'); }

}  // namespace ringpost::report
