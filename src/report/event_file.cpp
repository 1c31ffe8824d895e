// EventFile: appending, rotating and tidying up. Everything here blocks, so it runs on helper threads: the file is one
// for all cores, and its mutex is what keeps their lines whole and a rotation between them.
#include <array>
#include <atomic>
#include <cerrno>
#include <charconv>
#include <mutex>
#include <optional>
#include <utility>

#include "report/event_archive.h"
#include "report/journal.h"
#include "ringpost/base/check.h"
#include "ringpost/report.h"

namespace ringpost::report {
namespace {

constexpr std::size_t kHeadRead = 64;          // octets of a file that surely hold its first line's time
constexpr std::int64_t kRotateAgain = 60'000;  // ms after a rotation that failed

// {"time":"2026-11-25T13:22:33.123Z",… → that time; nothing where the line is none of ours.
std::optional<WallTime> time_of(View line) {
  constexpr View kBefore = "{\"time\":\"";
  constexpr View kShape = "dddd-dd-ddTdd:dd:dd";
  if (!line.starts_with(kBefore)) return std::nullopt;
  const View text = line.substr(kBefore.size(), kShape.size());
  if (text.size() < kShape.size()) return std::nullopt;
  for (std::size_t i = 0; i < text.size(); ++i)
    if (kShape[i] == 'd' ? (text[i] < '0' || text[i] > '9') : text[i] != kShape[i]) return std::nullopt;
  const auto number = [&](std::size_t at, std::size_t digits) {
    int value = 0;
    std::from_chars(text.data() + at, text.data() + at + digits, value);
    return value;
  };
  using namespace std::chrono;
  const year_month_day date{year{number(0, 4)}, month{static_cast<unsigned>(number(5, 2))},
                            day{static_cast<unsigned>(number(8, 2))}};
  if (!date.ok()) return std::nullopt;
  const auto at = sys_days{date} + hours{number(11, 2)} + minutes{number(14, 2)} + seconds{number(17, 2)};
  return WallTime{duration_cast<milliseconds>(at.time_since_epoch()).count()};
}

}  // namespace

struct EventFile::Parts {
  Parts(ring::Files& its_files, config::Events its_options, std::string journal_socket)
      : files(its_files), options(std::move(its_options)), journal(std::move(journal_socket)) {}
  ~Parts() {
    if (file.open()) files.close(file);
  }

  Result<void> open_file(const std::string& path);
  [[nodiscard]] bool rotation_due(std::uint64_t size, WallTime now) const;
  bool rotate(WallTime now);
  Result<void> append_file(View lines, WallTime now, bool& rotated);
  void write_down(View lines, std::uint64_t size);
  void failed(const Error& error);
  void went_well();

