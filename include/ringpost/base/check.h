// CHECK: an assertion about our own code, on in every build. A failed one is a bug, so the process ends
// at once and a restart rereads the durable spool. Never used for what a peer, a disk or an operator does.
#pragma once

#include <source_location>

namespace ringpost {

// Prints "file:line: CHECK failed: what" on stderr and aborts. Any thread.
[[noreturn]] void check_failed(const char* what, std::source_location where) noexcept;

}  // namespace ringpost

// RINGPOST_CHECK is for headers, CHECK is its short name in .cpp files: tests include headers beside doctest, whose
// CHECK is another one (a test target is compiled with RINGPOST_WITH_DOCTEST, and has doctest's).
#define RINGPOST_CHECK(condition)                                            \
  do {                                                                       \
    if (!(condition)) [[unlikely]]                                           \
      ::ringpost::check_failed(#condition, std::source_location::current()); \
  } while (false)

#ifndef RINGPOST_WITH_DOCTEST
#define CHECK(condition) RINGPOST_CHECK(condition)
#endif
