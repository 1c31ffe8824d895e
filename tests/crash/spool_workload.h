// What an owner does with a spool all day, drawn from a seed: commits, settles, ends and discards messages, small ones
// and large ones, several at a time, and tells the model each of it. With a broken disk it goes on as far as it can.
#pragma once

#include <doctest/doctest.h>

#include <algorithm>
#include <list>
#include <optional>

#include "spool_model.h"

namespace ringpost::spool::test {

class Workload {
 public:
  // On a disk that fails, loads may fail and drafts may be refused.
  bool tolerant = false;

  Workload(Scene& scene, Model& model, std::uint64_t seed) : scene_(scene), model_(model), random_(seed) {}

  // Ends early when the power goes.
  void run(int steps) {
    for (int i = 0; i < steps && !scene_.world.disk().cut(); ++i) step();
    if (!scene_.world.disk().cut()) wait();
  }

 private:
  // One commit or save that is on its way.
  struct Pending {
    Workload* owner;
    SpoolId id;
    std::size_t version;
    bool save;
    bool done = false;
    Commit commit;
    Pending(Workload* owner_, SpoolId id_, std::size_t version_, bool save_)
        : owner(owner_), id(id_), version(version_), save(save_), commit(this, &Pending::completed) {}
    static void completed(void* self, Message& message, const Result<void>& result) {
      auto& pending = *static_cast<Pending*>(self);
      pending.done = true;
      if (!pending.save) message.release();
      if (result && pending.save) pending.owner->model_.saved(pending.id, pending.version);
      if (result && !pending.save) pending.owner->model_.acknowledged(pending.id);
      if (!result && !pending.save) pending.owner->model_.refused(pending.id);
    }
  };

  void step() {
    const std::uint64_t dice = random_.below(100);
    // A few live messages: enough to pin segments here and there, few enough that most become free.
    if (dice < 50 && model_.live().size() < 10)
      accept();
    else if (dice < 85)
      settle();
    else if (dice < 88)
      discard();
    else if (dice < 92)
      abandon();
    else
      wait();
    if (pending_.size() > 6) wait();
  }

  std::size_t draw_size() {
    const std::uint64_t dice = random_.below(100);
    if (dice < 70) return random_.below(3000);
    if (dice < 90) return random_.below(7000);
    return 8000 + random_.below(60'000);  // past the gather limit of these segments
  }

  void accept() {
    std::string content = octets(draw_size(), random_.next());
    Message* message = scene_.draft(content, 1 + random_.below(3));
    if (message == nullptr) return;  // the power went while it spilled
    model_.asked(*message, std::move(content));
    Pending& pending = pending_.emplace_back(this, message->id, 0, false);
    scene_.spool->commit(*message, pending.commit);
  }

  std::optional<SpoolId> draw_live() {
    const auto ids = model_.live();
    if (ids.empty()) return std::nullopt;
    return ids[random_.below(ids.size())];
  }

  void settle() {
    const auto id = draw_live();
    if (!id) return;
    const auto loaded = scene_.load(*id, Spool::Want::envelope);
    if (!loaded) {
      if (!scene_.world.disk().cut() && !tolerant) FAIL_CHECK("load: " << loaded.error().message());
      return;
    }
    Message& message = **loaded;
    for (std::size_t index = 0; index < message.state.size(); ++index) {
      message::RecipientState state = message.state.at(index);
      ++state.attempts;
      const std::uint64_t dice = random_.below(20);
      if (dice < 16) state.status = message::Status::delivered;
      if (dice == 16) state.status = message::Status::failed;
      state.text = "a reply";
      message.state.set(index, state);
    }
    Pending& pending =
        pending_.emplace_back(this, *id, model_.asked_to_save(*id, Model::version_of(message.state)), true);
    scene_.spool->save(message, &pending.commit);
    message.release();
  }

  void discard() {
    const auto id = draw_live();
    if (!id) return;
    model_.asked_to_save(*id, {.recipients = {}, .over = true});
    CHECK((scene_.spool->discard(*id) || tolerant));
  }

  void abandon() {
    if (Message* message = scene_.draft(octets(draw_size(), 1))) message->release();
  }

  void wait() {
    scene_.run_until(
        [&] { return std::all_of(pending_.begin(), pending_.end(), [](const auto& p) { return p.done; }); });
    if (!scene_.world.disk().cut()) pending_.clear();
  }

  Scene& scene_;
  Model& model_;
  Random random_;
  std::list<Pending> pending_;
};

}  // namespace ringpost::spool::test
