// Durations and sizes as an operator writes them: "30s", "1h30m", "64M".
#pragma once

#include <cstdint>

#include "ringpost/base/bytes.h"
#include "ringpost/base/result.h"
#include "ringpost/base/time.h"

namespace ringpost::config {

// "250ms", "30s", "5m", "4h", "5d", or several of them added up ("1h30m"). No sign, no fraction, no space.
Result<Duration> parse_duration(View text);

// "1000", "64K", "50M", "2G", "1T": octets; K is 1024. The letter may be small.
Result<std::uint64_t> parse_size(View text);

}  // namespace ringpost::config
