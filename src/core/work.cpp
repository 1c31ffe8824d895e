#include "core/work.h"

#include "core/acting.h"
#include "core/census.h"
#include "core/listing.h"
#include "core/showing.h"
#include "core/suspending.h"
#include "ringpost/base/check.h"

namespace ringpost::core {

std::unique_ptr<Work> make_work(Workshop& shop, Query& query) {
  using control::Command;
  switch (query.request.command) {
    case Command::queue:
      return std::make_unique<Census>(shop, query);
    case Command::list:
    case Command::search:
      return std::make_unique<Listing>(shop, query);
    case Command::show:
      return std::make_unique<Showing>(shop, query);
    case Command::suspend:
    case Command::resume:
      return std::make_unique<Suspending>(shop, query);
    case Command::flush:
    case Command::hold:
    case Command::release:
    case Command::remove:
    case Command::reroute:
      return std::make_unique<Acting>(shop, query);
    case Command::status:
      break;
  }
  CHECK(!"a command without work");
  return nullptr;
}

}  // namespace ringpost::core
