// CHECK: an assertion about our own code, on in every build. A failed one is a bug, so the process ends
// at once and a restart rereads the durable spool. Never used for what a peer, a disk or an operator does.
#pragma once

#include <source_location>

namespace ringpost {

// Prints "file:line: CHECK failed: what" on stderr and aborts. Any thread.
[[noreturn]] void check_failed(const char* what, std::source_location where) noexcept;

}  // namespace ringpost

#define CHECK(condition)                                                                    \
  do {                                                                                      \
    if (!(condition)) [[unlikely]]                                                          \
      ::ringpost::check_failed(#condition, std::source_location::current());                \
  } while (false)
