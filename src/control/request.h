// The words of the admin protocol: what ends an answer. Private to control.
#pragma once

#include <string>

#include "ringpost/control.h"

namespace ringpost::control {

View fault_word(Fault);
std::string error_line(Fault fault, View text);
std::string done_line(View after);

}  // namespace ringpost::control
