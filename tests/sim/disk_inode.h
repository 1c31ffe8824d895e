// One file or directory of the simulated disk: what readers see now, what is on the medium, and the writes between.
// Private to disk.cpp.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "disk.h"

namespace ringpost::sim {

// Octets by offset; what was never written reads as zero and takes no memory.
class Blocks {
 public:
  static constexpr std::size_t kBlock = 4096;

  void write(std::uint64_t offset, View octets);
  void read(std::uint64_t offset, Room room) const;
  void copy_from(const Blocks& other);

 private:
  using Block = std::array<char, kBlock>;
  std::vector<std::unique_ptr<Block>> blocks_;
};

// A write that readers see and the medium may lack. Whole sectors: what stood around it is part of it.
struct PendingWrite {
  std::uint64_t number = 0;
  std::uint64_t offset = 0;
  std::string octets{};
  std::vector<bool> settled{};  // sectors that a later write has made durable meanwhile
  std::uint64_t size_after = 0;
  bool in_flight = true;
};

struct Disk::Inode {
  std::uint64_t id = 0;
  bool directory = false;
  bool locked = false;
  unsigned handles = 0;

  std::uint64_t size = 0;
  std::uint64_t durable_size = 0;
  Blocks current;
  Blocks durable;
  std::vector<PendingWrite> pending;

  std::map<std::string, std::uint64_t> entries;
  std::map<std::string, std::uint64_t> durable_entries;

  PendingWrite* find_pending(std::uint64_t number);
  // Makes one pending write durable, or those of its sectors that `survives` picks, and forgets it.
  void settle(std::size_t index, Survivors* survives);
  // After a power loss: what readers see is what is on the medium.
  void revert();
};

}  // namespace ringpost::sim
