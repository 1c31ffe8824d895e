// The real file system, by plain system calls. Stateless: any thread. Every error names the call and the path, or
// the descriptor's path where only that is known.
#include <dirent.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <cerrno>
#include <climits>
#include <memory>

#include "kernel_ring.h"
#include "ringpost/base/fd.h"

namespace ringpost::ring {
namespace {

constexpr mode_t kFileMode = 0640;
constexpr mode_t kDirectoryMode = 0750;

// The path of an open file, for error texts.
std::string path_of(File file) {
  char path[PATH_MAX];
  const std::string link = "/proc/self/fd/" + std::to_string(file.fd);
  const ssize_t length = ::readlink(link.c_str(), path, sizeof path);
  return length > 0 ? std::string(path, static_cast<std::size_t>(length)) : "file " + std::to_string(file.fd);
}

template <class Call>
auto without_interruption(Call call) {
  auto result = call();
  while (result < 0 && errno == EINTR) result = call();
  return result;
}

bool is_directory(const std::string& path) {
  struct stat facts{};
  return ::stat(path.c_str(), &facts) == 0 && S_ISDIR(facts.st_mode);
}

class KernelFiles final : public Files {
 public:
  Result<File> open(const std::string& path, Open mode) override {
    const int flags = file_open_flags(mode);
    int fd = without_interruption([&] { return ::open(path.c_str(), flags, kFileMode); });
    if (fd < 0 && errno == EINVAL && mode == Open::read_direct)
      fd = without_interruption([&] { return ::open(path.c_str(), flags & ~O_DIRECT, kFileMode); });
    if (fd < 0) return fail(errno, "open " + path);
    return File{fd};
  }

  void close(File file) override { ::close(file.fd); }

  Result<std::size_t> read(File file, Room room, std::uint64_t offset) override {
    std::size_t done = 0;
    while (done < room.size()) {
      const ssize_t octets = without_interruption(
          [&] { return ::pread(file.fd, room.data() + done, room.size() - done, static_cast<off_t>(offset + done)); });
      if (octets < 0) return fail(errno, "read " + path_of(file));
      if (octets == 0) break;
      done += static_cast<std::size_t>(octets);
    }
    return done;
  }

  Result<void> write(File file, View octets, std::uint64_t offset) override {
    std::size_t done = 0;
    while (done < octets.size()) {
      const ssize_t written = without_interruption([&] {
        return ::pwrite(file.fd, octets.data() + done, octets.size() - done, static_cast<off_t>(offset + done));
      });
      if (written < 0) return fail(errno, "write " + path_of(file));
      if (written == 0) return fail(EIO, "write " + path_of(file));
      done += static_cast<std::size_t>(written);
    }
    return {};
  }

  Result<void> allocate(File file, std::uint64_t size) override {
    int error = EINTR;
    while (error == EINTR) error = ::posix_fallocate(file.fd, 0, static_cast<off_t>(size));
    if (error != 0) return fail(error, "allocate " + path_of(file));
    return {};
  }

  Result<void> truncate(File file, std::uint64_t size) override {
    if (without_interruption([&] { return ::ftruncate(file.fd, static_cast<off_t>(size)); }) != 0)
      return fail(errno, "truncate " + path_of(file));
    return {};
  }

  Result<void> sync(File file) override {
    struct stat facts{};
    const bool directory = ::fstat(file.fd, &facts) == 0 && S_ISDIR(facts.st_mode);
    // Not tried again after an error other than EINTR: the kernel may have dropped the pages that it could not write.
    if (without_interruption([&] { return directory ? ::fsync(file.fd) : ::fdatasync(file.fd); }) != 0)
      return fail(errno, "sync " + path_of(file));
    return {};
  }

  Result<std::uint64_t> size(File file) override {
    struct stat facts{};
    if (::fstat(file.fd, &facts) != 0) return fail(errno, "size of " + path_of(file));
    return static_cast<std::uint64_t>(facts.st_size);
  }

  Result<std::vector<std::string>> list(const std::string& directory) override {
    const auto close_it = [](DIR* open) { ::closedir(open); };
    const std::unique_ptr<DIR, decltype(close_it)> open(::opendir(directory.c_str()), close_it);
    if (open == nullptr) return fail(errno, "list " + directory);
    std::vector<std::string> names;
    for (;;) {
      errno = 0;
      const dirent* const entry = ::readdir(open.get());
      if (entry == nullptr) break;
      const std::string_view name = entry->d_name;
      if (name != "." && name != "..") names.emplace_back(name);
    }
    if (errno != 0) return fail(errno, "list " + directory);
    return names;
  }

  Result<void> make_directory(const std::string& path) override {
    for (std::size_t end = path.find('/', 1);; end = path.find('/', end + 1)) {
      const std::string part = path.substr(0, end);
      if (::mkdir(part.c_str(), kDirectoryMode) != 0) {
        const int error = errno;
        if (!is_directory(part)) return fail(error == EEXIST ? ENOTDIR : error, "make directory " + part);
      }
      if (end == std::string::npos) return {};
    }
  }

  Result<void> remove(const std::string& path) override {
    if (::unlink(path.c_str()) != 0) return fail(errno, "remove " + path);
    return {};
  }

  Result<void> rename(const std::string& from, const std::string& to) override {
    if (::rename(from.c_str(), to.c_str()) != 0) return fail(errno, "rename " + from + " to " + to);
    return {};
  }

  Result<File> lock(const std::string& path) override {
    Fd fd(without_interruption([&] { return ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, kFileMode); }));
    if (!fd.valid() || ::flock(fd.get(), LOCK_EX | LOCK_NB) != 0) return fail(errno, "lock " + path);
    return File{fd.release()};
  }

  Result<Space> space(const std::string& directory) override {
    struct statvfs facts{};
    if (::statvfs(directory.c_str(), &facts) != 0) return fail(errno, "space in " + directory);
    // A file system that makes inodes as it needs them (btrfs) counts none.
    const std::uint64_t inodes = facts.f_files == 0 ? UINT64_MAX : facts.f_favail;
    return Space{.free_octets = std::uint64_t{facts.f_bavail} * facts.f_frsize, .free_inodes = inodes};
  }
};

}  // namespace

Files& kernel_files() {
  static KernelFiles files;
  return files;
}

}  // namespace ringpost::ring
