// Suspending: a core's part of `suspend` and `resume`. Every core takes note; core 0 also makes the file say so, and
// the answer waits for that. Private to core; one thread.
#pragma once

#include "core/work.h"

namespace ringpost::core {

class Suspending : public Work {
 public:
  using Work::Work;
  ~Suspending() override;

 private:
  void go() override;
  void saved(int error);
};

}  // namespace ringpost::core
