// CRC32C against the published vectors: segments written by one machine must be readable on another.
#include "ringpost/base/crc32c.h"

#include <doctest/doctest.h>

#include <string>

#include "ringpost/base/random.h"

using ringpost::crc32c;
using ringpost::crc32c_portable;

TEST_CASE("the vectors of RFC 3720 B.4") {
  CHECK(crc32c("123456789") == 0xE3069283);
  CHECK(crc32c(std::string(32, '\0')) == 0x8A9136AA);
  CHECK(crc32c(std::string(32, '\xFF')) == 0x62A8AB43);
  std::string rising;
  for (int i = 0; i < 32; ++i) rising.push_back(static_cast<char>(i));
  CHECK(crc32c(rising) == 0x46DD794E);
  CHECK(crc32c_portable(rising) == 0x46DD794E);
}

TEST_CASE("going on from an earlier value is the same as one pass, wherever it was cut") {
  std::string text;
  for (int i = 0; i < 1000; ++i) text.push_back(static_cast<char>(i * 7));
  const auto whole = crc32c(text);
  for (std::size_t cut = 0; cut <= text.size(); cut += 13) {
    const std::string_view view = text;
    CHECK(crc32c(view.substr(cut), crc32c(view.substr(0, cut))) == whole);
  }
}

TEST_CASE("the CPU's instruction and the tables agree on every length and alignment") {
  ringpost::Random random(5);
  std::string text;
  for (int i = 0; i < 20'000; ++i) text.push_back(static_cast<char>(random.next()));
  const std::string_view view = text;
  for (std::size_t size = 0; size < 1000; ++size) {
    const auto piece = view.substr(size % 17, size);
    REQUIRE(crc32c(piece, 7) == crc32c_portable(piece, 7));
  }
  for (std::size_t size = 1000; size < text.size() - 17; size += 61) {
    const auto piece = view.substr(size % 17, size);
    REQUIRE(crc32c(piece) == crc32c_portable(piece));
  }
}
