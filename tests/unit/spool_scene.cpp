// Driving a spool on the simulated ring.
#include "spool_scene.h"

#include <doctest/doctest.h>

namespace ringpost::spool::test {

namespace {

struct Waiting {
  bool done = false;
  Result<void> result;
  static void committed(void* owner, Message&, const Result<void>& result) {
    auto& self = *static_cast<Waiting*>(owner);
    self.done = true;
    self.result = result;
  }
  Commit commit{this, &Waiting::committed};
};

struct Loading {
  bool done = false;
  Result<Message*> result = nullptr;
  static void loaded(void* owner, Result<Message*> result) {
    auto& self = *static_cast<Loading*>(owner);
    self.done = true;
    self.result = std::move(result);
  }
  Load load{this, &Loading::loaded};
};

}  // namespace

std::string octets(std::size_t size, std::uint64_t salt) {
  std::string all(size, '\0');
  std::uint64_t word = salt * 0x9E3779B97F4A7C15ULL + 1;
  for (std::size_t i = 0; i < size; ++i) {
    if (i % 8 == 0) word = word * 6364136223846793005ULL + 1442695040888963407ULL;
    all[i] = static_cast<char>(word >> (8 * (i % 8)));
  }
  return all;
}

Scene::Scene(std::uint64_t seed) : world({.seed = seed}) {
  world.disk().prepare_directory("/");
  options.directory = "/spool";
  options.segment_size = 128 * 1024;
  options.reserve = 0;
  options.body_chunks = 256;
  options.messages = 10'000;
  options.in_memory = 256;
}

Scene::~Scene() {
  // An orderly end where that is still possible; else the process is killed, and what hangs on the rings goes after
  // them.
  if (spool) {
    world.kill();
    spool.reset();
  }
}

Result<void> Scene::try_open() {
  found.clear();
  order.clear();
  recovery = {};
  auto opened = Spool::open(
      world.ring(), options,
      [this](SpoolId id, const message::Envelope& envelope, const message::State& state, Note&) {
        Found& one = found[id];
        one.from = envelope.reverse_path();
        for (std::size_t i = 0; i < envelope.recipient_count(); ++i)
          one.recipients.emplace_back(envelope.recipient(i).forward_path);
        for (std::size_t i = 0; i < state.size(); ++i) {
          one.state.push_back(state.at(i));
          one.state.back().text = one.state.back().host = {};
        }
        order.push_back(id);
      },
      recovery);
  if (!opened) return std::unexpected(opened.error());
  spool = std::move(*opened);
  return {};
}

void Scene::open() {
  const auto opened = try_open();
  if (!opened) FAIL("open: " << opened.error().message());
}

void Scene::close() {
  run_until([&] { return spool->idle(); });
  world.kill();
  spool.reset();
  world.boot();
}

void Scene::crash(sim::Survivors survivors) {
  world.lose_power(std::move(survivors));
  spool.reset();
  world.boot();
}

void Scene::kill() {
  world.kill();
  spool.reset();
  world.boot();
}

void Scene::run_until(const std::function<bool()>& condition) {
  const bool held = world.run_until([&] { return condition() || world.disk().cut(); });
  for (const std::string& violation : world.violations()) FAIL_CHECK(violation);
  if (!held && !world.disk().cut()) FAIL("the world came to rest without what was waited for");
}

Message* Scene::draft(View content, std::size_t recipients) {
  Message* message = spool->begin();
  if (message == nullptr) return nullptr;
  message->envelope.accepted = world.wall();
  message->envelope.set_reverse_path("from@test.example");
  for (std::size_t i = 0; i < recipients; ++i) {
    const std::string to = "to" + std::to_string(i) + "@example.org";
    message->envelope.add_recipient(to, 11, 0, {});
  }
  message->trace = kTrace;
  message->state.reset(recipients, world.wall());
  if (!push(*message, content)) {
    message->release();
    return nullptr;
  }
  return message;
}

bool Scene::push(Message& message, View content) {
  constexpr std::size_t kPiece = 8192;
  bool drained = true;
  message.content->on_drained(&drained, [](void* owner) { *static_cast<bool*>(owner) = true; });
  while (!content.empty()) {
    const View piece = content.substr(0, kPiece);
    content.remove_prefix(piece.size());
    drained = false;
    const auto state = message.content->push(piece);
    if (state == message::BodySink::State::failed) return false;
    if (state != message::BodySink::State::full) continue;
    run_until([&] { return drained; });
    if (!drained) return false;
  }
  return true;
}

Result<void> Scene::commit(Message& message) {
  Waiting waiting;
  spool->commit(message, waiting.commit);
  run_until([&] { return waiting.done; });
  return waiting.done ? waiting.result : fail("the power went");
}

SpoolId Scene::accept(View content, std::size_t recipients) {
  Message* message = draft(content, recipients);
  if (message == nullptr) return {};
  const SpoolId id = message->id;
  const auto committed = commit(*message);
  message->release();
  return committed ? id : SpoolId{};
}

Result<Message*> Scene::load(SpoolId id, Spool::Want want) {
  Loading loading;
  spool->load(id, want, loading.load);
  run_until([&] { return loading.done; });
  return loading.done ? loading.result : fail("the power went");
}

Result<void> Scene::settle(Message& message, std::size_t index, message::Status status) {
  message::RecipientState state = message.state.at(index);
  state.status = status;
  ++state.attempts;
  message.state.set(index, state);
  Waiting waiting;
  spool->save(message, &waiting.commit);
  run_until([&] { return waiting.done; });
  return waiting.done ? waiting.result : fail("the power went");
}

std::optional<std::string> Scene::read(Message& message) {
  Reader reader;
  bool ready = false;
  reader.on_ready(&ready, [](void* owner) { *static_cast<bool*>(owner) = true; });
  reader.open(message);
  std::string all;
  for (;;) {
    const auto pull = reader.next();
    using State = message::BodySource::Pull::State;
    if (pull.state == State::ready) {
      all += pull.piece;
      reader.release(pull.piece.size());
    } else if (pull.state == State::wait) {
      run_until([&] { return ready; });
      if (!ready) return std::nullopt;
      ready = false;
    } else if (pull.state == State::failed) {
      return std::nullopt;
    } else {
      return all;
    }
  }
}

std::optional<std::string> Scene::content_of(SpoolId id) {
  const auto message = load(id);
  if (!message) return std::nullopt;
  auto all = read(**message);
  (*message)->release();
  if (!all || !all->starts_with(kTrace)) return std::nullopt;
  return all->substr(kTrace.size());
}

}  // namespace ringpost::spool::test
