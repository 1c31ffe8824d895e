// The steps of opening.
#include "spool/opening.h"

#include <algorithm>
#include <cerrno>
#include <set>

namespace ringpost::spool {

namespace {

// Ids below the next count on disk were perhaps given to drafts that never became durable: they are left out, so that a
// name in yesterday's event log does not come again.
constexpr std::uint64_t kCountJump = 1 << 20;

Result<void> sync_directory(ring::Files& files, const std::string& path) {
  const auto directory = files.open(path, ring::Files::Open::directory);
  if (!directory) return std::unexpected(directory.error());
  auto synced = files.sync(*directory);
  files.close(*directory);
  return synced;
}

}  // namespace

Opening::Opening(Store& store, const Spool::OnMessage& on_message, Recovery& recovery)
    : store_(store), on_message_(on_message), recovery_(recovery), files_(store.ring.files()) {}

Result<void> Opening::run() {
  if (store_.options.segment_size < 64 * 1024 || store_.options.segment_size % kBlock != 0 ||
      store_.options.segment_size > UINT32_MAX * std::uint64_t{kRecordAlign})
    return fail("spool: segment size: a multiple of 4096, at least 64K");
  if (auto made = make_directories(); !made) return made;
  const std::uint32_t own = store_.ring.core().value;
  if (!store_.options.durable) return begin_null();
  auto names = files_.list(store_.options.directory);
  if (!names) return std::unexpected(names.error());
  std::set<std::uint32_t> numbers{own};
  for (const std::string& name : *names)
    if (const auto number = parse_log_name(name); number && *number % store_.ring.cores() == own)
      numbers.insert(*number);
  for (const std::uint32_t number : numbers)
    if (auto opened = open_log(number); !opened) return opened;
  if (auto looked = look_at_large_files(); !looked) return looked;
  store_.check_space();
  return {};
}

Result<void> Opening::make_directories() {
  const std::string& directory = store_.options.directory;
  const std::string own = directory + "/" + log_name(store_.ring.core().value);
  for (const std::string& path : {directory, directory + "/large", own})
    if (auto made = files_.make_directory(path); !made) return made;
  if (auto synced = sync_directory(files_, directory); !synced) return synced;
  // The directory itself may be as new as what is in it. What we may not open was not made by us.
  for (std::string above = directory; !above.empty() && above != "/" && above != ".";) {
    const auto slash = above.find_last_of('/');
    above = slash == std::string::npos ? "." : slash == 0 ? "/" : above.substr(0, slash);
    if (auto synced = sync_directory(files_, above); !synced && synced.error().code == EIO) return synced;
  }
  const auto large = files_.open(directory + "/large", ring::Files::Open::directory);
  if (!large) return std::unexpected(large.error());
  store_.large_directory = *large;
  return {};
}

Result<void> Opening::open_log(std::uint32_t number) {
  const std::string directory = store_.options.directory + "/" + log_name(number);
  const auto file = files_.open(directory, ring::Files::Open::directory);
  if (!file) return std::unexpected(file.error());
  Log& log = *store_.logs.emplace_back(std::make_unique<Log>(store_, number, directory, *file));
  log.own = number == store_.ring.core().value;
  if (log.own) store_.own = &log;

  Replay replay{files_, directory, number, store_.ledger, recovery_};
  if (auto run = replay.run(); !run) return run;
  if (auto taken = take_over(log, replay); !taken) return taken;
  if (replay.damaged) damaged_logs_.push_back(number);
  replay.each_live([&](const Replay::Live& live) {
    on_message_(live.entry.id, live.envelope, live.state, store_.ledger.index().note(live.entry));
  });
  if (auto sealed = seal(log, replay); !sealed) return sealed;
  if (auto retired = retire_quiet(log); !retired) return retired;
  if (log.own && !log.has_segment()) return make_segment(log);
  return {};
}

Result<void> Opening::take_over(Log& log, Replay& replay) {
  if (replay.secret == 0) replay.secret = store_.ring.random().next() | 1;
  log.next_segment = replay.next_segment;
  log.begin(replay.secret, replay.next_count + kCountJump, replay.next_sequence, replay.last);
  for (const FoundSegment& found : replay.segments) {
    Segment& segment = store_.ledger.segment(found.slot);
    segment.log = &log;
    segment.used = segment.header.size;
    if (auto opened = open_for_writing(segment, found.path); !opened) return opened;
  }
  return remove_unfinished(log, replay.unfinished);
}

Result<void> Opening::open_for_writing(Segment& segment, const std::string& path) {
  auto file = files_.open(path, ring::Files::Open::write_direct);
  if (!file && file.error().code == EINVAL) file = files_.open(path, ring::Files::Open::write);
  if (!file) return std::unexpected(file.error());
  segment.file = *file;
  return {};
}

Result<void> Opening::remove_unfinished(const Log& log, const std::vector<std::string>& paths) {
  for (const std::string& path : paths)
    if (auto removed = files_.remove(path); !removed) return removed;
  return paths.empty() ? Result<void>{} : files_.sync(log.directory_file);
}

// A write that was in flight when the last process was killed may still reach the disk, behind what recovery has looked
// at. The seal makes sure that it never counts.
Result<void> Opening::seal(Log&, Replay& replay) {
  for (const FoundSegment& found : replay.segments) {
    if (found.header.end != 0 || found.header_lost || replay.last.life == 0) continue;
    if (found.header.number != replay.last.segment || found.header.life != replay.last.life) continue;
    Segment& segment = store_.ledger.segment(found.slot);
    segment.header.end = found.valid_end;
    ++segment.header.generation;
    return write_header(segment);
  }
  return {};
}

Result<void> Opening::write_header(Segment& segment) {
  const Reservation area{kHeaderArea};
  put_segment_header(reinterpret_cast<char*>(area.data()), segment.header);
  const View octets{reinterpret_cast<const char*>(area.data()), kHeaderArea};
  if (auto written = files_.write(segment.file, octets, 0); !written) return written;
  return files_.sync(segment.file);
}

// The first quiet segment becomes the current one, some are kept as spares, the others go. Retiring one may let go of
// the last thing that kept another.
Result<void> Opening::retire_quiet(Log& log) {
  std::vector<Segment*> retired;
  for (bool more = true; more;) {
    more = false;
    std::vector<Segment*> quiet;
    store_.ledger.each_segment([&](Segment& segment) {
      if (segment.log == &log && segment.quiet()) quiet.push_back(&segment);
    });
    for (Segment* segment : quiet) {
      more = true;
      if (auto done = retire(log, *segment); !done) return done;
      retired.push_back(segment);
    }
  }
  store_.ledger.each_loosened([](Segment&) {});
  const std::size_t keep = log.own ? 1 + kSparesWanted : 1;
  for (std::size_t i = 0; i < retired.size(); ++i) {
    if (i == 0)
      log.use(*retired[i]);
    else if (i < keep)
      log.add_recovered_spare(*retired[i]);
    else if (auto removed = remove(log, *retired[i]); !removed)
      return removed;
  }
  return {};
}

Result<void> Opening::retire(Log& log, Segment& segment) {
  const std::uint64_t generation = segment.header.generation + 1;
  segment.header = log.fresh_header(segment.header.number, segment.header.life + 1, segment.header.size);
  segment.header.generation = generation;
  segment.state = Segment::State::leaving;
  if (auto written = write_header(segment); !written) return written;
  store_.ledger.retired(segment);
  return {};
}

Result<void> Opening::remove(Log& log, Segment& segment) {
  files_.close(segment.file);
  const std::string path = log.directory + "/" + segment_name(segment.header.number);
  store_.ledger.drop_segment(segment);
  if (auto removed = files_.remove(path); !removed) return removed;
  return files_.sync(log.directory_file);
}

Result<void> Opening::make_segment(Log& log) {
  const std::uint64_t number = log.next_segment++;
  const std::string path = log.directory + "/" + segment_name(number);
  const auto file = files_.open(path, ring::Files::Open::create);
  if (!file) return std::unexpected(file.error());
  const std::uint64_t size = store_.options.segment_size;
  auto made = files_.allocate(*file, size);
  for (std::uint64_t at = 0; made && at < size; at += store_.zeros().size())
    made = files_.write(*file, store_.zeros().substr(0, std::min<std::uint64_t>(store_.zeros().size(), size - at)), at);
  files_.close(*file);
  if (!made) return made;
  Segment& segment = store_.ledger.add_segment();
  segment.log = &log;
  segment.header = log.fresh_header(number, 1, size);
  if (auto opened = open_for_writing(segment, path); !opened) return opened;
  if (auto written = write_header(segment); !written) return written;
  if (auto synced = files_.sync(log.directory_file); !synced) return synced;
  log.use(segment);
  return {};
}

// Files without a record go; records without a file are damaged messages. Where a log is damaged, a file may belong to
// a record that cannot be read: such files stay for people.
Result<void> Opening::look_at_large_files() {
  const auto names = files_.list(store_.options.directory + "/large");
  if (!names) return std::unexpected(names.error());
  std::set<SpoolId> there;
  bool removed_any = false;
  for (const std::string& name : *names) {
    const auto id = SpoolId::parse(name);
    if (!id || store_.log_of(*id) == nullptr) continue;
    if (store_.ledger.index().find(*id) != nullptr) {
      there.insert(*id);
      continue;
    }
    if (std::ranges::find(damaged_logs_, id->log()) != damaged_logs_.end()) continue;
    if (auto removed = files_.remove(large_path(store_.options.directory, *id)); !removed) return removed;
    ++recovery_.orphans_removed;
    removed_any = true;
  }
  store_.ledger.index().for_each([&](Entry& entry) {
    if (entry.large != 0 && entry.damaged == 0 && !there.contains(entry.id)) {
      entry.damaged = 1;
      ++recovery_.damaged_messages;
    }
  });
  return removed_any ? files_.sync(store_.large_directory) : Result<void>{};
}

Result<void> Opening::begin_null() {
  const auto number = store_.ring.core().value;
  store_.logs.push_back(
      std::make_unique<Log>(store_, number, store_.options.directory + "/" + log_name(number), ring::File{}));
  store_.own = store_.logs.back().get();
  store_.own->own = true;
  store_.own->begin(1, 1, 1, {});
  Segment& segment = store_.ledger.add_segment();
  segment.log = store_.own;
  segment.header = store_.own->fresh_header(1, 1, store_.options.segment_size);
  store_.own->use(segment);
  return {};
}

}  // namespace ringpost::spool
