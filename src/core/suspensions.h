// Suspensions: the destinations at which an operator lets nothing be attempted, by name, and the file that keeps them
// over a restart: `suspended` in the spool directory, a name a line, replaced whole. Every core has its own copy; core
// 0 writes the file. Mail for a suspended destination waits and expires as any other. Private to core; one thread.
#pragma once

#include <functional>
#include <set>
#include <string>
#include <vector>

#include "ringpost/ring.h"

namespace ringpost::core {

class Suspensions {
 public:
  Suspensions(ring::Ring& ring, std::string directory);
  ~Suspensions();  // idle() first

  // Reads the file; none is an empty one. Blocks: before the loop.
  Result<void> load();
  // True: it was not so before.
  bool add(View name) { return names_.emplace(name).second; }
  bool end(View name);
  [[nodiscard]] bool has(View name) const { return names_.contains(name); }
  [[nodiscard]] bool any() const { return !names_.empty(); }

  // Makes the file say what is so now, on a helper thread; then calls `saved`, with an errno or 0. One caller at a time
  // waits for each write: who asks meanwhile waits for the next one.
  void save(void* owner, void (*saved)(void* owner, int error));
  // The caller is gone.
  void forget(void* owner);
  [[nodiscard]] bool idle() const { return !write_.in_kernel() && waits_.empty(); }

 private:
  struct Wait {
    void* owner;
    void (*saved)(void*, int);
  };
  void write();
  void on_written(const ring::Completion& done);

  ring::Ring& ring_;
  std::string directory_;
  std::set<std::string, std::less<>> names_;
  std::vector<Wait> waits_, writing_;
  ring::Operation write_;
};

}  // namespace ringpost::core
