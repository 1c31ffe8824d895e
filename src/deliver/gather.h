// What one send carries: pieces in order, as the kernel wants them. Commands and small segments are copied together
// into one text buffer, so that they cost one piece; larger segments are only pointed at. It owns the text and the
// array; the session that fills it keeps both untouched while the kernel sends. It never asks whether what it is given
// makes sense.
#pragma once

#include <array>
#include <charconv>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>

#include "ringpost/base/bytes.h"
#include "ringpost/base/check.h"
#include "ringpost/ring.h"
#include "ringpost/smtp.h"

namespace ringpost::deliver {

class Gather {
 public:
  // A command that we write: what a client may have written to us (smtp::kCommandLine), and what we add to it.
  static constexpr std::size_t kLongestCommand = smtp::kCommandLine + 512;
  // A burst of eight transactions with their trace lines, and room for the longest command behind them.
  static constexpr std::size_t kTextOctets = 8192;
  // Segments below this are copied: cheaper than a piece of their own, and a body that is all dots cannot cut a send
  // small.
  static constexpr std::size_t kCopyBelow = 288;
  // No further segment is begun past this. It must leave within the time for one block (RFC 5321 4.5.3.2.5, 3 minutes):
  // a peer that takes less than 1.5 KiB a second is treated as gone.
  static constexpr std::size_t kOctets = 256 * 1024;

  static_assert(kTextOctets >= 2 * kLongestCommand);

  void clear() { pieces_ = text_used_ = octets_ = 0; }
  [[nodiscard]] bool empty() const { return octets_ == 0; }
  [[nodiscard]] std::size_t octets() const { return octets_; }
  [[nodiscard]] std::span<const iovec> pieces() const { return {array_.data(), pieces_}; }

  // Whether one more command, or one more segment, may be put.
  [[nodiscard]] bool fits_command() const {
    return pieces_ < array_.size() && kTextOctets - text_used_ >= kLongestCommand && octets_ < kOctets;
  }
  [[nodiscard]] bool fits_segment() const { return pieces_ < array_.size() && octets_ < kOctets; }

  // Copies `text`; what is put without a segment between goes as one piece.
  void put(View text) {
    RINGPOST_CHECK(text.size() <= kTextOctets - text_used_);
    char* const at = text_.data() + text_used_;
    if (text.empty()) return;
    std::memcpy(at, text.data(), text.size());
    text_used_ += text.size();
    octets_ += text.size();
    if (pieces_ > 0 && static_cast<char*>(array_[pieces_ - 1].iov_base) + array_[pieces_ - 1].iov_len == at) {
      array_[pieces_ - 1].iov_len += text.size();
    } else {
      add_piece(at, text.size());
    }
  }
  void put_number(std::uint64_t number) {
    std::array<char, 20> digits;
    const auto end = std::to_chars(digits.data(), digits.data() + digits.size(), number).ptr;
    put({digits.data(), static_cast<std::size_t>(end - digits.data())});
  }
  // Points at `segment`, which stays where it is until the send is over, or copies it when it is small.
  void add(View segment) {
    if (segment.size() < kCopyBelow && kTextOctets - text_used_ >= segment.size()) return put(segment);
    // The kernel only reads what a send is given; iovec has no const.
    add_piece(const_cast<char*>(segment.data()), segment.size());
    octets_ += segment.size();
  }

 private:
  void add_piece(char* at, std::size_t size) {
    RINGPOST_CHECK(pieces_ < array_.size());
    array_[pieces_++] = {at, size};
  }

  std::size_t pieces_ = 0;
  std::size_t text_used_ = 0;
  std::size_t octets_ = 0;
  std::array<iovec, ring::kSendPieces> array_;
  std::array<char, kTextOctets> text_;
};

}  // namespace ringpost::deliver
