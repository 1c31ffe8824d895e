// The face: thin over the store.
#include "ringpost/spool.h"

#include <algorithm>

#include "spool/opening.h"
#include "spool/store.h"

namespace ringpost::spool {

struct Spool::Parts {
  Parts(ring::Ring& ring, const Options& options) : store(ring, options) {}
  Store store;
};

Spool::Spool(std::unique_ptr<Parts> parts) : parts_(std::move(parts)) {}
Spool::~Spool() = default;

Result<std::unique_ptr<Spool>> Spool::open(ring::Ring& ring, const Options& options, const OnMessage& on_message,
                                           Recovery& recovery) {
  std::unique_ptr<Spool> spool{new Spool{std::make_unique<Parts>(ring, options)}};
  Opening opening{spool->parts_->store, on_message, recovery};
  if (auto opened = opening.run(); !opened) return std::unexpected(opened.error());
  return spool;
}

Refusal Spool::refusal() const { return parts_->store.refusal(); }

Message* Spool::begin() {
  Store& store = parts_->store;
  if (store.refusal() != Refusal::none) return nullptr;
  Resident* resident = store.residents.take();
  if (resident == nullptr) return nullptr;
  ++store.drafts;
  resident->id = store.own->next_id();
  resident->content = resident;
  return resident;
}

void Spool::commit(Message& message, Commit& commit) {
  commit.message_ = &message;
  parts_->store.commit(resident_of(message), commit);
}

Message* Spool::begin_beside(const Message& original) {
  Store& store = parts_->store;
  Log& log = *store.log_of(original.id);
  if (store.refuses_beside(log)) return nullptr;
  Resident* resident = store.residents.take();
  if (resident == nullptr) return nullptr;
  ++store.drafts;
  resident->id = log.next_id();
  resident->content = resident;
  return resident;
}

void Spool::commit_beside(Message& made, Message& changed, Commit& commit) {
  commit.message_ = &made;
  parts_->store.commit_beside(resident_of(made), resident_of(changed), commit);
}

void Spool::load(SpoolId id, Want want, Load& load) { parts_->store.loader.load(id, want == Want::content, load); }

bool Spool::warm(SpoolId id) const {
  const Store& store = parts_->store;
  const Entry* entry = store.ledger.index().find(id);
  if (entry == nullptr || entry->ending != 0 || entry->resident == kNoResident) return false;
  const Resident& resident = store.residents.at(entry->resident);
  return resident.stage == Resident::Stage::live && (resident.content_here || resident.large);
}

void Spool::save(Message& message, Commit* commit) {
  if (commit != nullptr) commit->message_ = &message;
  parts_->store.save(resident_of(message), commit);
}

bool Spool::discard(SpoolId id) {
  Store& store = parts_->store;
  const Entry* entry = store.ledger.index().find(id);
  if (entry == nullptr || entry->ending != 0 || store.stopped()) return false;
  store.log_of(id)->put_end(id);
  return true;
}

bool Spool::takes_outcomes() const { return parts_->store.takes_outcomes(); }

bool Spool::resident(SpoolId id) const {
  const Store& store = parts_->store;
  const Entry* entry = store.ledger.index().find(id);
  return entry != nullptr && entry->resident != kNoResident &&
         store.residents.at(entry->resident).stage == Resident::Stage::live;
}

bool Spool::takes_discards() const {
  return std::ranges::all_of(parts_->store.logs, [](const auto& log) { return log->takes_ends(); });
}

Note* Spool::note(SpoolId id) const {
  const Index& index = parts_->store.ledger.index();
  const Entry* entry = index.find(id);
  return entry != nullptr ? &index.note(*entry) : nullptr;
}

std::size_t Spool::scan(std::size_t from, std::size_t places, const std::function<void(const Listed&)>& visit) const {
  const Index& index = parts_->store.ledger.index();
  return index.scan(from, places, [&](const Entry& entry) {
    if (entry.ending != 0) return;
    visit({.id = entry.id, .damaged = entry.damaged != 0 || entry.state_damaged != 0, .note = index.note(entry)});
  });
}

std::size_t Spool::size() const { return parts_->store.ledger.index().size(); }
bool Spool::idle() const { return parts_->store.idle(); }

const Statistics& Spool::statistics() const {
  Store& store = parts_->store;
  store.statistics.messages = store.ledger.index().size();
  store.statistics.segments = store.ledger.segment_count();
  store.statistics.index_octets = store.ledger.index().octets_touched();
  store.statistics.chunks_free = store.chunks.free();
  return store.statistics;
}

void Spool::on_failure(void* owner, void (*failed)(void* owner, const Error&)) {
  parts_->store.failure_owner = owner;
  parts_->store.on_failure = failed;
}

void Spool::on_relief(void* owner, void (*relief)(void* owner)) {
  parts_->store.relief_owner = owner;
  parts_->store.on_relief = relief;
}

Result<ring::File> lock(ring::Files& files, const std::string& directory) {
  if (auto made = files.make_directory(directory); !made) return std::unexpected(made.error());
  return files.lock(directory + "/lock");
}

}  // namespace ringpost::spool
