// From files to a ledger.
#include "spool/replay.h"

#include <algorithm>
#include <cerrno>
#include <utility>

#include "ringpost/base/crc32c.h"

namespace ringpost::spool {

Replay::Replay(ring::Files& files, std::string directory, std::uint32_t log, Ledger& ledger, Recovery& recovery)
    : files_(files), directory_(std::move(directory)), log_(log), ledger_(ledger), recovery_(recovery) {}

Replay::~Replay() {
  for (FoundSegment& segment : segments)
    if (segment.file.open()) files_.close(segment.file);
}

Result<void> Replay::run() {
  auto names = files_.list(directory_);
  if (!names) return std::unexpected(names.error());
  std::ranges::sort(*names);
  for (const std::string& name : *names)
    if (const auto number = parse_segment_name(name)) {
      next_segment = std::max(next_segment, *number + 1);
      if (auto read = read_header(name, *number); !read) return read;
    }
  for (FoundSegment& segment : segments) {
    segment.header.secret = secret;
    if (segment.header_lost) find_life(segment);
    find_first(segment);
  }
  std::ranges::sort(segments, {}, [](const FoundSegment& s) {
    return std::pair(s.first == 0 ? UINT64_MAX : s.first, View{s.path});  // a full order, also among those without one
  });
  for (FoundSegment& segment : segments) {
    Segment& added = ledger_.add_segment();
    segment.slot = added.slot;
    added.header = segment.header;
    added.quarantined = segment.header_lost;
    ++recovery_.segments;
  }
  for (FoundSegment& segment : segments)
    if (auto read = read_segment(segment); !read) return read;
  return {};
}

Result<void> Replay::read_header(const std::string& name, std::uint64_t number) {
  FoundSegment found{.path = directory_ + "/" + name};
  const auto file = files_.open(found.path, ring::Files::Open::read);
  if (!file) return file.error().code == ENOENT ? Result<void>{} : std::unexpected(file.error());
  found.file = *file;
  const auto size = files_.size(*file);
  std::string area(kHeaderArea + kBlock, '\0');
  const auto read = files_.read(*file, area, 0);
  if (!size || !read) {
    files_.close(*file);
    return std::unexpected(size ? read.error() : size.error());
  }
  found.size = round_down(*size, kBlock);
  HeaderState state = get_segment_header(View{area}.substr(0, kHeaderArea), found.header);
  const bool begun = View{area}.substr(kHeaderArea).find_first_not_of('\0') != View::npos;
  if (state == HeaderState::foreign) {
    files_.close(*file);
    return fail(found.path + ": written by another version of Ringpost, whose format this one does not know");
  }
  if (state == HeaderState::valid && (found.header.log != log_ || found.header.number != number))
    state = HeaderState::bad;
  if (!begun && (state == HeaderState::zero || (state == HeaderState::valid && found.size < found.header.size))) {
    files_.close(*file);
    unfinished.push_back(found.path);
    return {};
  }
  if (state == HeaderState::valid) {
    secret = found.header.secret;
    next_count = std::max(next_count, found.header.next_count);
    next_sequence = std::max(next_sequence, found.header.next_sequence);
    found.header.size = std::min(found.header.size, found.size);
  } else {
    found.header_lost = true;
    found.header = {.log = log_, .number = number, .size = found.size};
  }
  segments.push_back(std::move(found));
  return {};
}

// Both copies of the header are lost: the newest life that a batch names is taken. A header torn while it gave the
// segment a new life cannot look like this (it is one sector), and even then only what is over would be found, with its
// end records.
void Replay::find_life(FoundSegment& segment) {
  damaged = true;
  ++recovery_.damaged_batches;
  FileWindow window{files_, segment.file, segment.size};
  for (std::uint64_t at = kFirstBatch; at < segment.size; at += kBlock) {
    const auto head = get_batch_head(window.at(at, kBatchHead), secret);
    if (head && head->log == log_ && head->place.segment == segment.header.number && head->place.offset == at)
      segment.header.life = std::max(segment.header.life, head->place.life);
  }
}

void Replay::find_first(FoundSegment& segment) {
  FileWindow window{files_, segment.file, segment.size};
  SegmentScan scan{window, segment.header};
  SegmentScan::Step step = scan.next();
  if (step.kind == SegmentScan::Step::Kind::damage) step = scan.next();
  if (step.kind == SegmentScan::Step::Kind::batch) segment.first = step.head.sequence;
}

Result<void> Replay::read_segment(FoundSegment& segment) {
  if (segment.first == 0) return {};
  using Kind = SegmentScan::Step::Kind;
  FileWindow window{files_, segment.file, segment.size};
  SegmentScan scan{window, segment.header};
  std::uint64_t damage_from = 0;
  std::uint64_t damage_until = 0;
  for (;;) {
    const SegmentScan::Step step = scan.next();
    if (step.kind == Kind::end) {
      // What cannot be read might be what was durable: to cut there would lose it.
      if (window.unreadable_end() > step.offset) return std::unexpected(window.error());
      segment.valid_end = step.offset;
      const View tail = window.at(step.offset, kBatchHead);
      const auto torn = get_batch_head(tail, secret);
      if (segment.header.end == 0 && torn &&
          torn->place == Place{segment.header.number, segment.header.life, step.offset})
        ++recovery_.torn_tails;
      return {};
    }
    if (step.kind == Kind::damage) {
      damage_from = step.offset;
      damage_until = step.until;
      continue;
    }
    const BatchHead head = step.head;
    if (segment.valid_end == kFirstBatch && segment.first == head.sequence)
      if (auto looked = look_behind(head); !looked) return looked;
    if (damage_until == step.offset && damage_until != 0) {
      // The salvage moves the window: the batch is looked at again behind it.
      if (auto saved = salvage(segment, window, damage_from, damage_until, head.sequence); !saved) return saved;
      damage_until = 0;
      const SegmentScan::Step again{
          .kind = Kind::batch, .offset = step.offset, .head = head, .octets = window.at(step.offset, head.length)};
      if (auto applied = apply_batch(segment, window, again); !applied) return applied;
    } else if (auto applied = apply_batch(segment, window, step); !applied) {
      return applied;
    }
  }
}

// The batch before this one, by the place it names, must be the last one seen, unless its segment has been recycled
// since.
Result<void> Replay::look_behind(const BatchHead& head) {
  if (head.previous.life == 0 || head.previous == last) return {};
  for (FoundSegment& before : segments) {
    if (before.header.number != head.previous.segment || before.header.life != head.previous.life) continue;
    if (head.previous.segment == head.place.segment) return {};  // the walk through this segment has met it
    if (before.first != 0 && head.previous.offset < before.valid_end) return {};
    FileWindow window{files_, before.file, before.size};
    const std::uint64_t end = std::min(before.size, before.header.end != 0 ? before.header.end : before.header.size);
    return salvage(before, window, before.valid_end, end, head.sequence);
  }
  return {};
}

Result<void> Replay::salvage(FoundSegment& segment, FileWindow& window, std::uint64_t from, std::uint64_t to,
                             std::uint64_t before) {
  damaged = true;
  ledger_.segment(segment.slot).quarantined = true;
  // Batches of a log follow each other by one: what is missing between the last one seen and the next is what is lost.
  const std::uint64_t gap = last_sequence_ != 0 && before > last_sequence_ + 1 ? before - last_sequence_ - 1 : 1;
  recovery_.damaged_batches += gap;
  Result<void> result;
  each_record_in_damage(window, from, to, secret, last_sequence_ + 1, before - 1, [&](const FoundRecord& record) {
    if (result) result = apply(segment, record);
  });
  return result;
}

Result<void> Replay::apply_batch(FoundSegment& segment, FileWindow&, const SegmentScan::Step& step) {
  Result<void> result;
  each_record(step.octets, step.head, secret, [&](const FoundRecord& record) {
    if (result) result = apply(segment, record);
  });
  next_count = std::max(next_count, step.head.next_count);
  last_sequence_ = step.head.sequence;
  next_sequence = std::max(next_sequence, last_sequence_ + 1);
  last = step.head.place;
  segment.valid_end = step.offset + round_up(step.head.length, kBlock);
  return result;
}

Result<void> Replay::apply(FoundSegment& segment, const FoundRecord& record) {
  const RecordHead& head = record.head;
  const RecordPlace at{segment.slot, record.offset, static_cast<std::uint32_t>(head.total())};
  switch (head.kind) {
    case RecordKind::message:
    case RecordKind::large: {
      Entry* entry = ledger_.message(head.id, at, head.kind == RecordKind::large);
      if (entry == nullptr && ledger_.index().size() == ledger_.index().capacity())
        return fail(ENOMEM, directory_ + ": more messages than limits.queue_messages allows: raise it");
      if (entry != nullptr && !(record.meta_good && record.content_good)) entry->damaged = 1;
      next_count = std::max(next_count, head.id.count() + 1);
      return {};
    }
    case RecordKind::state:
      if (Entry* entry = ledger_.state(head.id, at); entry != nullptr && !record.meta_good) entry->state_damaged = 1;
      return {};
    case RecordKind::end: {
      Entry gone;
      ledger_.end(head.id, segment.slot, gone);
      return {};
    }
  }
  return {};
}

void Replay::each_live(const std::function<void(const Live&)>& visit) {
  struct Order {
    std::uint32_t segment;  // in log order
    std::uint32_t offset;
    Entry* entry;
  };
  std::vector<Order> order;
  ledger_.index().for_each([&](Entry& entry) {
    if (entry.id.log() != log_) return;
    const auto at = static_cast<std::uint32_t>(by_slot(entry.segment) - segments.data());
    order.push_back({at, entry.offset, &entry});
  });
  std::ranges::sort(order, {}, [](const Order& o) { return std::pair{o.segment, o.offset}; });
  std::unique_ptr<FileWindow> window;
  std::uint32_t open = kNoSegment;
  message::Envelope envelope;
  message::State state;
  for (const Order& one : order) {
    const FoundSegment& segment = segments[one.segment];
    if (open != one.segment) window = std::make_unique<FileWindow>(files_, segment.file, segment.size);
    open = one.segment;
    Entry& entry = *one.entry;
    const std::uint64_t offset = std::uint64_t{entry.offset} * kRecordAlign;
    const auto head = get_record_head(window->at(offset, kRecordHead), secret);
    const View meta = head ? window->at(offset + kRecordHead, head->meta) : View{};
    const auto parts = get_message_meta(meta);
    View rest = meta;
    const auto piece = [&rest](std::size_t octets) {
      const View taken = rest.substr(0, octets);
      rest.remove_prefix(taken.size());
      return taken;
    };
    bool good = parts.has_value() && head->id == entry.id && crc32c(meta) == head->meta_crc;
    if (good) {
      piece(kMessageMeta);
      good = envelope.decode(piece(parts->envelope)) && state.decode(piece(parts->state)) &&
             state.size() == envelope.recipient_count();
    }
    if (!good) entry.damaged = 1;
    // A state that cannot be read might say "delivered": an older one in its place would deliver twice.
    if (good && entry.state_segment != kNoSegment &&
        (!read_state(entry, state) || state.size() != envelope.recipient_count()))
      entry.state_damaged = 1;
    if (entry.damaged != 0 || entry.state_damaged != 0) {
      ++recovery_.damaged_messages;
      continue;
    }
    entry.any_open = state.count(message::Status::open) > 0 ? 1 : 0;
    ++recovery_.messages;
    visit({entry, envelope, state, parts->facts, piece(parts->trace), head->content_crc, segment,
           offset + kRecordHead + head->meta});
  }
}

bool Replay::read_state(const Entry& entry, message::State& state) {
  const FoundSegment* segment = by_slot(entry.state_segment);
  scratch_.resize(entry.state_length);
  const auto read = files_.read(segment->file, scratch_, std::uint64_t{entry.state_offset} * kRecordAlign);
  if (!read || *read != scratch_.size()) return false;
  const auto record = look_at_record(scratch_, 0, secret);
  return record && record->head.id == entry.id && record->head.kind == RecordKind::state && record->meta_good &&
         state.decode(record->meta);
}

FoundSegment* Replay::by_slot(std::uint32_t slot) {
  const auto found = std::ranges::find(segments, slot, &FoundSegment::slot);
  return found == segments.end() ? nullptr : &*found;
}

}  // namespace ringpost::spool
