// EventLog: lines of one core on their way to the file. One buffer collects while a helper thread writes the other; a
// flush comes kFlushInterval after the first line, or when a quarter of a buffer is full. Owned by core, called by its
// flows.
#include <algorithm>
#include <bitset>
#include <cerrno>
#include <iterator>
#include <optional>
#include <utility>

#include "ringpost/report.h"

namespace ringpost::report {
namespace {

constexpr Duration kFlushInterval = 20ms;
constexpr Duration kFileBusyAgain = 4ms;  // another core's lines are being written
constexpr std::size_t kFlushSize = kEventBuffer / 4;
constexpr std::size_t kTypes = std::size(config::kEventTypes);

std::bitset<kTypes> wanted_types(const config::Events& options) {
  std::bitset<kTypes> wanted;
  for (std::size_t i = 0; i < kTypes; ++i)
    wanted[i] =
        options.types.empty() || std::ranges::find(options.types, config::kEventTypes[i]) != options.types.end();
  if (options.types.empty() && !options.sessions)
    for (const EventType type : {EventType::session, EventType::connection})
      wanted[static_cast<std::size_t>(type)] = false;
  if (options.sessions)
    for (const EventType type : {EventType::session, EventType::connection})
      wanted[static_cast<std::size_t>(type)] = true;
  return wanted;
}

}  // namespace

struct EventLog::Parts {
  Parts(ring::Ring& the_ring, std::shared_ptr<EventFile> the_file, const config::Events& options)
      : ring(the_ring),
        file(std::move(the_file)),
        types(wanted_types(options)),
        write_op(this, ring::handler<&Parts::on_written>),
        reopen_op(this, ring::handler<&Parts::on_reopened>),
        tidy_op(this, ring::handler<&Parts::on_tidied>),
        flush_timer(this, ring::call<&Parts::flush>) {
    collecting.reserve(kEventBuffer);
    writing->reserve(kEventBuffer);
  }

  void flush();
  void send();
  void on_written(const ring::Completion& done);
  void on_reopened(const ring::Completion& done);
  void on_tidied(const ring::Completion&);
  void batch_over();
  void start_reopen();
  void start_tidy();

  ring::Ring& ring;
  std::shared_ptr<EventFile> file;
  std::bitset<kTypes> types;
  std::string collecting;
  std::shared_ptr<std::string> writing = std::make_shared<std::string>();  // the helper thread's while write_op is out
  std::uint64_t lines_collecting = 0, lines_writing = 0;
  std::optional<config::Events> reopen_wanted;
  bool tidy_wanted = false;
  ring::Operation write_op, reopen_op, tidy_op;
  ring::Timer flush_timer;
  Statistics statistics;
};

EventLog::EventLog(ring::Ring& ring, std::shared_ptr<EventFile> file, const config::Events& options)
    : parts_(std::make_unique<Parts>(ring, std::move(file), options)) {}
EventLog::~EventLog() = default;

bool EventLog::wants(EventType type) const {
  return parts_->types[static_cast<std::size_t>(type)] && parts_->file->wanted();
}

void EventLog::write(const Event& event) {
  Parts& p = *parts_;
  if (!wants(event.type)) return;
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
  if (write_op.in_kernel() || reopen_op.in_kernel()) return;
  flush_timer.disarm();
  if (writing->empty()) {
    if (collecting.empty()) return;
    collecting.swap(*writing);
    lines_writing = std::exchange(lines_collecting, 0);
  }
  send();
}

void EventLog::Parts::send() {
  ring.help(write_op, [to = file, lines = writing, now = ring.wall()] { return to->append(*lines, now); });
}

void EventLog::Parts::on_written(const ring::Completion& done) {
  if (done.result == -EBUSY) return ring.arm(flush_timer, kFileBusyAgain);
  if (done.result >= 0) {
    statistics.written += lines_writing;
  } else {
    // A full or broken event disk: mail goes on, these lines do not.
    ++statistics.errors;
    statistics.dropped += lines_writing;
  }
  if (done.result == EventFile::kRotated) start_tidy();
  writing->clear();
  lines_writing = 0;
  batch_over();
}

void EventLog::Parts::batch_over() {
  if (reopen_wanted) return start_reopen();
  if (collecting.size() >= kFlushSize) return flush();  // what came meanwhile is enough for a write of its own
  if ((!writing->empty() || !collecting.empty()) && !flush_timer.armed()) ring.arm(flush_timer, kFlushInterval);
}

void EventLog::reconfigure(const config::Events& options, bool first) {
  Parts& p = *parts_;
  p.types = wanted_types(options);
  if (!first) return;
  p.reopen_wanted = options;
  if (!p.write_op.in_kernel() && !p.reopen_op.in_kernel()) p.start_reopen();
}

void EventLog::Parts::start_reopen() {
  ring.help(reopen_op, [to = file, options = std::move(*reopen_wanted)] { return to->reopen(options); });
  reopen_wanted.reset();
}

void EventLog::Parts::on_reopened(const ring::Completion&) {
  start_tidy();
  batch_over();
}

void EventLog::hurry() { parts_->file->hurry(); }

void EventLog::tidy() { parts_->start_tidy(); }

void EventLog::Parts::start_tidy() {
  if (tidy_op.in_kernel()) {
    tidy_wanted = true;
    return;
  }
  tidy_wanted = false;
  ring.help(tidy_op, [to = file] { return to->tidy(); });
}

void EventLog::Parts::on_tidied(const ring::Completion&) {
  if (tidy_wanted) start_tidy();
}

bool EventLog::has_room() const {
  return !parts_->file->wanted() || parts_->collecting.size() + kEventLine <= kEventBuffer;
}

bool EventLog::idle() const {
  const Parts& p = *parts_;
  return p.collecting.empty() && p.writing->empty() && !p.write_op.in_kernel() && !p.reopen_op.in_kernel() &&
         !p.tidy_op.in_kernel();
}

const Statistics& EventLog::statistics() const { return parts_->statistics; }
EventFile::Statistics EventLog::file_statistics() const { return parts_->file->statistics(); }

}  // namespace ringpost::report
