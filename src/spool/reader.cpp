// Reading a content out: from chunks, or from its file through two windows that are read in turns. The checksum of a
// large content is taken on the way, and its last window is handed out only when it is right: so a wrong content is
// never delivered whole.
#include <cerrno>

#include "ringpost/base/crc32c.h"
#include "spool/store.h"

namespace ringpost::spool {

namespace {

struct Window {
  char* memory = nullptr;
  std::size_t filled = 0;
  std::size_t given = 0;     // octets handed out
  std::size_t released = 0;  // of those, octets given back
  bool full = false;         // read whole, may be handed out
  [[nodiscard]] bool spent() const { return full && released == filled; }
};

}  // namespace

// Lives on after the Reader while an operation is in the kernel.
struct Reader::Parts {
  void open(Message& message);
  void close();
  Pull next();
  void release(std::size_t octets);
  void rewind();
  void on_granted(char* windows);
  void on_open(const ring::Completion& done);
  void on_read(const ring::Completion& done);
  void start_large();
  void fill();
  void restart();
  void tell();
  void give_up();
  void let_go();
  [[nodiscard]] bool in_kernel() const { return open_operation.in_kernel() || read_operation.in_kernel(); }

  Resident* message = nullptr;
  Store* store = nullptr;
  std::uint64_t position = 0;    // of the next piece, trace included
  std::uint64_t unreleased = 0;  // octets of trace handed out and not released: they come back first
  bool waiting = false;          // next() said wait
  bool failed = false;
  bool closing = false;  // close() while something is in the kernel
  bool orphan = false;   // and the Reader is gone
  bool stale = false;    // the read in flight was for a position before rewind()
  void* ready_owner = nullptr;
  void (*ready)(void*) = nullptr;

