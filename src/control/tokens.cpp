#include "control/tokens.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "ringpost/base/fd.h"

namespace ringpost::control {
namespace {

constexpr View kBlanks = " \t\r";

// The next word of a line, which loses it.
View take_word(View& line) {
  line.remove_prefix(std::min(line.find_first_not_of(kBlanks), line.size()));
  const View word = line.substr(0, line.find_first_of(kBlanks));
  line.remove_prefix(word.size());
  return word;
}

bool printable(View word) {
  return std::ranges::all_of(word, [](char c) { return c > ' ' && c < 0x7F; });
}

// Whether they are the same, in a time that depends on the length of `given` alone.
bool same_secret(View kept, View given) {
  unsigned differs = kept.size() == given.size() ? 0 : 1;
  for (std::size_t i = 0; i < given.size(); ++i) {
    const char other = kept.empty() ? '\0' : kept[i % kept.size()];
    differs |= static_cast<unsigned char>(static_cast<unsigned char>(given[i]) ^ static_cast<unsigned char>(other));
  }
  return differs == 0;
}

Result<Holder> holder_of(View line) {
  Holder holder;
  const View role = take_word(line);
  holder.name = take_word(line);
  holder.token = take_word(line);
  if (role == "admin")
    holder.role = Role::admin;
  else if (role != "read-only")
    return fail("begins with no role: admin or read-only");
  if (holder.name.empty() || !printable(holder.name)) return fail("has no name behind its role");
  if (holder.token.size() < kShortestToken || holder.token.size() > kLongestToken || !printable(holder.token))
    return fail(
        "needs a token of 24 to 256 printable characters behind its "
        "name: openssl rand -hex 24");
  if (!take_word(line).empty()) return fail("has something behind its token");
  return holder;
}

}  // namespace

Result<Tokens> Tokens::parse(View text) {
  Tokens tokens;
  for (unsigned number = 1; !text.empty(); ++number) {
    const std::size_t end = text.find('\n');
    View line = text.substr(0, end);
    text.remove_prefix(end == View::npos ? text.size() : end + 1);
    line.remove_prefix(std::min(line.find_first_not_of(kBlanks), line.size()));
    if (line.empty() || line.front() == '#') continue;
    auto holder = holder_of(line);
    if (!holder) return fail("line " + std::to_string(number) + " " + holder.error().text);
    tokens.holders_.push_back(std::move(*holder));
  }
  if (tokens.holders_.empty()) return fail("holds no token");
  return tokens;
}

Result<Tokens> Tokens::read(const std::string& path) {
  const Fd file{::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK)};
  if (!file.valid()) return fail(errno, path);
  struct stat facts{};
  if (fstat(file.get(), &facts) != 0) return fail(errno, path);
  if (!S_ISREG(facts.st_mode)) return fail(path + ": is no file");
  if ((facts.st_mode & (S_IRWXO | S_IWGRP)) != 0)
    return fail(path + ": others may read or change it: chmod 0640 or 0600");
  std::string text(kTokenFile + 1, '\0');
  std::size_t filled = 0;
  for (ssize_t got = 1; got > 0 && filled < text.size();) {
    got = ::read(file.get(), text.data() + filled, text.size() - filled);
    if (got < 0 && errno != EINTR) return fail(errno, path);
    filled += static_cast<std::size_t>(std::max<ssize_t>(got, 0));
    if (got < 0) got = 1;
  }
  if (filled > kTokenFile) return fail(path + ": is longer than a file of tokens may be");
  auto tokens = parse(View{text}.substr(0, filled));
  if (!tokens) return fail(path + ": " + tokens.error().text);
  return tokens;
}

const Holder* Tokens::find(View token) const {
  const Holder* found = nullptr;
  for (const Holder& holder : holders_)
    if (same_secret(holder.token, token)) found = &holder;
  return token.size() < kShortestToken ? nullptr : found;
}

}  // namespace ringpost::control
