// Which directories a relay with this configuration needs. Private to core: serve confines the process to them.
#pragma once

#include <string>

#include "ringpost/base/confine.h"
#include "ringpost/config.h"

namespace ringpost::core {

// An empty config_file: the embedded configuration.
Confines confines_of(const config::Config&, const std::string& config_file);

}  // namespace ringpost::core
