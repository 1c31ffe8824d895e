// Errors in words.
#include "ringpost/base/result.h"

#include <cstring>

namespace ringpost {

std::string Error::message() const {
  if (code == 0) return text;
  char buffer[128];
  // The GNU strerror_r may answer with a constant of its own instead of the buffer.
  return text + ": " + strerror_r(code, buffer, sizeof buffer);
}

std::unexpected<Error> fail(std::string_view text) { return fail(0, text); }

std::unexpected<Error> fail(int code, std::string_view text) { return std::unexpected(Error{code, std::string(text)}); }

}  // namespace ringpost
