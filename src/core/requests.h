// Requests: what a command needs to be said with, and what people are told when it is not; cursors of lists. Pure.
#pragma once

#include <string>
#include <vector>

#include "core/query.h"

namespace ringpost::core {

// Checks the request and puts it into the query, with its filter. The error's text says what is wrong.
Result<void> fill_query(Query& query, const control::Request& request, WallTime now);
// Where a list goes on behind `last`; as Request::after.
std::string cursor_text(const ListKey& last);
// The rows of `queue`, the fullest destination first, as many as are wanted.
std::vector<std::string> queue_lines(const Query& query);
// Why a command on one id did nothing.
std::string why_nothing(control::Command command);

}  // namespace ringpost::core
