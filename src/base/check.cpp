// The end of a process that found a bug in itself. Allocates nothing: the heap may be what is broken.
#include "ringpost/base/check.h"

#include <cstdio>
#include <cstdlib>

namespace ringpost {

void check_failed(const char* what, std::source_location where) noexcept {
  std::fprintf(stderr, "%s:%u: CHECK failed: %s\n", where.file_name(), static_cast<unsigned>(where.line()), what);
  std::fflush(stderr);
  std::abort();
}

}  // namespace ringpost
