// Core: makes the rooms of one CPU core, joins their callbacks to the three flows, and sees to start, reload and end.
#include "ringpost/core.h"

#include <utility>

#include <fmt/format.h>

#include "core/bounce.h"
#include "core/dispatch.h"
#include "core/gather.h"
#include "core/intake.h"
#include "core/operate.h"
#include "core/post.h"
#include "core/pulse.h"
#include "core/rooms.h"
#include "core/settle.h"
#include "core/sizes.h"
#include "ringpost/base/check.h"
#include "ringpost_options.h"

namespace ringpost::core {
namespace {

constexpr Duration kEndPoll = 10ms;   // how often the end looks whether everything has come to rest
constexpr Duration kAbortGrace = 5s;  // after drain's time: for the kernel to give back what it holds

}  // namespace

struct Core::Parts {
  Parts(ring::Ring& ring, std::shared_ptr<const config::Config> config, std::string file, Ended when_ended,
        std::shared_ptr<receive::Census> the_census, std::shared_ptr<report::EventFile> event_file,
        std::shared_ptr<Board> board)
      : rooms(ring, std::move(config), board ? std::move(board) : make_board(), std::move(event_file)),
        census(std::move(the_census)),
        config_file(std::move(file)),
        ended(std::move(when_ended)),
        bounce(rooms),
        settle(rooms, bounce),
        dispatch(rooms, settle),
        intake(rooms, dispatch, static_cast<std::uint32_t>(sizes_of(*rooms.config).in_memory)),
        operate(rooms, dispatch, settle),
        gather(rooms),
        end_timer(this, ring::call<&Parts::look_for_end>) {
    bounce.on_made([this](spool::Message& made) { intake.queue(made); });
  }

  Result<void> start();
  Result<void> recover();
  void take_mail(const ring::Mail&);
  void reconfigure(std::shared_ptr<const config::Config>);
  void drain();
  void fail(const Error&);
  void abort();
  void look_for_end();
  [[nodiscard]] bool at_rest() const;
  void tell_process(report::EventType, View text);

