// The words of the admin protocol: a line of JSON as a Request, an error as a line. Private to control.
#pragma once

#include <string>

#include "ringpost/control.h"

namespace ringpost::control {

// The error's text says which key is wrong and what would be right.
Result<Request> parse_request(View line);
std::string error_line(View text);

}  // namespace ringpost::control
