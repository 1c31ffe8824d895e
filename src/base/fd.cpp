// Closing.
#include "ringpost/base/fd.h"

#include <unistd.h>

namespace ringpost {

void Fd::reset(int fd) {
  const int old = std::exchange(fd_, fd);
  // On Linux the descriptor is gone whatever close answers; an error of written data was asked for by fsync before.
  if (old >= 0) ::close(old);
}

}  // namespace ringpost
