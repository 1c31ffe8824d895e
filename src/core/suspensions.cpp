#include "core/suspensions.h"

#include <algorithm>
#include <cerrno>
#include <vector>

namespace ringpost::core {
namespace {

constexpr View kFile = "/suspended";
constexpr View kNewFile = "/suspended.new";

// Written beside, synced, and put in its place: a crash leaves the old one or the new one, whole.
int write_whole(ring::Files& files, const std::string& directory, const std::string& text) {
  const std::string fresh = directory + std::string{kNewFile};
  static_cast<void>(files.remove(fresh));
  const auto file = files.open(fresh, ring::Files::Open::create);
  if (!file) return file.error().code;
  const auto written = files.write(*file, text, 0);
  const auto synced = written ? files.sync(*file) : written;
  files.close(*file);
  if (!synced) return synced.error().code;
  if (const auto moved = files.rename(fresh, directory + std::string{kFile}); !moved) return moved.error().code;
  const auto there = files.open(directory, ring::Files::Open::directory);
  if (!there) return there.error().code;
  const auto durable = files.sync(*there);
  files.close(*there);
  return durable ? 0 : durable.error().code;
}

}  // namespace

Suspensions::Suspensions(ring::Ring& ring, std::string directory)
    : ring_(ring), directory_(std::move(directory)), write_(this, ring::handler<&Suspensions::on_written>) {}

Suspensions::~Suspensions() = default;

Result<void> Suspensions::load() {
  ring::Files& files = ring_.files();
  const auto file = files.open(directory_ + std::string{kFile}, ring::Files::Open::read);
  if (!file) return file.error().code == ENOENT ? Result<void>{} : std::unexpected(file.error());
  const auto size = files.size(*file);
  std::string text(size ? static_cast<std::size_t>(*size) : 0, '\0');
  const auto read = files.read(*file, text, 0);
  files.close(*file);
  if (!size || !read) return std::unexpected(size ? read.error() : size.error());
  for (View rest = text; !rest.empty();) {
    const std::size_t end = rest.find('\n');
    if (const View name = rest.substr(0, end); !name.empty()) add(name);
    rest.remove_prefix(end == View::npos ? rest.size() : end + 1);
  }
  return {};
}

bool Suspensions::end(View name) {
  const auto found = names_.find(name);
  if (found == names_.end()) return false;
  names_.erase(found);
  return true;
}

void Suspensions::save(void* owner, void (*saved)(void*, int)) {
  waits_.push_back({owner, saved});
  if (!write_.in_kernel()) write();
}

void Suspensions::forget(void* owner) {
  std::erase_if(waits_, [owner](const Wait& wait) { return wait.owner == owner; });
  std::erase_if(writing_, [owner](const Wait& wait) { return wait.owner == owner; });
}

void Suspensions::write() {
  writing_.swap(waits_);
  std::string text;
  for (const std::string& name : names_) text.append(name).append("\n");
  ring_.help(write_, [&files = ring_.files(), directory = directory_, text = std::move(text)] {
    return write_whole(files, directory, text);
  });
}

void Suspensions::on_written(const ring::Completion& done) {
  std::vector<Wait> told;
  told.swap(writing_);
  for (const Wait& wait : told) wait.saved(wait.owner, done.result);
  if (!waits_.empty()) write();
}

}  // namespace ringpost::core
