// The simulated disk: names, handles, faults and the two halves of each call. What a sync means for octets is in
// disk_inode.cpp, the calls of ring::Files in disk_files.cpp.
#include "disk.h"

#include <algorithm>
#include <cerrno>
#include <set>
#include <utility>

#include "disk_inode.h"

namespace ringpost::sim {
namespace {

constexpr std::uint64_t kRoot = 1;
constexpr std::uint64_t kMillion = 1'000'000;

std::uint64_t round_up(std::uint64_t size, std::uint64_t unit) { return (size + unit - 1) / unit * unit; }

bool matches(DiskCall wanted, DiskCall call, bool changes) {
  return wanted == call || wanted == DiskCall::any || (wanted == DiskCall::change && changes);
}

bool is_direct(ring::Files::Open mode) {
  return mode == ring::Files::Open::read_direct || mode == ring::Files::Open::write_direct;
}

bool may_write(ring::Files::Open mode) {
  using enum ring::Files::Open;
  return mode == write || mode == write_direct || mode == create || mode == append;
}

// The memory, the place and the length of direct I/O keep to sectors, or the kernel says EINVAL.
bool aligned(const void* memory, std::uint64_t offset, std::size_t length) {
  return (reinterpret_cast<std::uintptr_t>(memory) | offset | length) % Disk::kSector == 0;
}

}  // namespace

Survivors survive_none() {
  return [] { return false; };
}
Survivors survive_all() {
  return [] { return true; };
}
Survivors survive_by_chance(std::uint64_t seed, std::uint64_t percent) {
  return [random = Random(seed), percent]() mutable { return random.chance(percent, 100); };
}
Survivors survive_by_bits(std::uint64_t bits) {
  return [bits, n = 0u]() mutable { return ((bits >> (n++ % 64)) & 1) != 0; };
}

Disk::Disk(std::uint64_t seed) : random_(seed) {
  auto root = std::make_unique<Inode>();
  root->id = kRoot;
  root->directory = true;
  inodes_.emplace(kRoot, std::move(root));
}

Disk::~Disk() = default;

// ---- faults and counts

void Disk::fail(DiskCall call, std::uint64_t nth, int code, std::uint64_t times) {
  CHECK(nth > 0 && times > 0 && code > 0);
  planned_.push_back({call, nth - 1, times, code});
}

void Disk::cut_at(DiskCall call, std::uint64_t nth) {
  CHECK(nth > 0);
  cut_ = {call, nth};
}

int Disk::enter(DiskCall call, bool changes) {
  if (off_) return -EIO;
  ++counts_[static_cast<std::size_t>(call)];
  if (changes) ++counts_[static_cast<std::size_t>(DiskCall::change)];
  ++counts_[static_cast<std::size_t>(DiskCall::any)];
  if (cut_.left > 0 && matches(cut_.call, call, changes) && --cut_.left == 0) off_ = true;
  int result = 0;
  for (Planned& plan : planned_) {
    if (plan.times == 0 || !matches(plan.call, call, changes)) continue;
    if (plan.skip > 0) {
      --plan.skip;
      continue;
    }
    --plan.times;
    if (result == 0) result = -plan.code;
  }
  return result != 0 ? result : drawn_fault(call);
}

int Disk::drawn_fault(DiskCall call) {
  const auto drawn = [&](unsigned chance) { return chance > 0 && random_.chance(chance, kMillion); };
  if (call == DiskCall::open && drawn(faults_.open_error)) return -EMFILE;
  if (call == DiskCall::read && drawn(faults_.read_error)) return -EIO;
  if (call == DiskCall::sync && drawn(faults_.sync_error)) return -EIO;
  if (call == DiskCall::write && drawn(faults_.write_error)) return -EIO;
  if (call == DiskCall::write || call == DiskCall::allocate) {
    if (drawn(faults_.no_space)) return -ENOSPC;
    if (drawn(faults_.quota)) return -EDQUOT;
  }
  return 0;
}

Duration Disk::latency(DiskCall call) {
  const Duration most = call == DiskCall::sync ? timing_.sync_most : timing_.most;
  const auto range = static_cast<std::uint64_t>((most - timing_.least).count());
  Duration taken = timing_.least + Duration{static_cast<std::int64_t>(random_.below(range + 1))};
  if (faults_.stall > 0 && random_.chance(faults_.stall, kMillion))
    taken += Duration{static_cast<std::int64_t>(random_.below(static_cast<std::uint64_t>(timing_.stall_most.count())))};
  return taken;
}

// ---- names

Disk::Inode& Disk::node(std::uint64_t id) const {
  const auto it = inodes_.find(id);
  CHECK(it != inodes_.end());
  return *it->second;
}

// Place.directory 0: some directory on the way does not exist. The root is its own place.
Disk::Place Disk::find(const std::string& path) const {
  Place place{kRoot, "", kRoot};
  std::size_t at = 0;
  while (at < path.size()) {
    const std::size_t end = std::min(path.find('/', at), path.size());
    std::string name = path.substr(at, end - at);
    at = end + 1;
    if (name.empty() || name == ".") continue;
    if (place.inode == 0 || !node(place.inode).directory) return {};
    const Inode& directory = node(place.inode);
    const auto entry = directory.entries.find(name);
    place = {directory.id, std::move(name), entry == directory.entries.end() ? 0 : entry->second};
  }
  return place;
}

void Disk::apply(Inode& directory, const Change& change, bool durable) {
  auto& entries = durable ? directory.durable_entries : directory.entries;
  if (change.inode == 0)
    entries.erase(change.name);
  else
    entries[change.name] = change.inode;
}

void Disk::apply_durable(const std::vector<Change>& changes) {
  for (const Change& each : changes)
    if (inodes_.contains(each.directory)) apply(node(each.directory), each, true);
}

void Disk::change(std::vector<Change> changes) {
  for (const Change& each : changes) apply(node(each.directory), each, false);
  changes_.push_back(std::move(changes));
}

Disk::Inode& Disk::make(const Place& place, bool directory) {
  auto made = std::make_unique<Inode>();
  made->id = next_inode_++;
  made->directory = directory;
  Inode& inode = *made;
  inodes_.emplace(inode.id, std::move(made));
  change({{place.directory, place.name, inode.id}});
  return inode;
}

int Disk::make_directory(const std::string& path) {
  for (std::size_t at = 1; at <= path.size(); ++at) {
    if (at != path.size() && path[at] != '/') continue;
    const Place place = find(path.substr(0, at));
    if (place.directory == 0) return -ENOTDIR;
    if (place.inode == 0)
      make(place, true);
    else if (!node(place.inode).directory)
      return -EEXIST;
  }
  return 0;
}

void Disk::prepare_directory(const std::string& path) {
  CHECK(make_directory(path) == 0);
  for (const auto& changes : changes_) apply_durable(changes);
  changes_.clear();
}

int Disk::remove(const std::string& path) {
  if (const int fault = enter(DiskCall::remove, true); fault != 0) return fault;
  const Place place = find(path);
  if (place.inode == 0) return -ENOENT;
  if (node(place.inode).directory) return -EISDIR;
  change({{place.directory, place.name, 0}});
  collect();
  return 0;
}

int Disk::rename(const std::string& from, const std::string& to) {
  if (const int fault = enter(DiskCall::rename, true); fault != 0) return fault;
  const Place source = find(from);
  const Place target = find(to);
  if (source.inode == 0 || target.directory == 0) return -ENOENT;
  change({{source.directory, source.name, 0}, {target.directory, target.name, source.inode}});
  collect();
  return 0;
}

void Disk::collect() {
  std::set<std::uint64_t> live{kRoot};
  for (const auto& [id, inode] : inodes_) {
    if (inode->handles > 0) live.insert(id);
    for (const auto& [name, entry] : inode->entries) live.insert(entry);
    for (const auto& [name, entry] : inode->durable_entries) live.insert(entry);
  }
  for (const auto& changes : changes_)
    for (const Change& each : changes) live.insert({each.directory, each.inode});
  std::erase_if(inodes_, [&](const auto& item) { return !live.contains(item.first); });
}

// ---- handles

Disk::Handle* Disk::handle(ring::File file) {
  const auto it = handles_.find(file.fd);
  return it == handles_.end() ? nullptr : &it->second;
}

ring::File Disk::add_handle(std::uint64_t inode, ring::Files::Open mode) {
  ++node(inode).handles;
  handles_.emplace(next_fd_, Handle{inode, mode});
  return {next_fd_++};
}

Result<ring::File> Disk::open(const std::string& path, ring::Files::Open mode) {
  using enum ring::Files::Open;
  Place place = find(path);
  const bool makes = mode == create || (mode == append && place.inode == 0);
  if (const int fault = enter(DiskCall::open, makes); fault != 0) return fail_with(fault, path);
  if (place.directory == 0) return fail_with(-ENOENT, path);
  if (mode == create && place.inode != 0) return fail_with(-EEXIST, path);
  if (makes) place.inode = make(place, false).id;
  if (place.inode == 0) return fail_with(-ENOENT, path);
  const bool is_directory = node(place.inode).directory;
  if (is_directory != (mode == directory)) return fail_with(is_directory ? -EISDIR : -ENOTDIR, path);
  if (mode == write_direct && refuse_direct_) return fail_with(-EINVAL, path);
  return add_handle(place.inode, mode == read_direct && refuse_direct_ ? read : mode);
}

void Disk::close(ring::File file) {
  if (file.fd < first_fd_) return;  // of an earlier life: gone with its process
  Handle* open = handle(file);
  CHECK(open != nullptr);  // closed twice, or never opened
  Inode& inode = node(open->inode);
  --inode.handles;
  if (open->locked) inode.locked = false;
  handles_.erase(file.fd);
}

std::unexpected<Error> Disk::fail_with(int result, const std::string& path) {
  return ringpost::fail(-result, "simulated disk: " + path);
}

// ---- the two halves of a call

DiskWork Disk::begin_read(ring::File file, Room room, std::uint64_t offset) {
  DiskWork work{.call = DiskCall::read, .offset = offset, .room = room};
  work.result = enter(DiskCall::read, false);
  const Handle* open = handle(file);
  if (work.result == 0 && open == nullptr) work.result = -EBADF;
  if (work.result == 0 && is_direct(open->mode) && !aligned(room.data(), offset, room.size())) work.result = -EINVAL;
  if (work.result < 0) return work;
  const Inode& inode = node(open->inode);
  const std::uint64_t there = offset < inode.size ? inode.size - offset : 0;
  work.inode = inode.id;
  work.result = static_cast<int>(std::min<std::uint64_t>(there, room.size()));
  work.room = room.first(static_cast<std::size_t>(work.result));
  return work;
}

std::size_t Disk::fitting(const Inode& inode, std::uint64_t offset, std::size_t length) const {
  const std::uint64_t end = round_up(offset + length, Blocks::kBlock);
  const std::uint64_t had = round_up(inode.size, Blocks::kBlock);
  if (end <= had) return length;
  const std::uint64_t taken = used();
  const std::uint64_t room = had + (capacity_ > taken ? capacity_ - taken : 0);
  if (offset >= room) return 0;
  return static_cast<std::size_t>(std::min<std::uint64_t>(length, room / kSector * kSector - offset));
}

void Disk::put(Inode& inode, std::uint64_t offset, View octets, DiskWork& work) {
  inode.current.write(offset, octets);
  PendingWrite pending{.number = next_write_++};
  const std::uint64_t end = offset + octets.size();
  pending.offset = offset / kSector * kSector;
  pending.octets.resize(static_cast<std::size_t>(round_up(end, kSector) - pending.offset));
  inode.current.read(pending.offset, pending.octets);
  if (end > inode.size) pending.size_after = inode.size = end;
  work.write = pending.number;
  inode.pending.push_back(std::move(pending));
}

DiskWork Disk::begin_write(ring::File file, View octets, std::uint64_t offset, bool durable) {
  DiskWork work{.call = DiskCall::write, .durable = durable};
  const bool was_off = off_;
  const int fault = enter(DiskCall::write, true);
  const Handle* open = handle(file);
  if (was_off) {
    work.result = -EIO;
  } else if (open == nullptr || !may_write(open->mode)) {
    work.result = -EBADF;
  } else if (is_direct(open->mode) && !aligned(octets.data(), offset, octets.size())) {
    work.result = -EINVAL;
  } else {
    Inode& inode = node(open->inode);
    work.inode = inode.id;
    if (open->mode == ring::Files::Open::append) offset = inode.size;
    std::size_t length = fitting(inode, offset, octets.size());
    const bool full = length == 0 && !octets.empty();
    if (fault == -EIO) length = static_cast<std::size_t>(random_.below(length / kSector + 1)) * kSector;
    if (fault == 0 && length > kSector && faults_.short_write > 0 && random_.chance(faults_.short_write, kMillion))
      length = (1 + static_cast<std::size_t>(random_.below(length / kSector - 1))) * kSector;
    work.result = fault != 0 ? fault : full ? -ENOSPC : static_cast<int>(length);
    if (lie_ == DiskLie::drops_some && random_.chance(1, 200)) return work;
    if (length > 0 && (fault == 0 || fault == -EIO)) put(inode, offset, octets.substr(0, length), work);
  }
  return work;
}

DiskWork Disk::begin_sync(ring::File file) {
  DiskWork work{.call = DiskCall::sync};
  work.result = enter(DiskCall::sync, true);
  const Handle* open = handle(file);
  if (open == nullptr) work.result = -EBADF;
  if (work.result == -EBADF || off_) return work;
  const Inode& inode = node(open->inode);
  work.inode = inode.id;
  work.before = next_write_;
  work.failed_sync = work.result < 0;
  for (const PendingWrite& write : inode.pending)
    if (write.in_flight) work.except.push_back(write.number);
  return work;
}

int Disk::allocate(ring::File file, std::uint64_t size) {
  if (const int fault = enter(DiskCall::allocate, true); fault != 0) return fault;
  const Handle* open = handle(file);
  if (open == nullptr || !may_write(open->mode)) return -EBADF;
  Inode& inode = node(open->inode);
  if (size <= inode.size) return 0;
  if (fitting(inode, inode.size, static_cast<std::size_t>(size - inode.size)) < size - inode.size) return -ENOSPC;
  inode.size = size;
  inode.pending.push_back({.number = next_write_++, .size_after = size, .in_flight = false});
  return 0;
}

int Disk::truncate(ring::File file, std::uint64_t size) {
  if (const int fault = enter(DiskCall::truncate, true); fault != 0) return fault;
  const Handle* open = handle(file);
  if (open == nullptr || !may_write(open->mode)) return -EBADF;
  Inode& inode = node(open->inode);
  if (size >= inode.size) return 0;
  const std::string nothing(static_cast<std::size_t>(inode.size - size), '\0');
  inode.current.write(size, nothing);
  std::erase_if(inode.pending, [size](const PendingWrite& write) { return write.offset >= size; });
  for (PendingWrite& write : inode.pending) write.size_after = std::min(write.size_after, size);
  inode.size = size;
  inode.durable_size = std::min(inode.durable_size, size);
  return 0;
}

void Disk::finish(DiskWork& work) {
  if (off_ || !inodes_.contains(work.inode)) return;
  if (lie_ == DiskLie::not_durable && work.call != DiskCall::read) return;
  Inode& inode = node(work.inode);
  if (work.call == DiskCall::read) {
    if (work.result > 0) inode.current.read(work.offset, work.room);
  } else if (work.call == DiskCall::write) {
    PendingWrite* write = inode.find_pending(work.write);
    if (write == nullptr) return;
    write->in_flight = false;
    if (work.durable && work.result >= 0) inode.settle(static_cast<std::size_t>(write - inode.pending.data()), nullptr);
  } else if (work.call == DiskCall::sync) {
    finish_sync(inode, work);
  }
}

void Disk::finish_sync(Inode& inode, DiskWork& work) {
  // A failed sync has written some of it and marked all of it clean.
  Survivors some = survive_by_chance(random_.next());
  for (std::size_t i = 0; i < inode.pending.size();) {
    const std::uint64_t number = inode.pending[i].number;
    const bool excepted = std::find(work.except.begin(), work.except.end(), number) != work.except.end();
    if (number >= work.before || excepted)
      ++i;
    else
      inode.settle(i, work.failed_sync ? &some : nullptr);
  }
  if (!inode.directory || work.failed_sync) return;
  std::erase_if(changes_, [&](const std::vector<Change>& changes) {
    if (std::none_of(changes.begin(), changes.end(), [&](const Change& c) { return c.directory == inode.id; }))
      return false;
    apply_durable(changes);
    return true;
  });
  collect();
}

// ---- ends of a process, and the view from outside

std::size_t Disk::unsynced() const {
  std::size_t things = changes_.size();
  for (const auto& [id, inode] : inodes_) {
    std::uint64_t size = inode->durable_size;
    for (const PendingWrite& write : inode->pending) {
      const auto settled = std::count(write.settled.begin(), write.settled.end(), true);
      things += write.octets.size() / kSector - static_cast<std::size_t>(settled);
      if (write.size_after > size) ++things;
    }
  }
  return things;
}

std::uint64_t Disk::used() const {
  std::uint64_t octets = 0;
  for (const auto& [id, inode] : inodes_) octets += round_up(inode->size, Blocks::kBlock);
  return octets;
}

void Disk::lose_power(Survivors survives) {
  for (const auto& changes : changes_)
    if (survives()) apply_durable(changes);
  changes_.clear();
  for (auto& [id, inode] : inodes_) {
    while (!inode->pending.empty()) inode->settle(0, &survives);
    inode->revert();
  }
  handles_.clear();
  first_fd_ = next_fd_;
  off_ = false;
  cut_.left = 0;
  collect();
}

void Disk::kill_process() {
  for (auto& [fd, open] : handles_) {
    Inode& inode = node(open.inode);
    --inode.handles;
    inode.locked = false;
  }
  handles_.clear();
  first_fd_ = next_fd_;
  for (auto& [id, inode] : inodes_)
    for (PendingWrite& write : inode->pending) write.in_flight = false;
  collect();
}

bool Disk::exists(const std::string& path) const { return find(path).inode != 0; }

std::string Disk::contents(const std::string& path) const {
  const Place place = find(path);
  CHECK(place.inode != 0);
  const Inode& inode = node(place.inode);
  std::string octets(static_cast<std::size_t>(inode.size), '\0');
  inode.current.read(0, octets);
  return octets;
}

void Disk::damage(const std::string& path, std::uint64_t offset, View octets) {
  const Place place = find(path);
  CHECK(place.inode != 0);
  Inode& inode = node(place.inode);
  CHECK(offset + octets.size() <= inode.durable_size);
  inode.current.write(offset, octets);
  inode.durable.write(offset, octets);
}

}  // namespace ringpost::sim
