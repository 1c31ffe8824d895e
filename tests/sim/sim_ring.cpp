// The simulated loop: turns, operations and their completions. Sockets are in sim_sockets.cpp.
#include "sim_ring.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

#include "ringpost/base/crc32c.h"
#include "sim_socket.h"
#include "world.h"

namespace ringpost::sim {
namespace {

constexpr Duration kTurnLeast = 2us;
constexpr Duration kTurnMost = 40us;
constexpr Duration kHelpLeast = 100us;
constexpr Duration kForEver = 24h * 36500;
constexpr char kNotYetRead = static_cast<char>(0xA5);

}  // namespace

SimRing::SimRing(World& world, CoreId core, unsigned cores, std::uint64_t seed)
    : Ring(core, cores, seed), world_(world) {
  now_ = world.now();
}

SimRing::~SimRing() {
  if (!dead_) die(false);
}

WallTime SimRing::wall() const { return world_.wall(); }

void SimRing::run() {
  world_.run_until([this] { return stopped(); }, kForEver);
  stopping_ = false;
}

void SimRing::catch_up() { now_ = world_.now(); }

void SimRing::die(bool silent) {
  if (dead_) return;
  dead_ = true;
  for (Slot& slot : slots_)
    if (slot.operation != nullptr) abandon(*slot.operation);
  in_flight_ = 0;
  for (auto& [fd, socket] : sockets_) {
    if (socket->end && silent) socket->end->go_silent();
    socket->let_go(world_.network());
  }
  sockets_.clear();
}

// ---- turns

void SimRing::wake_by(Wake SimRing::* which, Instant when, Schedule::Weight weight) {
  Wake& wake = this->*which;
  when = std::max({when, free_at_, world_.now()});
  if (dead_ || (wake.set && wake.when <= when)) return;
  wake = {true, when, wake.token + 1};
  world_.in_this_life(
      when,
      [this, which, token = wake.token] {
        Wake& due = this->*which;
        if (token != due.token) return;
        due.set = false;
        turn();
      },
      weight);
}

void SimRing::wake(Instant when) { wake_by(&SimRing::work_, when, Schedule::Weight::foreground); }

void SimRing::turn() {
  if (dead_ || stopped()) return;
  if (world_.now() < free_at_) return wake(free_at_);
  in_turn_ = true;
  now_ = world_.now();
  ++statistics_.turns;
  hand_out_completions();
  if (stopping_)
    cancel_all();  // and no timer runs: what one would begin could not end
  else
    timers_.run(now_);
  std::vector<ring::Mail> mail;
  mail.swap(mail_);
  for (const ring::Mail& letter : mail) deliver_mail(letter);
  const bool work_left = run_deferred();
  in_turn_ = false;
  begin_submissions();
  free_at_ = now_ + world_.draw(kTurnLeast, kTurnMost);
  if (!ready_.empty() || work_left || stopping_) wake(free_at_);
  if (const auto next = timers_.next()) wake_by(&SimRing::timer_, *next, Schedule::Weight::background);
}

void SimRing::hand_out_completions() {
  std::vector<std::uint32_t> ready;
  ready.swap(ready_);
  // The kernel promises no order between operations.
  for (std::size_t i = ready.size(); i > 1; --i)
    std::swap(ready[i - 1], ready[static_cast<std::size_t>(world_.random().below(i))]);
  for (const std::uint32_t index : ready) {
    slots_[index].ready = false;
    finish(index);
  }
}

void SimRing::begin_submissions() {
  std::vector<std::uint32_t> submissions;
  submissions.swap(submissions_);
  statistics_.submissions += submissions.size();
  for (const std::uint32_t index : submissions) begin(index);
}

// ---- operations

SimRing::Slot* SimRing::take(ring::Operation& operation, Kind kind, int fd) {
  if (dead_) return nullptr;
  if (free_slots_.empty()) {
    free_slots_.push_back(static_cast<std::uint32_t>(slots_.size()));
    slots_.emplace_back();
  }
  const std::uint32_t index = free_slots_.back();
  free_slots_.pop_back();
  Slot& slot = slots_[index];
  const std::uint32_t generation = slot.generation;
  slot = Slot{};
  slot.generation = generation;
  slot.operation = &operation;
  slot.kind = kind;
  slot.fd = fd;
  occupy(operation, index);
  ++in_flight_;
  submissions_.push_back(index);
  if (!in_turn_) wake(world_.now());
  return &slot;
}

void SimRing::begin(std::uint32_t index) {
  Slot& slot = slots_[index];
  slot.begun = true;
  if (slot.cancelled && slot.kind != Kind::help) return decide(index, -ECANCELED);
  switch (slot.kind) {
    case Kind::accept:
      return begin_accept(index, slot);
    case Kind::receive:
      return begin_receive(index, slot);
    case Kind::connect:
      return begin_connect(index, slot);
    case Kind::send:
      return begin_send(index, slot);
    case Kind::help:
      return after(world_.draw(kHelpLeast, world_.options().help_most), index, &SimRing::run_help);
    default:
      return begin_file(index, slot);
  }
}

void SimRing::begin_file(std::uint32_t index, Slot& slot) {
  Disk& disk = world_.disk();
  const ring::File file{slot.fd};
  DiskCall call = DiskCall::open;
  switch (slot.kind) {
    case Kind::open: {
      const auto opened = disk.open(slot.path, slot.mode);
      slot.result = opened ? opened->fd : -opened.error().code;
      break;
    }
    case Kind::read:
      call = DiskCall::read;
      std::fill(slot.room.begin(), slot.room.end(), kNotYetRead);
      slot.disk = disk.begin_read(file, slot.room, slot.offset);
      slot.result = slot.disk.result;
      break;
    case Kind::write:
      call = DiskCall::write;
      slot.checksum = checksum(slot);
      slot.disk = disk.begin_write(file, slot.octets, slot.offset, slot.durable);
      slot.result = slot.disk.result;
      break;
    case Kind::sync:
      call = DiskCall::sync;
      slot.disk = disk.begin_sync(file);
      slot.result = slot.disk.result;
      break;
    case Kind::allocate:
      call = DiskCall::allocate;
      slot.result = disk.allocate(file, slot.offset);
      break;
    case Kind::remove:
      call = DiskCall::remove;
      slot.result = disk.remove(slot.path);
      break;
    default:
      CHECK(false);
  }
  world_.trace().add(world_.now(), core_.value, "disk call: kind, result", static_cast<std::uint64_t>(call),
                     static_cast<std::uint64_t>(static_cast<std::int64_t>(slot.result)));
  after(disk.latency(call), index, &SimRing::finish_file);
}

void SimRing::finish_file(std::uint32_t index) {
  Slot& slot = slots_[index];
  if (slot.kind == Kind::write) check_octets(slot, "a write to disk");
  world_.disk().finish(slot.disk);
  decide(index, slot.result);
}

void SimRing::run_help(std::uint32_t index) {
  auto work = std::move(slots_[index].work);
  decide(index, work());
}

// Calls `next` after `delay` unless the operation is over by then.
void SimRing::after(Duration delay, std::uint32_t index, void (SimRing::*next)(std::uint32_t)) {
  world_.in_this_life(world_.now() + delay, [this, index, next, generation = slots_[index].generation] {
    if (slots_[index].generation == generation) (this->*next)(index);
  });
}

// The operation's result stands; its owner hears of it in a turn to come.
void SimRing::decide(std::uint32_t index, int result) {
  slots_[index].done = true;
  slots_[index].result = result;
  make_ready(index);
}

void SimRing::make_ready(std::uint32_t index) {
  if (slots_[index].ready) return;
  slots_[index].ready = true;
  ready_.push_back(index);
  wake(world_.now());
}

void SimRing::finish(std::uint32_t index) {
  const Slot& slot = slots_[index];
  if (slot.kind == Kind::accept && !slot.done) return finish_accept(index);
  if (slot.kind == Kind::receive && !slot.done) return finish_receive(index);
  if (slot.done) return settle_final(index, slot.result);
  if (slot.cancelled) settle_final(index, -ECANCELED);
}

void SimRing::settle_final(std::uint32_t index, int result) {
  Slot& slot = slots_[index];
  if (const auto it = sockets_.find(slot.fd); it != sockets_.end()) it->second->forget(index);
  ring::Operation& operation = *slot.operation;
  slot.operation = nullptr;
  slot.kind = Kind::none;
  slot.work = nullptr;
  ++slot.generation;
  free_slots_.push_back(index);
  --in_flight_;
  ++statistics_.completions;
  settle(operation, {.result = result, .received = {}, .final = true});
}

void SimRing::cancel(ring::Operation& operation) {
  if (dead_ || !operation.in_kernel()) return;
  const std::uint32_t index = slot_of(operation);
  Slot& slot = slots_[index];
  if (slot.cancelled) return;
  slot.cancelled = true;
  const bool waits_for_others =
      slot.kind == Kind::accept || slot.kind == Kind::receive || slot.kind == Kind::connect || slot.kind == Kind::send;
  // A file operation or helper work that has begun goes its way.
  if (slot.begun && waits_for_others) after(world_.draw(Duration{0}, kTurnMost), index, &SimRing::make_ready);
}

void SimRing::cancel_all() {
  for (Slot& slot : slots_)
    if (slot.operation != nullptr) cancel(*slot.operation);
}

std::uint32_t SimRing::checksum(const Slot& slot) {
  std::uint32_t sum = crc32c(slot.octets);
  for (const iovec& piece : slot.pieces) sum = crc32c({static_cast<const char*>(piece.iov_base), piece.iov_len}, sum);
  return sum;
}

void SimRing::check_octets(const Slot& slot, const char* what) {
  if (checksum(slot) != slot.checksum)
    world_.violation("core " + std::to_string(core_.value) + ": octets changed while the kernel held them for " + what);
}

// ---- files

ring::Files& SimRing::files() { return world_.disk().files(); }

void SimRing::open(ring::Operation& operation, const char* path, ring::Files::Open mode) {
  Slot* slot = take(operation, Kind::open, -1);
  if (slot == nullptr) return;
  slot->path = path;
  slot->mode = mode;
}

void SimRing::read(ring::Operation& operation, ring::File file, Room room, std::uint64_t offset) {
  Slot* slot = take(operation, Kind::read, file.fd);
  if (slot == nullptr) return;
  slot->room = room;
  slot->offset = offset;
}

void SimRing::write(ring::Operation& operation, ring::File file, View octets, std::uint64_t offset, bool durable) {
  Slot* slot = take(operation, Kind::write, file.fd);
  if (slot == nullptr) return;
  slot->octets = octets;
  slot->offset = offset;
  slot->durable = durable;
}

void SimRing::sync(ring::Operation& operation, ring::File file) { take(operation, Kind::sync, file.fd); }

void SimRing::allocate(ring::Operation& operation, ring::File file, std::uint64_t size) {
  if (Slot* slot = take(operation, Kind::allocate, file.fd)) slot->offset = size;
}

void SimRing::remove(ring::Operation& operation, const char* path) {
  if (Slot* slot = take(operation, Kind::remove, -1)) slot->path = path;
}

void SimRing::close(ring::File file) {
  if (!dead_) world_.disk().close(file);
}

// ---- mail and help

void SimRing::mail_to(CoreId to, const ring::Mail& mail) {
  if (dead_) return;
  ring::Mail letter = mail;
  letter.from = core_;
  world_.send_mail(core_, to, letter);
}

void SimRing::take_mail(const ring::Mail& mail) {
  mail_.push_back(mail);
  wake(world_.now());
}

void SimRing::help(ring::Operation& operation, std::move_only_function<int()> work) {
  if (Slot* slot = take(operation, Kind::help, -1)) slot->work = std::move(work);
}

}  // namespace ringpost::sim
