// Address space for the pools.
#include "ringpost/base/slab.h"

#include <sys/mman.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>

namespace ringpost {

Reservation::Reservation(std::size_t octets) : size_(octets) {
  if (octets == 0) return;
  // NORESERVE: a pool's size is a promise to its users, not a claim on the machine; the configured memory ceiling is
  // what keeps the sum of what is touched in bounds.
  void* memory = mmap(nullptr, octets, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (memory == MAP_FAILED) {
    std::fprintf(stderr, "memory: cannot reserve %zu octets of address space: %s\n", octets, std::strerror(errno));
    std::exit(1);
  }
  data_ = static_cast<std::byte*>(memory);
}

Reservation& Reservation::operator=(Reservation&& other) noexcept {
  std::swap(data_, other.data_);
  std::swap(size_, other.size_);
  return *this;
}

Reservation::~Reservation() {
  if (data_ != nullptr) munmap(data_, size_);
}

}  // namespace ringpost
