// The daemon's entry: reads the configuration, sizes memory, starts the cores and waits for signals.
#include <cstdio>

#include "ringpost_options.h"

int main() {
  std::fprintf(stderr, "ringpost %s: nothing to serve yet\n", RINGPOST_VERSION);
  return 1;
}
