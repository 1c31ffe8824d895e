// From a question's octets to what is sent back, by a Zone: true answers as a recursive server gives them, and false
// ones where the zone says so. Pure; the loop around it is in server.h, the simulator's and the unit tests' are theirs.
#pragma once

#include <map>
#include <string>
#include <utility>
#include <vector>

#include "zone.h"

namespace ringpost::dnsd {

struct Packet {
  std::string octets;
  Duration delay{};
  bool other_source = false;  // to be sent from another port
};

// How often what was asked.
struct Count {
  std::uint64_t udp = 0;
  std::uint64_t tcp = 0;
};
using Counts = std::map<std::pair<std::string, std::uint16_t>, Count>;

class Answerer {
 public:
  // What goes back for a message; nothing: silence, or no question at all.
  std::vector<Packet> answer(View wire, bool tcp);

  Zone zone;
  Counts counts;
};

}  // namespace ringpost::dnsd
