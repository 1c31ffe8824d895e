// Strong ids: integers that mean one thing and convert to nothing else.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

namespace ringpost {

// One CPU core's loop, 0 … cores - 1.
struct CoreId {
  std::uint16_t value = 0;
  auto operator<=>(const CoreId&) const = default;
};

// One accepted message, for ever: the number of the log that holds it (upper 16 bits) and a count of that log
// which never repeats, also after every segment was recycled. Zero is no message.
struct SpoolId {
  static constexpr int kCountBits = 48;
  static constexpr std::size_t kTextLength = 13;  // octets of text()

  std::uint64_t value = 0;
  auto operator<=>(const SpoolId&) const = default;

  static constexpr SpoolId make(std::uint16_t log, std::uint64_t count) {
    return {(std::uint64_t{log} << kCountBits) | (count & ((std::uint64_t{1} << kCountBits) - 1))};
  }
  [[nodiscard]] constexpr std::uint16_t log() const { return static_cast<std::uint16_t>(value >> kCountBits); }
  [[nodiscard]] constexpr std::uint64_t count() const { return value & ((std::uint64_t{1} << kCountBits) - 1); }

  // The id as it stands in the 250, in Received, in events and in tools: 13 letters and digits (base 32
  // without i, l, o, u; upper case). parse() takes either case and nothing else than what text() writes.
  [[nodiscard]] std::array<char, kTextLength> letters() const;
  [[nodiscard]] std::string text() const;
  static std::optional<SpoolId> parse(std::string_view text);
};

// A destination as one core counts it: dense, from 0. Its name (the hosts of a route, or a domain) is what cores, tools
// and events share; an id that nobody needs any more is given to another name.
struct DestinationId {
  std::uint32_t value = 0;
  auto operator<=>(const DestinationId&) const = default;
};

}  // namespace ringpost

template <>
struct std::hash<ringpost::SpoolId> {
  std::size_t operator()(ringpost::SpoolId id) const noexcept {
    return static_cast<std::size_t>((id.value ^ (id.value >> 32)) * 0x9E3779B97F4A7C15ULL);
  }
};
