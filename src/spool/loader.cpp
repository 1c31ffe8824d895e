// One job a message: its reads, its checks.
#include "spool/loader.h"

#include <cerrno>

#include "ringpost/base/crc32c.h"
#include "spool/store.h"

namespace ringpost::spool {

// Reads of one message, one at a time, into a buffer that holds the largest record with the blocks around it.
//   record → (state record) → answer
class Loader::Job {
 public:
  Job(Loader& loader, std::size_t record_limit)
      : loader_(loader), memory_(round_up(record_limit, kBlock) + 2 * kBlock) {}

  void start(SpoolId id, const Entry& entry, bool content, Resident& resident);
  [[nodiscard]] bool busy() const { return resident_ != nullptr; }
  [[nodiscard]] SpoolId id() const { return id_; }
  List<Load, Load> waits;

 private:
  void read(std::uint32_t segment, std::uint64_t offset, std::size_t length);
  void submit();
  void on_read(const ring::Completion& done);
  void on_record();
  void on_state();
  // The record's octets as far as they were read, or nothing when its head is not what the index says.
  [[nodiscard]] std::optional<RecordHead> head_of(RecordKind kind, RecordKind or_kind) const;
  [[nodiscard]] bool take_message(const RecordHead& head, const MessageMeta& meta, View octets);
  void damaged(bool state);
  void finish(const Error* error);

