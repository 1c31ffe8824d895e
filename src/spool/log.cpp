// Collecting, sending, completing batches.
#include "spool/log.h"

#include <cerrno>

#include "ringpost/base/crc32c.h"
#include "spool/store.h"

namespace ringpost::spool {

Log::Log(Store& store, std::uint32_t number_, std::string directory_, ring::File directory_file_)
    : number(number_),
      directory(std::move(directory_)),
      directory_file(directory_file_),
      store_(store),
      one_(store.batch_limit()),
      two_(store.batch_limit()),
      linger_(this, ring::call<&Log::linger_over>),
      write_(store.ring, this, &Log::written),
      maker_(store, *this),
      keeper_(store, *this) {}

Log::~Log() {
  if (directory_file.open()) store_.ring.files().close(directory_file);
}

void Log::begin(std::uint64_t secret_, std::uint64_t count, std::uint64_t sequence, const Place& last) {
  secret = secret_;
  next_count = count;
  next_sequence_ = sequence + 1;
  open_->clear(sequence);
  last_ = last;
}

// ---- records

void Log::put_message(Resident& resident) {
  resident.stage = Resident::Stage::committing;
  if (!waiting_.empty() || !add_message(resident)) wait_for_room(resident, false);
}

void Log::put_state(Resident& resident, Commit* commit) {
  if (commit != nullptr) resident.waits.push_back(*commit);
  // It will be written as it is then.
  if (resident.Link<WaitingTag>::linked() || resident.group != nullptr) return;
  if (!waiting_.empty() || !add_state(resident)) wait_for_room(resident, true);
}

// Its waits go on with the group that it has joined.
void Log::leave_waiting(Resident& changed) {
  if (!changed.Link<WaitingTag>::linked()) return;
  changed.Link<WaitingTag>::unlink();
  changed.release();
}

void Log::put_end(SpoolId id) {
  // Without a Message there is nothing to wait with: the id waits alone.
  if (Entry* entry = store_.ledger.index().find(id); entry != nullptr) entry->ending = 1;
  if (!add_end(id)) discards_.push_back(id);
}

// True also when the message can never be taken: then it has failed already.
bool Log::add_message(Resident& resident) {
  RecordHead head = encode_message(resident);
  RecordHead state;
  std::size_t octets = round_up(head.total(), kRecordAlign);
  std::size_t records = 1;
  if (resident.beside != nullptr) {
    state = encode_state(*resident.beside);
    octets += round_up(state.total(), kRecordAlign);
    ++records;
  }
  if (kBatchHead + octets > store_.batch_limit()) {
    store_.fail_commits(resident, EMSGSIZE, "spool: the envelope is too large to be kept");
    return true;
  }
  if (!open_->fits(octets, records)) return false;
  write_message(resident, head);
  if (resident.beside != nullptr) {
    write_state(*resident.beside, state);
    resident.part();
  }
  added(true);
  return true;
}

RecordHead Log::encode_message(const Resident& resident) {
  std::string& meta = store_.scratch;
  meta.assign(kMessageMeta, '\0');
  resident.envelope.encode(meta);
  MessageMeta parts{.facts = resident.facts};
  parts.envelope = static_cast<std::uint32_t>(meta.size() - kMessageMeta);
  resident.state.encode(meta);
  parts.state = static_cast<std::uint32_t>(meta.size() - kMessageMeta - parts.envelope);
  parts.trace = static_cast<std::uint32_t>(resident.trace.size());
  meta += resident.trace;
  put_message_meta(meta.data(), parts);

  RecordHead head{.kind = resident.large ? RecordKind::large : RecordKind::message, .id = resident.id};
  head.meta = static_cast<std::uint32_t>(meta.size());
  head.size = static_cast<std::uint32_t>(meta.size() + (resident.large ? 0 : resident.gathered()));
  return head;
}

void Log::write_message(Resident& resident, RecordHead head) {
  const std::string& meta = store_.scratch;
  const std::uint64_t content = resident.large ? 0 : resident.gathered();
  head.sequence = open_->sequence;
  head.meta_crc = crc32c(meta);
  head.content_crc = resident.content_crc;
  if (!resident.large)
    for (std::uint64_t at = 0; at < content;) {
      const View piece = resident.chunks.piece(store_.chunks, at);
      head.content_crc = crc32c(piece, head.content_crc);
      at += piece.size();
    }
  char* to = open_->add(head, secret,
                        {.kind = head.kind,
                         .any_open = resident.state.count(message::Status::open) > 0,
                         .id = resident.id,
                         .message = &resident});
  CHECK(to != nullptr);
  to += meta.copy(to, meta.size());
  for (std::uint64_t at = 0; at < content;) {
    const View piece = resident.chunks.piece(store_.chunks, at);
    to += piece.copy(to, piece.size());
    at += piece.size();
  }
  while (!resident.waits.empty()) open_->wait(resident.waits.pop_front());
}

bool Log::add_state(Resident& resident) {
  const RecordHead head = encode_state(resident);
  if (!open_->fits(round_up(head.total(), kRecordAlign), 1)) return false;
  write_state(resident, head);
  added(false);
  return true;
}

// Of the state as it is now, or of the end of the message.
RecordHead Log::encode_state(const Resident& resident) {
  std::string& meta = store_.scratch_state;
  meta.clear();
  if (resident.state.ended()) return {.kind = RecordKind::end, .id = resident.id};
  resident.state.encode(meta);
  if (kBatchHead + kRecordHead + meta.size() + kRecordAlign > store_.batch_limit()) {
    // Thousands of recipients, each with a long text of its own: where they stand matters more than the words.
    message::State bare;
    bare.reset(resident.state.size(), {});
    for (std::size_t i = 0; i < resident.state.size(); ++i) {
      message::RecipientState one = resident.state.at(i);
      one.text = one.host = {};
      one.attempted = {};
      bare.set(i, one);
    }
    meta.clear();
    bare.encode(meta);
  }
  RecordHead head{.kind = RecordKind::state, .id = resident.id};
  head.meta = head.size = static_cast<std::uint32_t>(meta.size());
  return head;
}

void Log::write_state(Resident& resident, RecordHead head) {
  const std::string& meta = store_.scratch_state;
  head.sequence = open_->sequence;
  head.meta_crc = crc32c(meta);
  const bool any_open = resident.state.count(message::Status::open) > 0;
  char* to = open_->add(head, secret, {.kind = head.kind, .any_open = any_open, .id = head.id, .message = &resident});
  CHECK(to != nullptr);
  meta.copy(to, meta.size());
  if (head.kind == RecordKind::end)
    if (Entry* entry = store_.ledger.index().find(head.id); entry != nullptr) entry->ending = 1;
  while (!resident.waits.empty()) open_->wait(resident.waits.pop_front());
}

bool Log::add_end(SpoolId id) {
  const RecordHead head{.kind = RecordKind::end, .id = id, .sequence = open_->sequence};
  if (open_->add(head, secret, {.kind = head.kind, .id = id}) == nullptr) return false;
  if (Entry* entry = store_.ledger.index().find(id); entry != nullptr) entry->ending = 1;
  added(false);
  return true;
}

void Log::added(bool urgent) {
  if (urgent) open_->urgent = true;
  if (open_->urgent && !flying_)
    store_.ring.defer(flush_);
  else if (!open_->urgent && !linger_.armed())
    store_.ring.arm(linger_, kCommitInterval);
}

void Log::wait_for_room(Resident& resident, bool save) {
  resident.hold();
  resident.save_waits = save;
  waiting_.push_back(resident);
  open_->urgent = true;
  if (!flying_) store_.ring.defer(flush_);
}

void Log::take_up_waiting() {
  while (!discards_.empty() && add_end(discards_.back())) discards_.pop_back();
  while (!waiting_.empty()) {
    Resident& resident = waiting_.pop_front();
    if (!(resident.save_waits ? add_state(resident) : add_message(resident))) {
      waiting_.push_front(resident);
      open_->urgent = true;
      return;
    }
    resident.release();
  }
}

// ---- sending

void Log::linger_over() {
  lingered_ = true;
  flush();
}

void Log::flush() {
  if (flying_ || store_.stopped() || open_->empty()) return;
  if (!open_->urgent && !lingered_) return;
  if (!find_segment(open_->padded())) {
    starved_ = true;
    want_spares();
    return;
  }
  starved_ = false;
  send();
}

bool Log::find_segment(std::size_t octets) {
  if (current_ != nullptr && (current_->room() >= octets || !store_.options.durable)) return true;
  if (spares_.empty()) return false;
  Segment& spare = spares_.pop_front();
  --spare_count_;
  use(spare);
  want_spares();
  return true;
}

void Log::use(Segment& segment) {
  if (current_ != nullptr) {
    current_->state = Segment::State::closed;
    store_.ledger.loosen(*current_);
  }
  current_ = &segment;
  segment.state = Segment::State::current;
  segment.used = kFirstBatch;
  CHECK(segment.pins == 0 && segment.ends.empty());
}

void Log::send() {
  std::swap(open_, flight_);
  open_->clear(next_sequence_++);
  linger_.disarm();
  lingered_ = false;
  flying_ = true;
  flown_since_ = store_.ring.now();
  flight_->segment = current_->slot;
  flight_->place = {current_->header.number, current_->header.life, current_->used};
  BatchHead head{.log = number, .place = flight_->place, .sequence = flight_->sequence, .previous = last_};
  head.next_count = next_count;
  flight_octets_ = flight_->seal(head, secret);
  if (store_.options.durable) {
    current_->used += flight_octets_.size();
    write_.start(current_->file, flight_octets_, flight_->place.offset);
    take_up_waiting();
  } else {
    take_up_waiting();
    complete();
  }
}

void Log::on_written(int error) {
  if (error == 0) return complete();
  if (error == ENOSPC || error == EDQUOT) {
    // Only where rewriting needs new blocks (copy on write). The same octets go to the same place again later: nobody
    // was told anything about this batch yet.
    flight_waits_ = true;
    store_.no_space();
    return;
  }
  store_.stop({error, "spool: write to " + directory + "/" + segment_name(flight_->place.segment)});
}

void Log::complete() {
  last_ = flight_->place;
  Statistics& statistics = store_.statistics;
  ++statistics.batches;
  statistics.octets_written += flight_octets_.size();
  const std::uint64_t commits = statistics.commits;
  for (const Batch::Effect& effect : flight_->effects) apply(effect);
  statistics.batch_time.record(static_cast<std::uint64_t>((store_.ring.now() - flown_since_).count()));
  statistics.batch_octets.record(flight_octets_.size());
  statistics.batch_messages.record(statistics.commits - commits);
  flying_ = false;
  hand_out(*flight_, {});
  store_.loosened();
  if (!open_->empty() && (open_->urgent || lingered_)) store_.ring.defer(flush_);
}

void Log::apply(const Batch::Effect& effect) {
  const RecordPlace at{flight_->segment, flight_->place.offset + effect.offset, effect.length};
  switch (effect.kind) {
    case RecordKind::message:
    case RecordKind::large: {
      Entry* entry = store_.ledger.message(effect.id, at, effect.kind == RecordKind::large);
      CHECK(entry != nullptr);  // begin() counts the drafts
      entry->any_open = effect.any_open ? 1 : 0;
      entry->resident = effect.message->slot;
      effect.message->stage = Resident::Stage::live;
      --store_.drafts;
      ++store_.statistics.commits;
      break;
    }
    case RecordKind::state:
      if (Entry* entry = store_.ledger.state(effect.id, at); entry != nullptr)
        entry->any_open = effect.any_open ? 1 : 0;
      break;
    case RecordKind::end: {
      Entry gone;
      if (store_.ledger.end(effect.id, flight_->segment, gone)) store_.ended(gone);
      break;
    }
  }
}

void Log::hand_out(Batch& batch, const Result<void>& result) {
  if (!result)
    for (const Batch::Effect& effect : batch.effects)
      if ((effect.kind == RecordKind::message || effect.kind == RecordKind::large)) {
        effect.message->stage = Resident::Stage::ended;
        --store_.drafts;
      }
  while (!batch.waits.empty()) {
    Commit& commit = batch.waits.pop_front();
    commit.complete(*commit.message_, result);
  }
  for (const Batch::Effect& effect : batch.effects)
    if (effect.message != nullptr) effect.message->release();
  batch.effects.clear();
}

// ---- segments

void Log::add_spare(Segment& segment) {
  segment.state = Segment::State::spare;
  spares_.push_back(segment);
  ++spare_count_;
  if (starved_) store_.ring.defer(flush_);
  store_.freed();
  want_spares();
}

void Log::add_recovered_spare(Segment& segment) {
  segment.state = Segment::State::spare;
  spares_.push_back(segment);
  ++spare_count_;
}

bool Log::starved_by_disk() const { return flight_waits_ || (starved_ && store_.disk_full()); }

void Log::consider(Segment& segment) {
  CHECK(segment.quiet());
  // The newest batch tells which ids and sequences were used: whatever is deleted must be older than a batch that
  // stays.
  const bool told =
      current_ != nullptr && last_.segment == current_->header.number && last_.life == current_->header.life;
  const bool many = spare_count_ + keeper_.retiring() >= (own ? kSparesKept : 1);
  segment.state = Segment::State::leaving;
  if (many && told)
    keeper_.remove(segment);
  else
    keeper_.retire(segment);
}

void Log::want_spares() {
  if (!store_.options.durable || store_.stopped() || maker_.busy()) return;
  const std::size_t wanted = own ? kSparesWanted : (starved_ ? 1 : 0);
  if (spare_count_ + keeper_.retiring() >= wanted) return;
  // With none in hand, outcomes need it and may go into the reserve of the file system.
  if (spare_count_ > 0 && store_.disk_full()) return;
  maker_.start();
}

std::uint64_t Log::room() const {
  std::uint64_t sum = current_ != nullptr ? current_->room() : 0;
  sum -= std::min<std::uint64_t>(sum, open_->padded());
  return sum + spare_count_ * (store_.options.segment_size - kFirstBatch);
}

SegmentHeader Log::fresh_header(std::uint64_t segment_number, std::uint64_t life, std::uint64_t size) const {
  SegmentHeader header{.log = number, .number = segment_number, .life = life, .generation = 1, .secret = secret};
  header.size = size;
  header.next_count = next_count;
  header.next_sequence = next_sequence_;
  return header;
}

bool Log::satisfied() const {
  return !flight_waits_ && !starved_ && !maker_.busy() && !keeper_.waits() && (!own || spare_count_ > 0);
}

bool Log::idle() const {
  return open_->empty() && !flying_ && waiting_.empty() && discards_.empty() && !maker_.busy() && !keeper_.busy();
}

void Log::go_again() {
  if (flight_waits_) {
    flight_waits_ = false;
    write_.start(store_.ledger.segment(flight_->segment).file, flight_octets_, flight_->place.offset);
  }
  keeper_.go_again();
  want_spares();
}

void Log::stop() {
  linger_.disarm();
  const Result<void> failed = std::unexpected(store_.failure());
  while (!waiting_.empty()) {
    Resident& resident = waiting_.pop_front();
    if (resident.save_waits)
      while (!resident.waits.empty()) open_->wait(resident.waits.pop_front());
    else
      store_.fail_commits(resident, store_.failure().code, store_.failure().text);
    resident.release();
  }
  hand_out(*open_, failed);
  // What the kernel still writes may become durable: its waits are told when it is back.
  if (flying_ && !write_.busy()) {
    flying_ = false;
    hand_out(*flight_, failed);
  }
}

}  // namespace ringpost::spool
