// Paths of MAIL and RCPT: a mailbox in angle brackets. Called by command.cpp only.
#pragma once

#include "ringpost/smtp.h"

namespace ringpost::smtp {

// Takes "<…>" off the front of `text`: "<>" (a null address), "<postmaster>" in any case (no domain), or a mailbox
// behind an optional source route, which is checked and dropped. Nothing when it is malformed.
std::optional<Address> take_path(View& text);

}  // namespace ringpost::smtp