  Rooms rooms;
  std::shared_ptr<receive::Census> census;
  std::string config_file;
  Ended ended;
  Bounce bounce;
  Settle settle;
  Dispatch dispatch;
  Intake intake;
  Operate operate;
  Gather gather;
  std::unique_ptr<control::Server> control;  // core 0's
  std::unique_ptr<control::HttpApi> api;     // likewise
  spool::Recovery recovery;
  std::optional<Error> failure;
  bool ending = false;
  bool aborted = false;
  Instant abort_at;
  ring::Timer end_timer;
};

Result<void> Core::Parts::start() {
  if (auto opened = rooms.event_file->open(); !opened) return opened;
  if (auto loaded = rooms.suspensions.load(); !loaded) return loaded;
  if (auto recovered = recover(); !recovered) return recovered;
  rooms.ring.on_mail(this, [](void* self, const ring::Mail& mail) { static_cast<Parts*>(self)->take_mail(mail); });
  rooms.deliverer = std::make_unique<deliver::Deliverer>(rooms.ring, rooms.config, dispatch);
  rooms.receiver = std::make_unique<receive::Receiver>(rooms.ring, rooms.config, intake, census);
  if (auto listening = rooms.receiver->listen(); !listening) return listening;
  if (rooms.ring.core() == CoreId{0} && !rooms.config->control.socket.empty()) {
    control = std::make_unique<control::Server>(rooms.ring, rooms.config->control.socket, operate);
    if (auto listening = control->listen(); !listening) return listening;
  }
  if (rooms.ring.core() == CoreId{0}) rooms.events.tidy();
  if (rooms.ring.core() == CoreId{0}) {
    api = std::make_unique<control::HttpApi>(rooms.ring, rooms.config->control.tokens, operate);
    if (auto checked = api->check(); !checked) return checked;
  }
  dispatch.wake();
  return {};
}

Result<void> Core::Parts::recover() {
  const Sizes sizes = sizes_of(*rooms.config);
  rooms.queue = std::make_unique<queue::Queue>(static_cast<std::size_t>(sizes.queue_messages));
  rooms.queue->advance(rooms.ring.wall());
  bool all_queued = true;
  const auto on_message = [&](SpoolId id, const message::Envelope& envelope, const message::State& state,
                              spool::Note& note) {
    rooms.facts.enter(note, envelope, state);
    if (only_to_tell(state)) ++rooms.counts.kept_failed;
    if (is_held(state)) ++rooms.counts.held;
    if (state.count(message::Status::failed) + state.count(message::Status::relayed) > 0) bounce.owe(id);
    all_queued &= dispatch.enqueue(id, envelope, state);
  };
  auto spool = spool::Spool::open(rooms.ring, spool_options(*rooms.config), on_message, recovery);
  if (!spool) return std::unexpected(spool.error());
  if (!all_queued)
    return ringpost::fail(
        "the spool holds more messages than limits.memory has room for: raise it, and limits.queue_messages");
  rooms.spool = std::move(*spool);
  rooms.spool->on_failure(this, [](void* self, const Error& error) { static_cast<Parts*>(self)->fail(error); });
  return {};
}

void Core::Parts::take_mail(const ring::Mail& mail) {
  switch (static_cast<Post>(mail.kind)) {
    case Post::question:
      return rooms.lookups.asked(mail.from, mail.words[0]);
    case Post::answer:
      return rooms.lookups.answered(mail.words[0]);
    case Post::pace:
      return dispatch.leases().receive(letter_of(mail));
    case Post::query:
      return operate.answer(*static_cast<Query*>(mail.pointer));
    case Post::query_done:
      return operate.part_done(*static_cast<Query*>(mail.pointer), mail.from);
    case Post::command:
      return api->serve(static_cast<control::HttpServer*>(mail.pointer)->take(mail.words[0]));
    case Post::http:
      return gather.execute(static_cast<control::HttpServer*>(mail.pointer)->take(mail.words[0]));
    case Post::gather:
      return gather.answer(*static_cast<Gathering*>(mail.pointer));
    case Post::gathered:
      return gather.part_done(*static_cast<Gathering*>(mail.pointer));
    case Post::reload: {
      const std::unique_ptr<std::shared_ptr<const config::Config>> owned(
          static_cast<std::shared_ptr<const config::Config>*>(mail.pointer));
      return reconfigure(*owned);
    }
    case Post::drain:
      return drain();
    case Post::pulse:
      return Pulse::answer(mail);
    case Post::trouble: {
      const std::unique_ptr<std::string> text(static_cast<std::string*>(mail.pointer));
      return tell_process(report::EventType::trouble, *text);
    }
    case Post::ended:
      return operate.core_ended(mail.from);
    case Post::started:
      return tell_process(report::EventType::start,
                          fmt::format("ringpost {} on {} core{}, {} messages recovered", RINGPOST_VERSION,
                                      rooms.ring.cores(), rooms.ring.cores() == 1 ? "" : "s", mail.words[0]));
  }
  CHECK(false && "mail of an unknown kind");
}

// What happens to the whole process is told once, by core 0.
void Core::Parts::tell_process(report::EventType type, View text) {
  if (rooms.ring.core() == CoreId{0}) rooms.events.write({.type = type, .text = text});
}

void Core::Parts::reconfigure(std::shared_ptr<const config::Config> config) {
  const auto before = std::exchange(rooms.config, std::move(config));
  rooms.router = std::make_unique<route::Router>(*rooms.config);
  rooms.receiver->reconfigure(rooms.config);
  rooms.deliverer->reconfigure(rooms.config);
  rooms.lookups.reconfigure(*rooms.config);
  rooms.finder.reconfigure(rooms.config);
  // Also the same file: another program may have rotated it. It is one for all cores.
  rooms.events.reconfigure(rooms.config->events, rooms.ring.core() == CoreId{0});
  dispatch.rerouted();
  std::string changed;
  for (const config::Change& change : config::diff(*before, *rooms.config))
    changed.append(changed.empty() ? "changed: " : ", ").append(change.key);
  tell_process(report::EventType::reload, changed.empty() ? "nothing changed" : changed);
}

void Core::Parts::drain() {
  if (ending) return;
  ending = true;
  abort_at = rooms.ring.now() + rooms.config->drain;
  tell_process(report::EventType::stop, "draining, at most " + config::duration_text(rooms.config->drain));
  if (control) control->close();
  if (api) api->close();
  rooms.events.hurry();
  gather.end();
  operate.stop();
  rooms.receiver->drain();
  dispatch.stop();
  rooms.lookups.stop();
  bounce.stop();
  rooms.deliverer->drain();
  rooms.ring.arm(end_timer, kEndPoll);
}

// The spool has stopped: no 250 can be said and no outcome kept, so no session and no attempt goes on. The restart that
// follows rereads the disk.
void Core::Parts::fail(const Error& error) {
  if (failure) return;
  failure = error;
  rooms.events.write({.type = report::EventType::trouble, .text = error.message()});
  if (!ending) drain();
  abort();
}

void Core::Parts::abort() {
  if (aborted) return;
  aborted = true;
  abort_at = rooms.ring.now() + kAbortGrace;
  rooms.receiver->abort();
  rooms.deliverer->abort();
}

bool Core::Parts::at_rest() const {
  const bool disk_done = failure || rooms.spool->idle();
  return rooms.receiver->idle() && rooms.deliverer->idle() && rooms.lookups.idle() && dispatch.idle() &&
         bounce.idle() && intake.idle() && operate.idle() && gather.idle() && rooms.suspensions.idle() && disk_done &&
         (!control || control->idle()) && (!api || api->idle());
}

void Core::Parts::look_for_end() {
  const bool rest = at_rest() && rooms.events.idle();
  if (rest || (aborted && rooms.ring.now() >= abort_at)) {
    rooms.warm.let_go_all();
    if (rooms.ring.core() != CoreId{0}) rooms.ring.mail_to({0}, mail_of(Post::ended, rooms.ring.core(), nullptr));
    return ended(failure ? &*failure : nullptr);
  }
  if (!aborted && rooms.ring.now() >= abort_at) abort();
  rooms.ring.arm(end_timer, kEndPoll);
}

Core::Core(ring::Ring& ring, std::shared_ptr<const config::Config> config, std::string config_file, Ended ended,
           std::shared_ptr<receive::Census> census, std::shared_ptr<report::EventFile> event_file,
           std::shared_ptr<Board> board)
    : parts_(std::make_unique<Parts>(ring, std::move(config), std::move(config_file), std::move(ended),
                                     std::move(census), std::move(event_file), std::move(board))) {}
Core::~Core() = default;

Result<void> Core::start() { return parts_->start(); }
void Core::drain() { parts_->drain(); }
void Core::reconfigure(std::shared_ptr<const config::Config> config) { parts_->reconfigure(std::move(config)); }
Counts Core::counts() const { return counts_of(parts_->rooms); }
const spool::Recovery& Core::recovery() const { return parts_->recovery; }
std::vector<SocketAddress> Core::listening() const { return parts_->rooms.receiver->addresses(); }

}  // namespace ringpost::core
