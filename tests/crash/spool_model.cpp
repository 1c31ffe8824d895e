// The judge.
#include "spool_model.h"

#include <doctest/doctest.h>

#include <algorithm>

namespace ringpost::spool::test {

Model::Version Model::version_of(const message::State& state) {
  Version version;
  for (std::size_t i = 0; i < state.size(); ++i)
    version.recipients.emplace_back(state.at(i).status, state.at(i).attempts);
  version.over = state.ended();
  return version;
}

void Model::asked(const Message& message, std::string content) {
  if (!used_.insert(message.id).second) FAIL_CHECK("an id came twice: " << message.id.text());
  Kept& kept = kept_[message.id];
  kept.content = std::move(content);
  kept.versions.push_back(version_of(message.state));
}

void Model::acknowledged(SpoolId id) { kept_.at(id).acknowledged = true; }

void Model::refused(SpoolId id) { CHECK_FALSE(kept_.at(id).acknowledged); }

std::size_t Model::asked_to_save(SpoolId id, const Version& version) {
  kept_.at(id).versions.push_back(version);
  return kept_.at(id).versions.size() - 1;
}

void Model::saved(SpoolId id, std::size_t version) {
  Kept& kept = kept_.at(id);
  kept.durable = std::max(kept.durable, version);
}

// Before judge() forgets which versions there were.
void Model::judge_groups(const Scene& scene) const {
  for (const auto& [id, group] : groups_) {
    const auto made = kept_.find(id);
    const auto changed = kept_.find(group.changed);
    if (made == kept_.end() || changed == kept_.end()) continue;  // over before the last crash
    const auto over = [](const Version& version) { return version.over; };
    const bool made_over = std::ranges::any_of(made->second.versions, over);
    const auto found = scene.found.find(group.changed);
    std::size_t at = changed->second.versions.size();  // gone: an end that was asked for behind all others
    if (found != scene.found.end()) {
      Version is;
      for (const auto& one : found->second.state) is.recipients.emplace_back(one.status, one.attempts);
      at = static_cast<std::size_t>(std::ranges::find(changed->second.versions, is) - changed->second.versions.begin());
    }
    const bool told = at >= group.version;
    const bool there = scene.found.contains(id);
    if (told && !there && !made_over) FAIL_CHECK("a state without the message of its group: " << id.text());
    if (!told && there) FAIL_CHECK("a message without the state of its group: " << id.text());
  }
}

void Model::judge(Scene& scene) {
  judge_groups(scene);
  groups_.clear();
  for (const auto& [id, found] : scene.found)
    if (!kept_.contains(id)) FAIL_CHECK("a phantom: " << id.text());
  for (auto at = kept_.begin(); at != kept_.end();) {
    Kept& kept = at->second;
    const auto found = scene.found.find(at->first);
    if (found == scene.found.end()) {
      const bool may_be_over = std::any_of(kept.versions.begin() + static_cast<std::ptrdiff_t>(kept.durable),
                                           kept.versions.end(), [](const Version& v) { return v.over; });
      if (kept.acknowledged && !may_be_over) FAIL_CHECK("lost: " << at->first.text());
      at = kept_.erase(at);
      continue;
    }
    Version is;
    for (const auto& one : found->second.state) is.recipients.emplace_back(one.status, one.attempts);
    const auto first = kept.versions.begin() + static_cast<std::ptrdiff_t>(kept.durable);
    if (std::find(first, kept.versions.end(), is) == kept.versions.end())
      FAIL_CHECK("a state that is neither acknowledged nor later: " << at->first.text());
    if (scene.content_of(at->first) != kept.content) FAIL_CHECK("other octets: " << at->first.text());
    kept.acknowledged = true;
    kept.versions = {is};
    kept.durable = 0;
    ++at;
  }
}

std::vector<SpoolId> Model::live() const {
  std::vector<SpoolId> ids;
  for (const auto& [id, kept] : kept_)
    if (kept.acknowledged && !kept.versions.back().over) ids.push_back(id);
  return ids;
}

}  // namespace ringpost::spool::test
