#include "core/suspending.h"

namespace ringpost::core {

Suspending::~Suspending() { shop_.rooms.suspensions.forget(this); }

void Suspending::go() {
  Suspensions& suspensions = shop_.rooms.suspensions;
  const std::string& name = query_.filter.destination;
  const bool suspend = query_.request.command == control::Command::suspend;
  const bool changed = suspend ? suspensions.add(name) : suspensions.end(name);
  if (suspend)
    shop_.dispatch.suspended(name);
  else
    shop_.dispatch.resumed(name);
  if (shop_.rooms.ring.core() != CoreId{0}) return finish();
  part().affected = changed ? 1 : 0;
  suspensions.save(this, [](void* self, int error) { static_cast<Suspending*>(self)->saved(error); });
}

void Suspending::saved(int error) {
  if (error != 0)
    part().trouble =
        "in force now, but not after a restart: " + fail(error, "the file `suspended` of the spool").error().message();
  finish();
}

}  // namespace ringpost::core
