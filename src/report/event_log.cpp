// EventLog: lines of one core on their way to the file. One buffer collects while the other is written; a flush comes
// kFlushInterval after the first line, or when half a buffer is full. Owned by core, called by its flows.
#include <cerrno>
#include <utility>

#include "ringpost/report.h"

namespace ringpost::report {
namespace {

constexpr Duration kFlushInterval = 20ms;
constexpr std::size_t kFlushSize = kEventBuffer / 4;

}  // namespace

struct EventLog::Parts {
  Parts(ring::Ring& the_ring, std::string the_path)
      : ring(the_ring),
        path(std::move(the_path)),
        write_op(this, ring::handler<&Parts::on_written>),
        open_op(this, ring::handler<&Parts::on_opened>),
        flush_timer(this, ring::call<&Parts::flush>) {
    collecting.reserve(kEventBuffer);
    writing.reserve(kEventBuffer);
  }
  ~Parts() {
    if (file.open()) ring.files().close(file);
  }

  void flush();
  void send_rest();
  void on_written(const ring::Completion& done);
  void on_opened(const ring::Completion& done);
  void batch_over();
  void start_open();

  ring::Ring& ring;
  std::string path;
  std::string opening;  // the path of open_op
  bool reopen_wanted = false;
  ring::File file;
  ring::File next_file;  // opened; taken when nothing is being written
  std::string collecting, writing;
  std::uint64_t lines_collecting = 0, lines_writing = 0;
  std::size_t sent = 0;  // octets of `writing`
  ring::Operation write_op, open_op;
  ring::Timer flush_timer;
  Statistics statistics;
};

EventLog::EventLog(ring::Ring& ring, std::string path) : parts_(std::make_unique<Parts>(ring, std::move(path))) {}
EventLog::~EventLog() = default;

Result<void> EventLog::open() {
  if (parts_->path.empty()) return {};
  auto opened = parts_->ring.files().open(parts_->path, ring::Files::Open::append);
  if (!opened) return std::unexpected(opened.error());
  parts_->file = *opened;
  return {};
}

void EventLog::write(const Event& event) {
  Parts& p = *parts_;
  if (!p.file.open()) {
    ++p.statistics.written;
    return;
  }
  if (p.collecting.size() + kEventLine > kEventBuffer) {
    ++p.statistics.dropped;
    return;
  }
  write_event(p.collecting, event, p.ring.wall(), p.ring.core());
  ++p.lines_collecting;
  if (p.collecting.size() >= kFlushSize)
    p.flush();
  else if (!p.flush_timer.armed())
    p.ring.arm(p.flush_timer, kFlushInterval);
}

void EventLog::Parts::flush() {
  if (write_op.in_kernel() || collecting.empty() || !file.open()) return;
  flush_timer.disarm();
  collecting.swap(writing);
  std::swap(lines_collecting, lines_writing);
  sent = 0;
  send_rest();
}

// The file is opened to append: the offset says nothing.
void EventLog::Parts::send_rest() { ring.write(write_op, file, View{writing}.substr(sent), 0, false); }

void EventLog::Parts::on_written(const ring::Completion& done) {
  if (done.result > 0) {
    sent += static_cast<std::size_t>(done.result);
    if (sent < writing.size()) return send_rest();
    statistics.written += lines_writing;
  } else if (done.result == -EINTR || done.result == -EAGAIN) {
    return send_rest();
  } else {
    // A full or broken event disk: mail goes on, these lines do not.
    ++statistics.errors;
    statistics.dropped += lines_writing;
  }
  batch_over();
}

void EventLog::Parts::batch_over() {
  writing.clear();
  lines_writing = 0;
  if (next_file.open()) {
    ring.close(file);
    file = std::exchange(next_file, {});
  }
  if (!collecting.empty() && !flush_timer.armed()) ring.arm(flush_timer, kFlushInterval);
}

void EventLog::reopen(std::string path) {
  Parts& p = *parts_;
  p.path = std::move(path);
  p.reopen_wanted = true;
  if (!p.open_op.in_kernel()) p.start_open();
}

void EventLog::Parts::start_open() {
  reopen_wanted = false;
  opening = path;
  if (opening.empty()) {
    if (!write_op.in_kernel() && file.open()) ring.close(std::exchange(file, {}));
    return;
  }
  ring.open(open_op, opening.c_str(), ring::Files::Open::append);
}

void EventLog::Parts::on_opened(const ring::Completion& done) {
  if (done.result >= 0) {
    if (next_file.open()) ring.close(next_file);
    next_file = {done.result};
    if (!write_op.in_kernel()) batch_over();
  } else {
    ++statistics.errors;
    const Error error = fail(-done.result, opening + ": events go on into the old file").error();
    if (file.open()) {
      write_event(collecting, {.type = EventType::trouble, .text = error.message()}, ring.wall(), ring.core());
      ++lines_collecting;
    }
  }
  if (reopen_wanted) start_open();
}

bool EventLog::idle() const {
  return parts_->collecting.empty() && !parts_->write_op.in_kernel() && !parts_->open_op.in_kernel();
}

const Statistics& EventLog::statistics() const { return parts_->statistics; }

}  // namespace ringpost::report
