// How numbers and texts of an envelope and a state are written as octets, and read back without trust: a decoder that
// met anything wrong stays wrong, gives zeros and empty texts, and allocates nothing. The forms themselves stand in
// envelope.cpp and state.cpp.
#pragma once

#include <cstdint>
#include <string>

#include "ringpost/base/bytes.h"

namespace ringpost::message {

inline void put_octet(std::string& out, unsigned value) { out.push_back(static_cast<char>(value & 0xFF)); }

// Seven bits an octet, the lowest first, bit 7 set on all but the last.
inline void put_number(std::string& out, std::uint64_t value) {
  for (; value >= 0x80; value >>= 7) put_octet(out, static_cast<unsigned>(value & 0x7F) | 0x80);
  put_octet(out, static_cast<unsigned>(value));
}

// Small magnitudes of either sign stay short.
inline void put_signed(std::string& out, std::int64_t value) {
  put_number(out, (static_cast<std::uint64_t>(value) << 1) ^ static_cast<std::uint64_t>(value >> 63));
}

inline void put_text(std::string& out, View text) {
  put_number(out, text.size());
  out.append(text);
}

class Decoder {
 public:
  explicit Decoder(View octets) : all_(octets), rest_(octets) {}

  [[nodiscard]] bool good() const { return good_; }
  [[nodiscard]] bool good_to_the_end() const { return good_ && rest_.empty(); }
  [[nodiscard]] std::size_t left() const { return rest_.size(); }
  void fail() {
    good_ = false;
    rest_ = {};
  }

  std::uint8_t octet() {
    if (rest_.empty()) {
      fail();
      return 0;
    }
    const auto value = static_cast<std::uint8_t>(rest_.front());
    rest_.remove_prefix(1);
    return value;
  }

  // Up to `most`; anything larger is wrong.
  std::uint64_t number(std::uint64_t most = UINT64_MAX) {
    std::uint64_t value = 0;
    for (unsigned shift = 0; shift < 64; shift += 7) {
      const std::uint8_t next = octet();
      const std::uint64_t bits = next & 0x7F;
      if (shift == 63 && bits > 1) break;
      value |= bits << shift;
      if ((next & 0x80) != 0) continue;
      if (!good_ || value > most) break;
      return value;
    }
    fail();
    return 0;
  }

  std::int64_t signed_number() {
    const std::uint64_t value = number();
    return static_cast<std::int64_t>((value >> 1) ^ (~(value & 1) + 1));
  }

  View text(std::size_t most) {
    const auto length = static_cast<std::size_t>(number(most));
    if (length > rest_.size()) {
      fail();
      return {};
    }
    const View value = rest_.substr(0, length);
    rest_.remove_prefix(length);
    return value;
  }

  // Where a text that came from here begins in the octets.
  [[nodiscard]] std::size_t offset(View text) const {
    return text.empty() ? 0 : static_cast<std::size_t>(text.data() - all_.data());
  }

 private:
  View all_;
  View rest_;
  bool good_ = true;
};

}  // namespace ringpost::message
