// What an owner does with a spool all day, drawn from a seed: commits, settles, bounces, ends and discards messages,
// small ones and large ones, several at a time, and tells the model each of it. With a broken disk it goes on as far as
// it can.
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

  // One message that is made beside the state of another.
  struct Bouncing {
    Workload* owner;
    Message* changed;  // held
    std::size_t version;
    bool done = false;
    Commit commit;
    Bouncing(Workload* owner_, Message* changed_, std::size_t version_)
        : owner(owner_), changed(changed_), version(version_), commit(this, &Bouncing::completed) {}
    static void completed(void* self, Message& made, const Result<void>& result) {
      static_cast<Bouncing*>(self)->owner->bounced(*static_cast<Bouncing*>(self), made, result);
    }
  };

  void step() {
    const std::uint64_t dice = random_.below(100);
    // A few live messages: enough to pin segments here and there, few enough that most become free.
    if (dice < 45 && model_.live().size() < 10)
      accept();
    else if (dice < 75)
      settle();
    else if (dice < 85)
      bounce();
    else if (dice < 88)
      discard();
    else if (dice < 92)
      abandon();
    else
      wait();
    if (pending_.size() + bouncing_.size() > 6) wait();
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

  // A recipient fails, and a message that tells it is made in the same batch.
  void bounce() {
    const auto id = draw_live();
    const auto loaded = id ? scene_.load(*id, Spool::Want::envelope) : Result<Message*>{nullptr};
    if (!id || !loaded) return;
    Message& message = **loaded;
    Message* made = message.state.count(message::Status::open) > 0 ? scene_.spool->begin_beside(message) : nullptr;
    if (made == nullptr) return message.release();
    std::string content = octets(draw_size(), random_.next());
    made->envelope.accepted = scene_.world.wall();
    made->envelope.set_reverse_path({});
    made->envelope.add_recipient("from@test.example", 12, 0, {});
    made->trace = kTrace;
    made->state.reset(1, scene_.world.wall());
    if (!scene_.push(*made, content)) {  // the power went, or the disk is broken
      made->release();
      return message.release();
    }
    // Others may have settled it while the content was pushed.
    for (std::size_t index = 0; index < message.state.size(); ++index) {
      message::RecipientState state = message.state.at(index);
      ++state.attempts;
      if (state.status == message::Status::open) state.status = message::Status::bounced;
      message.state.set(index, state);
    }
    model_.asked(*made, std::move(content));
    Bouncing& bouncing =
        bouncing_.emplace_back(this, &message, model_.asked_to_save(*id, Model::version_of(message.state)));
    model_.asked_together(made->id, *id, bouncing.version);
    scene_.spool->commit_beside(*made, message, bouncing.commit);
    // An outcome that comes before the group is durable must not carry its state to the disk alone.
    if (random_.below(3) == 0) save(message);
  }

  void save(Message& message) {
    message::RecipientState state = message.state.at(0);
    ++state.attempts;
    message.state.set(0, state);
    const std::size_t version = model_.asked_to_save(message.id, Model::version_of(message.state));
    scene_.spool->save(message, &pending_.emplace_back(this, message.id, version, true).commit);
  }

  void bounced(Bouncing& bouncing, Message& made, const Result<void>& result) {
    Message& changed = *bouncing.changed;
    bouncing.done = true;
    if (result) {
      model_.acknowledged(made.id);
      model_.saved(changed.id, bouncing.version);
    } else {
      model_.refused(made.id);
      if (scene_.spool->refusal() != Refusal::stopped) {
        model_.never_together(made.id);
        for (std::size_t index = 0; index < changed.state.size(); ++index) {
          message::RecipientState state = changed.state.at(index);
          if (state.status == message::Status::bounced) state.status = message::Status::failed;
          changed.state.set(index, state);
        }
        save(changed);
      }
    }
    made.release();
    changed.release();
  }

  void discard() {
    const auto id = draw_live();
    if (!id) return;
    // Its end may come before a group that is on its way, which then is no group any more.
    if (std::ranges::any_of(bouncing_, [&](const Bouncing& one) { return !one.done && one.changed->id == *id; }))
      return;
    model_.asked_to_save(*id, {.recipients = {}, .over = true});
    CHECK((scene_.spool->discard(*id) || tolerant));
  }

  void abandon() {
    if (Message* message = scene_.draft(octets(draw_size(), 1))) message->release();
  }

  void wait() {
    scene_.run_until([&] {
      const auto done = [](const auto& p) { return p.done; };
      return std::ranges::all_of(pending_, done) && std::ranges::all_of(bouncing_, done);
    });
    if (scene_.world.disk().cut()) return;
    pending_.clear();
    bouncing_.clear();
  }

  Scene& scene_;
  Model& model_;
  Random random_;
  std::list<Pending> pending_;
  std::list<Bouncing> bouncing_;
};

}  // namespace ringpost::spool::test
