// Result<T>: what an operation that can fail returns. A bug is a CHECK, a peer's "no" is a message::Outcome;
// this is for everything between: a syscall, a file, a config value.
#pragma once

#include <expected>
#include <string>
#include <string_view>

namespace ringpost {

// What failed, in words for the person who reads it, and the errno where a system call was the cause (else 0).
struct Error {
  int code = 0;      // errno, 0 when the kernel was not involved
  std::string text;  // "where: what: what to do", without the errno's text

  // "text: strerror(code)". Any thread.
  [[nodiscard]] std::string message() const;
};

template <class T>
using Result = std::expected<T, Error>;

// fail("open /x") and fail(errno, "open /x") make the unexpected side of any Result.
[[nodiscard]] std::unexpected<Error> fail(std::string_view text);
[[nodiscard]] std::unexpected<Error> fail(int code, std::string_view text);

}  // namespace ringpost
