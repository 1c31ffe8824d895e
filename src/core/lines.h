// Lines: the JSON objects that answers are made of. Pure; docs/control.md says what their keys mean.
#pragma once

#include <string>
#include <vector>

#include "core/query.h"
#include "ringpost/route.h"
#include "ringpost/spool.h"

namespace ringpost::core {

// ---- of messages
std::string summary_line(const spool::Message& message);  // `list`
std::string damaged_line(SpoolId id);
std::string envelope_line(const spool::Message& message);  // `show`
std::string recipient_line(const spool::Message& message, std::uint32_t index, View destination);
std::string content_line(View octets);

// ---- of the relay
struct Facade {
  View hostname;
  Duration uptime;
};
std::string status_line(const Query& query, const Facade& facade);
std::string destination_line(const DestinationRow& row);
// What one core has of a destination is added to what others have.
void add_row(DestinationRow& sum, const DestinationRow& row);

// ---- of what was done
std::string affected_line(std::uint64_t messages, bool dry_run);
std::string suspension_line(View destination, bool suspended);

}  // namespace ringpost::core
