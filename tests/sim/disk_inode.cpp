// Contents of a simulated file and the rule of what a sync or a power loss makes of them.
#include "disk_inode.h"

#include <algorithm>
#include <cstring>

namespace ringpost::sim {
namespace {

bool all_zero(View octets) {
  return octets.empty() || (octets[0] == 0 && std::memcmp(octets.data(), octets.data() + 1, octets.size() - 1) == 0);
}

}  // namespace

void Blocks::write(std::uint64_t offset, View octets) {
  while (!octets.empty()) {
    const std::size_t index = offset / kBlock;
    const std::size_t within = offset % kBlock;
    const std::size_t n = std::min(octets.size(), kBlock - within);
    const View part = octets.substr(0, n);
    if (index >= blocks_.size()) blocks_.resize(index + 1);
    auto& block = blocks_[index];
    if (!block && !all_zero(part)) block = std::make_unique<Block>();
    if (block) std::memcpy(block->data() + within, part.data(), n);
    offset += n;
    octets.remove_prefix(n);
  }
}

void Blocks::read(std::uint64_t offset, Room room) const {
  while (!room.empty()) {
    const std::size_t index = offset / kBlock;
    const std::size_t within = offset % kBlock;
    const std::size_t n = std::min(room.size(), kBlock - within);
    if (index < blocks_.size() && blocks_[index])
      std::memcpy(room.data(), blocks_[index]->data() + within, n);
    else
      std::memset(room.data(), 0, n);
    offset += n;
    room = room.subspan(n);
  }
}

void Blocks::copy_from(const Blocks& other) {
  blocks_.resize(other.blocks_.size());
  for (std::size_t i = 0; i < blocks_.size(); ++i) {
    if (!other.blocks_[i])
      blocks_[i].reset();
    else if (blocks_[i])
      *blocks_[i] = *other.blocks_[i];
    else
      blocks_[i] = std::make_unique<Block>(*other.blocks_[i]);
  }
}

PendingWrite* Disk::Inode::find_pending(std::uint64_t number) {
  const auto it = std::find_if(pending.begin(), pending.end(), [&](const auto& w) { return w.number == number; });
  return it == pending.end() ? nullptr : &*it;
}

void Disk::Inode::settle(std::size_t index, Survivors* survives) {
  const PendingWrite& write = pending[index];
  const std::size_t sectors = write.octets.size() / kSector;
  for (std::size_t s = 0; s < sectors; ++s) {
    if (!write.settled.empty() && write.settled[s]) continue;
    if (survives != nullptr && !(*survives)()) continue;
    const std::uint64_t at = write.offset + s * kSector;
    durable.write(at, View(write.octets).substr(s * kSector, kSector));
    // Older versions of this sector are history: they must not come back over it.
    for (std::size_t i = 0; i < index; ++i) {
      PendingWrite& older = pending[i];
      if (at < older.offset || at >= older.offset + older.octets.size()) continue;
      if (older.settled.empty()) older.settled.resize(older.octets.size() / kSector);
      older.settled[(at - older.offset) / kSector] = true;
    }
  }
  if (write.size_after > durable_size && (survives == nullptr || (*survives)())) durable_size = write.size_after;
  pending.erase(pending.begin() + static_cast<std::ptrdiff_t>(index));
}

void Disk::Inode::revert() {
  pending.clear();
  current.copy_from(durable);
  size = durable_size;
  entries = durable_entries;
  handles = 0;
  locked = false;
}

}  // namespace ringpost::sim
