// ringpost-sink's command line.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "server.h"

namespace ringpost::sink {

struct Options {
  std::vector<SocketAddress> listen;
  Limits limits;
  std::string ledger;
  bool json = false;
  bool quiet = false;
  int cpu = -1;
};

// Fills `options` and `shared`; gives the exit code when the program should end now (help, or a mistake: 2).
std::optional<int> parse_options(int count, char** words, Options& options, Shared& shared);

}  // namespace ringpost::sink
