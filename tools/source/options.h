// ringpost-source's command line.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "client.h"
#include "plan.h"
#include "work.h"

namespace ringpost::source {

struct Options {
  ClientOptions client;
  PlanOptions plan;
  WorkOptions work;
  std::uint32_t connections = 1;
  SizeMix sizes;
  DomainMix domains;
  std::vector<FileMessage> files;
  std::uint64_t seed = 1;
  std::string ledger;
  bool json = false;
  bool quiet = false;
  bool progress = false;
  int cpu = -1;
};

// Fills `options`; gives the exit code when the program should end now (help, or a mistake: 2).
std::optional<int> parse_options(int count, char** words, Options& options);

}  // namespace ringpost::source
