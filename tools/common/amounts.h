// Numbers as a person writes them on a command line: sizes, durations, probabilities. Each gives nothing for what it
// does not understand whole.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "ringpost/base/bytes.h"
#include "ringpost/base/time.h"

namespace ringpost::tools {

std::optional<std::uint64_t> parse_count(View text);  // digits only
std::optional<std::uint64_t> parse_size(View text);   // "4096", "4K", "2M", "1G": octets, powers of 1024
std::optional<Duration> parse_duration(View text);    // "250ms", "1.5s", "2m", "1h"; a bare number: seconds
std::optional<double> parse_probability(View text);   // "0.25", "25%": 0 … 1
std::vector<View> split(View text, char separator);   // pieces between separators; empty text: none

}  // namespace ringpost::tools