  ring::Files& files;
  std::mutex one_at_a_time;  // all but `counts`
  config::Events options;
  ring::File file;
  std::optional<WallTime> begun;  // the file's first line
  bool broken_tail = false;       // a line was cut off and could not be taken back
  WallTime rotate_after;
  Journal journal;
  std::mutex one_tidies;
  std::atomic<bool> ending = false;
  bool failing = false;
  std::function<void(const std::string&)> say;
  std::atomic<std::uint64_t> rotations = 0, errors = 0, journal_dropped = 0;
};

EventFile::EventFile(ring::Files& files, config::Events options, std::string journal_socket)
    : parts_(std::make_unique<Parts>(files, std::move(options), std::move(journal_socket))) {}
EventFile::~EventFile() = default;

void EventFile::on_trouble(std::function<void(const std::string&)> say) { parts_->say = std::move(say); }

void EventFile::hurry() { parts_->ending = true; }

bool EventFile::wanted() const { return wanted_.load(std::memory_order_relaxed); }

Result<void> EventFile::open() {
  const std::lock_guard lock(parts_->one_at_a_time);
  wanted_ = !parts_->options.file.empty() || parts_->options.journal;
  if (parts_->options.file.empty() || parts_->file.open()) return {};
  return parts_->open_file(parts_->options.file);
}

// Takes `path` for the file from now on; the one before stays when it cannot be opened.
Result<void> EventFile::Parts::open_file(const std::string& path) {
  auto opened = files.open(path, ring::Files::Open::append);
  if (!opened) return std::unexpected(opened.error());
  if (file.open()) files.close(file);
  file = *opened;
  begun.reset();
  broken_tail = false;
  if (const auto read = files.open(path, ring::Files::Open::read)) {
    std::array<char, kHeadRead> head{};
    if (const auto octets = files.read(*read, Room{head}, 0)) begun = time_of({head.data(), *octets});
    files.close(*read);
  }
  return {};
}

int EventFile::reopen(const config::Events& options) {
  Parts& p = *parts_;
  const std::lock_guard lock(p.one_at_a_time);
  p.options = options;
  p.rotate_after = {};
  wanted_ = !options.file.empty() || options.journal;
  if (options.file.empty()) {
    if (p.file.open()) p.files.close(std::exchange(p.file, {}));
    return 0;
  }
  const auto opened = p.open_file(options.file);
  if (opened) return 0;
  p.failed({opened.error().code, opened.error().message() + ": events go on into the old file"});
  return -opened.error().code;
}

int EventFile::append(View lines, WallTime now) {
  Parts& p = *parts_;
  const std::unique_lock lock(p.one_at_a_time, std::try_to_lock);
  if (!lock) return -EBUSY;  // a disk that hangs holds one helper thread, not all
  bool rotated = false;
  const Result<void> written = p.append_file(lines, now, rotated);
  if (p.options.journal) {
    if (const std::uint64_t lost = p.journal.send(lines, now); lost > 0) {
      p.journal_dropped += lost;
      ++p.errors;
    }
  }
  if (!written) {
    p.failed(written.error());
    return -written.error().code;
  }
  p.went_well();
  return rotated ? kRotated : 0;
}

Result<void> EventFile::Parts::append_file(View lines, WallTime now, bool& rotated) {
  if (!file.open()) return {};
  auto size = files.size(file);
  if (!size) return std::unexpected(size.error());
  if (rotation_due(*size, now)) {
    rotated = rotate(now);
    if (rotated) *size = 0;
    if (!rotated) rotate_after = {now.milliseconds + kRotateAgain};
  }
  if (broken_tail) {
    if (auto ended = files.write(file, "\n", *size); !ended) return ended;
    broken_tail = false;
    ++*size;
  }
  if (auto written = files.write(file, lines, *size); !written) {
    // All or nothing: a part of these lines, or of one, would stand before another core's.
    if (!files.truncate(file, *size)) broken_tail = true;
    return written;
  }
  if (!begun) begun = now;
  return {};
}

bool EventFile::Parts::rotation_due(std::uint64_t size, WallTime now) const {
  if (size == 0 || now < rotate_after) return false;
  if (options.rotate_size > 0 && size >= options.rotate_size) return true;
  return options.rotate_age > Duration{0} && begun && now >= *begun + options.rotate_age;
}

// The new file is there before the old one loses its name: at each step there is a file to write to.
bool EventFile::Parts::rotate(WallTime now) {
  const std::string fresh = options.file + ".new";
  auto opened = files.open(fresh, ring::Files::Open::append);
  const std::string aside = name_aside(files, options.file, now);
  Result<void> moved;
  if (!opened) {
    moved = std::unexpected(opened.error());
  } else if (moved = files.rename(options.file, aside); moved) {
    moved = files.rename(fresh, options.file);
    if (!moved) static_cast<void>(files.rename(aside, options.file));
  }
  if (!moved) {
    if (opened) files.close(*opened);
    failed({moved.error().code, moved.error().message() + ": the event file is not rotated"});
    return false;
  }
  files.close(std::exchange(file, *opened));
  begun.reset();
  broken_tail = false;
  ++rotations;
  return true;
}

// Told once when it begins and once when it is over: the place where it would be written is what does not work.
void EventFile::Parts::failed(const Error& error) {
  ++errors;
  if (std::exchange(failing, true) || !say) return;
  say("events: " + error.message() + ": lines are dropped and counted; mail goes on");
}

void EventFile::Parts::went_well() {
  if (std::exchange(failing, false) && say) say("events: written again");
}

int EventFile::tidy() {
  Parts& p = *parts_;
  const std::unique_lock tidying(p.one_tidies, std::try_to_lock);
  if (!tidying) return 0;
  std::string path;
  std::uint32_t keep = 0;
  {
    const std::lock_guard lock(p.one_at_a_time);
    path = p.options.file;
    keep = p.options.keep;
  }
  if (path.empty()) return 0;
  const auto done = tidy_archive(p.files, path, keep, p.ending);
  if (done || p.ending) return 0;
  const std::lock_guard lock(p.one_at_a_time);
  p.failed(done.error());
  return -done.error().code;
}

EventFile::Statistics EventFile::statistics() const {
  return {.rotations = parts_->rotations.load(),
          .errors = parts_->errors.load(),
          .journal_dropped = parts_->journal_dropped.load()};
}

}  // namespace ringpost::report
