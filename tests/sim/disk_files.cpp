// The calls of ring::Files on the simulated disk: each is begun and finished at once, in no virtual time.
#include <algorithm>
#include <cerrno>

#include "disk.h"
#include "disk_inode.h"

namespace ringpost::sim {

class SimFiles final : public ring::Files {
 public:
  explicit SimFiles(Disk& disk) : disk_(disk) {}

  Result<ring::File> open(const std::string& path, Open mode) override { return disk_.open(path, mode); }
  void close(ring::File file) override { disk_.close(file); }

  Result<std::size_t> read(ring::File file, Room room, std::uint64_t offset) override {
    DiskWork work = disk_.begin_read(file, room, offset);
    disk_.finish(work);
    if (work.result < 0 || disk_.cut()) return failed(work.result, "read");
    return static_cast<std::size_t>(work.result);
  }

  Result<void> write(ring::File file, View octets, std::uint64_t offset) override {
    while (!octets.empty()) {
      DiskWork work = disk_.begin_write(file, octets, offset, false);
      disk_.finish(work);
      if (work.result <= 0 || disk_.cut()) return failed(work.result, "write");
      octets.remove_prefix(static_cast<std::size_t>(work.result));
      offset += static_cast<std::size_t>(work.result);
    }
    return {};
  }

  Result<void> allocate(ring::File file, std::uint64_t size) override {
    return answer(disk_.allocate(file, size), "allocate");
  }

  Result<void> truncate(ring::File file, std::uint64_t size) override {
    return answer(disk_.truncate(file, size), "truncate");
  }

  Result<void> sync(ring::File file) override {
    DiskWork work = disk_.begin_sync(file);
    disk_.finish(work);
    return answer(work.result, "sync");
  }

  Result<std::uint64_t> size(ring::File file) override {
    if (const int fault = disk_.enter(DiskCall::size, false); fault != 0) return failed(fault, "size");
    const Disk::Handle* open = disk_.handle(file);
    if (open == nullptr) return failed(-EBADF, "size");
    return disk_.node(open->inode).size;
  }

  Result<std::vector<std::string>> list(const std::string& directory) override {
    if (const int fault = disk_.enter(DiskCall::list, false); fault != 0) return failed(fault, directory);
    const Disk::Place place = disk_.find(directory);
    if (place.inode == 0) return failed(-ENOENT, directory);
    const Disk::Inode& inode = disk_.node(place.inode);
    if (!inode.directory) return failed(-ENOTDIR, directory);
    std::vector<std::string> names;
    for (const auto& [name, id] : inode.entries) names.push_back(name);
    // A directory has no order: nobody may rely on that of the map.
    for (std::size_t i = names.size(); i > 1; --i) std::swap(names[i - 1], names[disk_.random_.below(i)]);
    return names;
  }

  Result<void> make_directory(const std::string& path) override {
    if (const int fault = disk_.enter(DiskCall::make_directory, true); fault != 0) return failed(fault, path);
    return answer(disk_.make_directory(path), path);
  }

  Result<void> remove(const std::string& path) override { return answer(disk_.remove(path), path); }

  Result<void> rename(const std::string& from, const std::string& to) override {
    return answer(disk_.rename(from, to), from);
  }

  Result<ring::File> lock(const std::string& path) override {
    if (const int fault = disk_.enter(DiskCall::lock, false); fault != 0) return failed(fault, path);
    Disk::Place place = disk_.find(path);
    if (place.directory == 0) return failed(-ENOENT, path);
    if (place.inode == 0) place.inode = disk_.make(place, false).id;
    Disk::Inode& inode = disk_.node(place.inode);
    if (inode.locked) return failed(-EWOULDBLOCK, path);
    inode.locked = true;
    const ring::File file = disk_.add_handle(place.inode, Open::write);
    disk_.handle(file)->locked = true;
    return file;
  }

  Result<Space> space(const std::string& directory) override {
    if (const int fault = disk_.enter(DiskCall::space, false); fault != 0) return failed(fault, directory);
    const std::uint64_t used = disk_.used();
    return Space{disk_.capacity_ > used ? disk_.capacity_ - used : 0, 1'000'000};
  }

 private:
  std::unexpected<Error> failed(int result, const std::string& what) const {
    return Disk::fail_with(result < 0 ? result : -EIO, what);
  }
  Result<void> answer(int result, const std::string& what) const {
    if (result < 0 || disk_.cut()) return failed(result, what);
    return {};
  }

  Disk& disk_;
};

ring::Files& Disk::files() {
  if (!files_) files_ = std::make_unique<SimFiles>(*this);
  return *files_;
}

}  // namespace ringpost::sim
