// What a spool owes its owner, kept beside it in a test: each message that a commit was asked for, each state that a
// save was asked for, and which of them were acknowledged. After a crash it judges what recovery found:
//   acknowledged ──> must be there, with exactly its octets, in the acknowledged state or one asked for later
//   asked for only ──> may be there or not, but never half
//   anything else ──> must not be there
#pragma once

#include <map>
#include <set>
#include <string>
#include <vector>

#include "../unit/spool_scene.h"

namespace ringpost::spool::test {

class Model {
 public:
  // The statuses of a message's recipients and their attempts, as one comparable value; over: ended.
  struct Version {
    std::vector<std::pair<message::Status, std::uint16_t>> recipients;
    bool over = false;
    bool operator==(const Version&) const = default;
  };
  struct Kept {
    std::string content;
    bool acknowledged = false;
    std::vector<Version> versions;  // in the order they were asked for
    std::size_t durable = 0;        // the newest acknowledged one
  };

  static Version version_of(const message::State& state);

  // Also checks that the id was never used by a message before.
  void asked(const Message& message, std::string content);
  void acknowledged(SpoolId id);
  void refused(SpoolId id);  // its commit failed: it may not come back … unless the disk kept it after all
  std::size_t asked_to_save(SpoolId id, const Version& version);
  void saved(SpoolId id, std::size_t version);
  // `made` was asked to come into being together with that version of `changed`: judge() wants both or neither.
  void asked_together(SpoolId made, SpoolId changed, std::size_t version) { groups_[made] = {changed, version}; }
  void never_together(SpoolId made) { groups_.erase(made); }

  // Compares with what the scene found at its last open and reads every content; afterwards the model is what was
  // found.
  void judge(Scene& scene);

  [[nodiscard]] std::vector<SpoolId> live() const;  // acknowledged and not asked to end
  [[nodiscard]] bool empty() const { return kept_.empty(); }

 private:
  struct Group {
    SpoolId changed;
    std::size_t version = 0;
  };
  void judge_groups(const Scene& scene) const;

  std::map<SpoolId, Kept> kept_;
  std::map<SpoolId, Group> groups_;  // by the id of the message that was made
  std::set<SpoolId> used_;
};

}  // namespace ringpost::spool::test