  // large content only
  char* windows = nullptr;
  Window window[2];
  unsigned out = 0;           // the window handed out now
  unsigned in = 0;            // the window that is filled next
  std::uint64_t read_at = 0;  // octets of the file read
  std::uint32_t crc = 0;
  std::string path;
  ring::File file;
  WindowWait wait;
  ring::Operation open_operation{this, ring::handler<&Parts::on_open>};
  ring::Operation read_operation{this, ring::handler<&Parts::on_read>};
};

Reader::Reader() : parts_(std::make_unique<Parts>()) {}
Reader::~Reader() {
  close();
  if (parts_->closing) {
    parts_->orphan = true;
    parts_.release()->ready = nullptr;  // deletes itself when the kernel is done
  }
}

void Reader::open(Message& message) {
  if (parts_->closing) {  // the last content's read is still in flight
    parts_->orphan = true;
    Parts* old = parts_.release();
    parts_ = std::make_unique<Parts>();
    parts_->ready_owner = old->ready_owner;
    parts_->ready = old->ready;
  }
  parts_->open(message);
}
void Reader::close() { parts_->close(); }
std::uint64_t Reader::size() const { return parts_->message == nullptr ? 0 : parts_->message->size(); }
message::BodySource::Pull Reader::next() { return parts_->next(); }
void Reader::release(std::size_t octets) { parts_->release(octets); }
void Reader::rewind() { parts_->rewind(); }
void Reader::on_ready(void* owner, void (*ready)(void* owner)) {
  parts_->ready_owner = owner;
  parts_->ready = ready;
}

void Reader::Parts::open(Message& opened) {
  CHECK(message == nullptr);
  message = &resident_of(opened);
  message->hold();
  store = &message->store;
  CHECK(message->content_here || message->large);
  failed = false;
  restart();
}

void Reader::Parts::restart() {
  position = 0;
  unreleased = 0;
  waiting = false;
  read_at = 0;
  crc = 0;
  out = in = 0;
  for (Window& one : window) one = {.memory = one.memory};
}

void Reader::Parts::close() {
  if (message == nullptr) return;
  waiting = false;
  wait.unlink();
  if (in_kernel()) {
    closing = true;
    std::exchange(message, nullptr)->release();
    return;
  }
  std::exchange(message, nullptr)->release();
  let_go();
}

void Reader::Parts::let_go() {
  if (file.open()) store->ring.close(std::exchange(file, {}));
  if (windows != nullptr) store->windows.give(std::exchange(windows, nullptr));
  closing = false;
  if (orphan) delete this;
}

message::BodySource::Pull Reader::Parts::next() {
  CHECK(message != nullptr);
  if (failed) return {Pull::State::failed, {}};
  const std::uint64_t trace = message->trace.size();
  if (position < trace) {
    const View piece = View{message->trace}.substr(position);
    position = trace;
    unreleased += piece.size();
    return {Pull::State::ready, piece};
  }
  if (position == message->size()) return {Pull::State::end, {}};
  if (message->content_here) {
    const View piece = message->chunks.piece(store->chunks, position - trace);
    position += piece.size();
    return {Pull::State::ready, piece};
  }
  Window& from = window[out];
  if (from.full && from.given < from.filled) {
    const View piece{from.memory + from.given, from.filled - from.given};
    from.given = from.filled;
    position += piece.size();
    out ^= 1;
    return {Pull::State::ready, piece};
  }
  waiting = true;
  if (windows == nullptr && !wait.linked())
    start_large();
  else
    fill();
  return {Pull::State::wait, {}};
}

void Reader::Parts::release(std::size_t octets) {
  const std::size_t of_trace = std::min<std::uint64_t>(octets, unreleased);
  unreleased -= of_trace;
  octets -= of_trace;
  if (message == nullptr || message->content_here) return;
  // The oldest pieces first: of two windows that are both out, the one that is filled next is the older.
  for (unsigned i = 0; i < 2 && octets > 0; ++i) {
    Window& one = window[(in + i) % 2];
    const std::size_t part = std::min(octets, one.given - one.released);
    one.released += part;
    octets -= part;
  }
  if (windows != nullptr && file.open()) fill();
}

void Reader::Parts::rewind() {
  if (read_operation.in_kernel()) stale = true;
  failed = false;
  restart();
}

void Reader::Parts::start_large() {
  wait.owner = this;
  wait.granted = [](void* owner, char* granted) { static_cast<Parts*>(owner)->on_granted(granted); };
  if (char* given = store->windows.take(wait)) on_granted(given);
}

void Reader::Parts::on_granted(char* granted) {
  windows = granted;
  window[0].memory = windows;
  window[1].memory = windows + kReadWindow;
  path = large_path(store->options.directory, message->id);
  store->ring.open(open_operation, path.c_str(), ring::Files::Open::read);
}

void Reader::Parts::on_open(const ring::Completion& done) {
  if (done.result >= 0) file = {done.result};
  if (closing) return let_go();
  if (done.result < 0) return give_up();
  fill();
}

// Reads the next window when it is free and nothing is in flight.
void Reader::Parts::fill() {
  if (!file.open() || in_kernel() || failed) return;
  Window& to = window[in];
  if (to.spent()) to = {.memory = to.memory};
  if (to.full) return;
  const std::uint64_t rest = message->facts.size - read_at - to.filled;
  if (rest == 0) return;
  const std::size_t room = std::min<std::uint64_t>(kReadWindow - to.filled, rest);
  store->ring.read(read_operation, file, {to.memory + to.filled, room}, read_at + to.filled);
}

void Reader::Parts::on_read(const ring::Completion& done) {
  if (closing) return let_go();
  if (std::exchange(stale, false)) return fill();
  if (done.result == -EINTR || done.result == -EAGAIN) return fill();
  if (done.result <= 0) return give_up();  // an error, or the file is shorter than its record says
  Window& to = window[in];
  to.filled += static_cast<std::size_t>(done.result);
  const bool last = read_at + to.filled == message->facts.size;
  if (to.filled < kReadWindow && !last) return fill();
  crc = crc32c({to.memory, to.filled}, crc);
  if (last && crc != message->content_crc) return give_up();
  read_at += to.filled;
  to.full = true;
  in ^= 1;
  fill();
  tell();
}

void Reader::Parts::give_up() {
  failed = true;
  tell();
}

void Reader::Parts::tell() {
  if (!std::exchange(waiting, false) || ready == nullptr) return;
  ready(ready_owner);
}

}  // namespace ringpost::spool
