// How the parts of a JSON line are written into memory that has room for them: values, and a cursor that puts keys and
// values behind each other. Stands behind JsonLine, which finds the room as it goes, and write_event, which knows the
// bound of its line beforehand and writes it in one go. Owns nothing, allocates nothing.
#pragma once

#include <charconv>
#include <cstdint>
#include <cstring>

#include "ringpost/base/bytes.h"
#include "ringpost/base/time.h"

namespace ringpost::report {

inline constexpr std::size_t kMostPerOctet = 6;  // octets of output for one of input
inline constexpr std::size_t kNumberLength = 24;
inline constexpr std::size_t kTimeLength = 32;

// Each gives the place behind what it wrote.
char* put_escaped(char* to, View text);                  // without quotes; at most kMostPerOctet an octet
char* put_time(char* to, WallTime at);                   // with quotes; at most kTimeLength
char* put_seconds(char* to, std::int64_t milliseconds);  // 1.234; at most kNumberLength + 4

inline char* put_octets(char* to, View text) { return to + text.copy(to, text.size()); }

template <class Number>
char* put_number(char* to, Number value) {
  return std::to_chars(to, to + kNumberLength, value).ptr;
}

// One object. Keys are literals, so that each is written by a store or two.
class JsonCursor {
 public:
  explicit JsonCursor(char* at) : at_(at) { *at_++ = '{'; }

  template <std::size_t Size>
  void text(const char (&key)[Size], View octets) {
    put_key(key);
    *at_++ = '"';
    at_ = put_escaped(at_, octets);
    *at_++ = '"';
  }
  // What holds nothing that JSON would have escaped.
  template <std::size_t Size>
  void plain(const char (&key)[Size], View octets) {
    put_key(key);
    *at_++ = '"';
    at_ = put_octets(at_, octets);
    *at_++ = '"';
  }
  template <std::size_t Size>
  void number(const char (&key)[Size], std::uint64_t value) {
    put_key(key);
    at_ = put_number(at_, value);
  }
  template <std::size_t Size>
  void time(const char (&key)[Size], WallTime at) {
    put_key(key);
    at_ = put_time(at_, at);
  }
  template <std::size_t Size>
  void seconds(const char (&key)[Size], Duration duration) {
    put_key(key);
    at_ = put_seconds(at_, duration / std::chrono::milliseconds(1));
  }
  // Closes the object; the place behind it.
  char* end() {
    *at_++ = '}';
    return at_;
  }

 private:
  template <std::size_t Size>
  void put_key(const char (&key)[Size]) {
    constexpr std::size_t kLength = Size - 1;  // without its NUL
    if (!first_) *at_++ = ',';
    first_ = false;
    *at_++ = '"';
    std::memcpy(at_, key, kLength);
    at_ += kLength;
    *at_++ = '"';
    *at_++ = ':';
  }

  char* at_;
  bool first_ = true;
};

}  // namespace ringpost::report
