// Durations and sizes as an operator writes them: "30s", "1h30m", "64M".
#pragma once

#include <cstdint>

#include "ringpost/base/bytes.h"
#include "ringpost/base/result.h"
#include "ringpost/config.h"  // parse_duration

namespace ringpost::config {

// "1000", "64K", "50M", "2G", "1T": octets; K is 1024. The letter may be small.
Result<std::uint64_t> parse_size(View text);

}  // namespace ringpost::config
