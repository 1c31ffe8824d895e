// Walking the key tables: what reading, telling and the reference page have in common.
#pragma once

#include <string>
#include <vector>

#include "reader.h"

namespace ringpost::config {

// "receive.timeouts.data" → "receive.timeouts"; "cores" → "".
constexpr View section_of(View path) {
  const std::size_t dot = path.rfind('.');
  return dot == View::npos ? View{} : path.substr(0, dot);
}

// The keys of one section, in the table's order.
std::vector<const About*> keys_of(const Section& section);

}  // namespace ringpost::config