  Loader& loader_;
  SpoolId id_;
  bool content_ = false;
  bool whole_ = false;
  bool reading_state_ = false;
  Resident* resident_ = nullptr;
  std::uint32_t segment_ = kNoSegment;
  std::uint64_t offset_ = 0;  // of the record
  std::size_t length_ = 0;    // octets of it wanted
  std::size_t filled_ = 0;    // octets read, from the block that the record begins in
  Reservation memory_;
  ring::Operation operation_{this, ring::handler<&Job::on_read>};
};

void Loader::Job::start(SpoolId id, const Entry& entry, bool content, Resident& resident) {
  id_ = id;
  content_ = content;
  resident_ = &resident;
  reading_state_ = false;
  whole_ = content || entry.length <= kFirstLook;
  read(entry.segment, std::uint64_t{entry.offset} * kRecordAlign,
       whole_ ? std::size_t{entry.length} : std::min<std::size_t>(entry.length, kFirstLook));
}

void Loader::Job::read(std::uint32_t segment, std::uint64_t offset, std::size_t length) {
  segment_ = segment;
  offset_ = offset;
  length_ = length;
  filled_ = 0;
  ++loader_.store_.ledger.segment(segment).readers;
  submit();
}

void Loader::Job::submit() {
  const std::uint64_t begin = round_down(offset_, kBlock);
  const std::size_t wanted = round_up(offset_ - begin + length_, kBlock);
  Room room{reinterpret_cast<char*>(memory_.data()) + filled_, wanted - filled_};
  loader_.store_.ring.read(operation_, loader_.store_.ledger.segment(segment_).file, room, begin + filled_);
}

void Loader::Job::on_read(const ring::Completion& done) {
  Store& store = loader_.store_;
  const std::size_t needed = offset_ % kBlock + length_;
  if (done.result == -EINTR || done.result == -EAGAIN) return submit();
  if (done.result > 0) {
    filled_ += round_down(static_cast<std::uint64_t>(done.result), kBlock);
    if (filled_ < needed) return submit();
  }
  Segment& segment = store.ledger.segment(segment_);
  if (--segment.readers == 0) {
    store.ledger.loosen(segment);
    store.loosened();
  }
  if (done.result <= 0) {
    const Error error{done.result < 0 ? -done.result : EIO, "spool: read " + segment_name(segment.header.number)};
    return finish(&error);
  }
  const Entry* entry = store.ledger.index().find(id_);
  if (entry == nullptr || entry->ending != 0) {
    const Error error{ENOENT, "spool: the message has ended"};
    return finish(&error);
  }
  if (reading_state_)
    on_state();
  else
    on_record();
}

std::optional<RecordHead> Loader::Job::head_of(RecordKind kind, RecordKind or_kind) const {
  const Segment& segment = loader_.store_.ledger.segment(segment_);
  const View octets{reinterpret_cast<const char*>(memory_.data()) + offset_ % kBlock, length_};
  auto head = get_record_head(octets, segment.log->secret);
  if (!head || head->id != id_ || (head->kind != kind && head->kind != or_kind)) return std::nullopt;
  return head;
}

void Loader::Job::on_record() {
  Store& store = loader_.store_;
  Entry& entry = *store.ledger.index().find(id_);
  const View octets{reinterpret_cast<const char*>(memory_.data()) + offset_ % kBlock, length_};
  const auto head = head_of(RecordKind::message, RecordKind::large);
  if (!head || head->total() != entry.length) return damaged(false);
  if (!whole_ && kRecordHead + head->meta > length_) {
    whole_ = true;
    return read(segment_, offset_, entry.length);
  }
  const View meta = octets.substr(kRecordHead, head->meta);
  const auto parts = get_message_meta(meta);
  if (crc32c(meta) != head->meta_crc || !parts) return damaged(false);
  if (content_ && head->kind == RecordKind::message) {
    const View content = octets.substr(kRecordHead + head->meta);
    if (content.size() != parts->facts.size || crc32c(content) != head->content_crc) return damaged(false);
    if (store.chunks.free() < content.size() / kBodyChunkSize + 1) {
      const Error error{EBUSY, "spool: no room in memory now"};
      return finish(&error);
    }
    CHECK(resident_->chunks.append(store.chunks, content));
    resident_->content_here = true;
  }
  if (resident_->stage == Resident::Stage::loading) {
    if (!take_message(*head, *parts, meta)) return damaged(false);
    if (entry.state_segment != kNoSegment) {
      reading_state_ = true;
      return read(entry.state_segment, std::uint64_t{entry.state_offset} * kRecordAlign, entry.state_length);
    }
  }
  finish(nullptr);
}

bool Loader::Job::take_message(const RecordHead& head, const MessageMeta& meta, View octets) {
  Resident& to = *resident_;
  octets.remove_prefix(kMessageMeta);
  if (!to.envelope.decode(octets.substr(0, meta.envelope))) return false;
  octets.remove_prefix(meta.envelope);
  if (!to.state.decode(octets.substr(0, meta.state)) || to.state.size() != to.envelope.recipient_count()) return false;
  octets.remove_prefix(meta.state);
  to.trace = octets;
  to.facts = meta.facts;
  to.large = head.kind == RecordKind::large;
  to.content_crc = head.content_crc;
  return true;
}

void Loader::Job::on_state() {
  const auto head = head_of(RecordKind::state, RecordKind::state);
  const View octets{reinterpret_cast<const char*>(memory_.data()) + offset_ % kBlock, length_};
  if (!head || head->total() != length_) return damaged(true);
  const View meta = octets.substr(kRecordHead, head->meta);
  if (crc32c(meta) != head->meta_crc || !resident_->state.decode(meta) ||
      resident_->state.size() != resident_->envelope.recipient_count())
    return damaged(true);
  finish(nullptr);
}

void Loader::Job::damaged(bool state) {
  Store& store = loader_.store_;
  Entry& entry = *store.ledger.index().find(id_);
  (state ? entry.state_damaged = 1 : entry.damaged = 1);
  ++store.statistics.damaged_messages;
  const Error error{EBADMSG, "spool: damaged on disk: message " + id_.text() + " in " +
                                 segment_name(store.ledger.segment(segment_).header.number)};
  finish(&error);
}

void Loader::Job::finish(const Error* error) {
  Store& store = loader_.store_;
  Resident& resident = *std::exchange(resident_, nullptr);
  if (resident.stage == Resident::Stage::loading) {
    resident.stage = error == nullptr ? Resident::Stage::live : Resident::Stage::ended;
    Entry* entry = store.ledger.index().find(id_);
    if (error != nullptr && entry != nullptr) entry->resident = kNoResident;
  }
  --loader_.busy_slots_;
  loader_.answer(*this, error);
  resident.release();
  loader_.next_waiting();
}

Loader::Loader(Store& store) : store_(store) {}
Loader::~Loader() = default;

void Loader::load(SpoolId id, bool content, Load& load) {
  load.id_ = id;
  load.content_ = content;
  Entry* entry = store_.ledger.index().find(id);
  if (entry == nullptr || entry->ending != 0) return load.complete(fail(ENOENT, "spool: no such message"));
  if (entry->resident != kNoResident) {
    Resident& resident = store_.residents.at(entry->resident);
    const bool enough = !content || resident.content_here || resident.large;
    if (resident.stage == Resident::Stage::live && enough) {
      resident.hold();
      return load.complete(&resident);
    }
  }
  if (entry->damaged != 0 || entry->state_damaged != 0) return load.complete(fail(EBADMSG, "spool: damaged on disk"));
  if (Job* job = job_of(id)) return job->waits.push_back(load);
  if (busy_slots_ == kSlots) return waiting_.push_back(load);
  start(*entry, load);
}

void Loader::start(Entry& entry, Load& load) {
  if (!store_.options.durable) return load.complete(fail(ENOENT, "spool: a null log keeps nothing"));
  Resident* resident = nullptr;
  if (entry.resident != kNoResident) {
    resident = &store_.residents.at(entry.resident);
    resident->hold();
  } else {
    resident = store_.residents.take();
    if (resident == nullptr) return load.complete(fail(EBUSY, "spool: no room in memory now"));
    resident->id = entry.id;
    resident->stage = Resident::Stage::loading;
    entry.resident = resident->slot;
  }
  auto free = std::find_if(jobs_.begin(), jobs_.end(), [](const auto& job) { return !job->busy(); });
  if (free == jobs_.end()) free = jobs_.insert(jobs_.end(), std::make_unique<Job>(*this, store_.batch_limit()));
  ++busy_slots_;
  (*free)->waits.push_back(load);
  (*free)->start(entry.id, entry, load.content_, *resident);
}

// Each waiter gets its message, or its load begins anew: it wants more, or what is there has changed.
void Loader::answer(Job& job, const Error* error) {
  List<Load, Load> waits;
  while (!job.waits.empty()) waits.push_back(job.waits.pop_front());
  const SpoolId id = job.id();
  while (!waits.empty()) {
    Load& one = waits.pop_front();
    if (error != nullptr)
      one.complete(std::unexpected(*error));
    else
      load(id, one.content_, one);
  }
}

// Not only one: it may be answered at once or join a job, and then no end of its own would look for the one behind it.
void Loader::next_waiting() {
  while (!waiting_.empty() && busy_slots_ < kSlots) {
    Load& next = waiting_.pop_front();
    load(next.id_, next.content_, next);
  }
}

Loader::Job* Loader::job_of(SpoolId id) const {
  for (const auto& job : jobs_)
    if (job->busy() && job->id() == id) return job.get();
  return nullptr;
}

}  // namespace ringpost::spool
