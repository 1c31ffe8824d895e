// Precompiled for the rooms, in builds that want to be quick (b_pch): what is large, used by most and never changes.
// Source files still include what they use: the release build has no precompiled header and would tell.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdint>
#include <deque>
#include <expected>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>
