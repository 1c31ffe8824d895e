// A process restricts itself to directories (Landlock, Linux 5.13): where it may write, what it may read besides; it
// executes nothing. What is given up is never had again. Knows nothing of what the directories are for.
#pragma once

#include <string>
#include <vector>

#include "ringpost/base/result.h"

namespace ringpost {

// Directories that stay open to a confined process, each with all below it: absolute, symbolic links resolved, without
// duplicates. What does not exist when it is named is left out.
class Confines {
 public:
  void let_write(const std::string& directory);  // and read
  void let_read(const std::string& directory);
  // The directory of a file, and that of what the file is a link to: files are replaced by others of the same name.
  void let_read_beside(const std::string& file);

  [[nodiscard]] const std::vector<std::string>& write() const { return write_; }
  [[nodiscard]] const std::vector<std::string>& read() const { return read_; }
  // Whether a file may be made and written at this path.
  [[nodiscard]] bool may_write(const std::string& file) const;

 private:
  std::vector<std::string> write_;
  std::vector<std::string> read_;
};

// "a/b" -> "a", "b" -> ".", "/b" -> "/".
std::string directory_of(const std::string& file);

// Landlock's version in this kernel; 0: it has none, or it is switched off.
int landlock_version();

// Restricts the calling thread and each that it makes from now on, for ever: call it before the first is made. Needs
// landlock_version() > 0.
Result<void> confine(const Confines&);

}  // namespace ringpost
