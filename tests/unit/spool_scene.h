// A spool on the simulated disk, and what its owner would do with it: accept messages, settle recipients, look at what
// is there after a crash. For the spool's unit tests and its crash test.
#pragma once

#include <list>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "../sim/world.h"
#include "ringpost/spool.h"

namespace ringpost::spool::test {

// Octets that differ at each place and for each `salt`: a wrong one is never equal by chance.
std::string octets(std::size_t size, std::uint64_t salt);

// What recovery gave for one message.
struct Found {
  std::string from;
  std::vector<std::string> recipients;
  std::vector<message::RecipientState> state;
};

class Scene {
 public:
  explicit Scene(std::uint64_t seed = 1);
  ~Scene();

  // CHECKs that it opens; found() is what it gave.
  void open();
  [[nodiscard]] Result<void> try_open();
  void close();                          // as an orderly end does: waits until idle
  void crash(sim::Survivors survivors);  // power loss, then boot; the spool is gone
  void kill();                           // kill -9, then boot

  // A draft with this content and so many recipients; null when refused. The content is pushed at once.
  Message* draft(View content, std::size_t recipients = 1);
  // Pushes all of it, as a session does: waits while the sink is full. False: the sink failed.
  bool push(Message& message, View content);
  // Commits and waits for it. The message stays held.
  Result<void> commit(Message& message);
  // Accepts a message and lets go of it.
  SpoolId accept(View content, std::size_t recipients = 1);
  // Loads, or says why not.
  Result<Message*> load(SpoolId id, Spool::Want want = Spool::Want::content);
  // Settles recipient `index` and waits until that is durable.
  Result<void> settle(Message& message, std::size_t index, message::Status status);
  // Reads all of it out, trace line included; nothing when it failed.
  std::optional<std::string> read(Message& message);
  std::optional<std::string> content_of(SpoolId id);  // load, read, without the trace line

  void run_until(const std::function<bool()>& condition);

  sim::World world;
  Options options;
  std::unique_ptr<Spool> spool;
  std::map<SpoolId, Found> found;
  std::vector<SpoolId> order;  // of found
  Recovery recovery;
};

inline const std::string kTrace = "Received: from test\r\n";

}  // namespace ringpost::spool::test
