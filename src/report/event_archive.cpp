#include "report/event_archive.h"

#include <fmt/format.h>
#include <zstd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <chrono>
#include <memory>
#include <vector>

namespace ringpost::report {
namespace {

constexpr int kLevel = 3;  // of zstd: events shrink to a tenth, at some 300 MB/s
constexpr View kCompressed = ".zst";
constexpr View kUnfinished = ".part";
constexpr unsigned kNamesTried = 1000;

std::pair<std::string, std::string> split(const std::string& path) {
  const std::size_t slash = path.rfind('/');
  if (slash == std::string::npos) return {".", path};
  return {slash == 0 ? "/" : path.substr(0, slash), path.substr(slash + 1)};
}

bool exists(ring::Files& files, const std::string& path) {
  const auto opened = files.open(path, ring::Files::Open::read);
  if (opened) files.close(*opened);
  return opened || opened.error().code != ENOENT;
}

// ".20261125T133340Z" and perhaps "-2" behind the file's name, with or without ".zst".
bool is_aside(View name, View base) {
  constexpr View kShape = ".ddddddddTddddddZ";
  if (!name.starts_with(base)) return false;
  name.remove_prefix(base.size());
  if (name.ends_with(kCompressed)) name.remove_suffix(kCompressed.size());
  if (name.size() < kShape.size()) return false;
  const auto digit = [](char c) { return c >= '0' && c <= '9'; };
  for (std::size_t i = 0; i < kShape.size(); ++i)
    if (kShape[i] == 'd' ? !digit(name[i]) : name[i] != kShape[i]) return false;
  name.remove_prefix(kShape.size());
  return name.empty() || (name.size() > 1 && name[0] == '-' && std::ranges::all_of(name.substr(1), digit));
}

// In the order of time: a number behind the time counts as a number, and .zst does not.
std::pair<std::string, unsigned long> age_key(View name) {
  if (name.ends_with(kCompressed)) name.remove_suffix(kCompressed.size());
  const std::size_t dash = name.rfind('-');
  const std::size_t end = name.rfind('Z');
  if (dash == View::npos || dash < end) return {std::string{name}, 1};
  unsigned long number = 0;
  std::from_chars(name.data() + dash + 1, name.data() + name.size(), number);
  return {std::string{name.substr(0, dash)}, number};
}

class Compressor {
 public:
  Compressor(ring::Files& files, ring::File from, ring::File to, const std::atomic<bool>& ending)
      : files_(files), from_(from), to_(to), ending_(ending), context_(ZSTD_createCCtx(), &ZSTD_freeCCtx) {}

  Result<void> run() {
    if (!context_) return fail(ENOMEM, "zstd");
    ZSTD_CCtx_setParameter(context_.get(), ZSTD_c_compressionLevel, kLevel);
    ZSTD_CCtx_setParameter(context_.get(), ZSTD_c_checksumFlag, 1);
    std::vector<char> input(ZSTD_CStreamInSize());
    for (std::uint64_t offset = 0;;) {
      if (ending_) return fail(ECANCELED, "zstd");
      const auto octets = files_.read(from_, Room{input}, offset);
      if (!octets) return std::unexpected(octets.error());
      offset += *octets;
      const bool last = *octets < input.size();
      if (auto put = feed({input.data(), *octets}, last); !put) return put;
      if (last) return files_.sync(to_);
    }
  }

 private:
  Result<void> feed(View octets, bool last) {
    ZSTD_inBuffer in{octets.data(), octets.size(), 0};
    for (bool done = false; !done;) {
      ZSTD_outBuffer out{output_.data(), output_.size(), 0};
      const std::size_t left = ZSTD_compressStream2(context_.get(), &out, &in, last ? ZSTD_e_end : ZSTD_e_continue);
      if (ZSTD_isError(left) != 0) return fail(EIO, fmt::format("zstd: {}", ZSTD_getErrorName(left)));
      if (auto put = files_.write(to_, {output_.data(), out.pos}, written_); !put) return put;
      written_ += out.pos;
      done = last ? left == 0 : in.pos == in.size;
    }
    return {};
  }

  ring::Files& files_;
  ring::File from_, to_;
  const std::atomic<bool>& ending_;
  std::unique_ptr<ZSTD_CCtx, std::size_t (*)(ZSTD_CCtx*)> context_;
  std::vector<char> output_ = std::vector<char>(ZSTD_CStreamOutSize());
  std::uint64_t written_ = 0;
};

Result<void> compress(ring::Files& files, const std::string& path, const std::atomic<bool>& ending) {
  const std::string whole = path + std::string{kCompressed};
  const std::string part = whole + std::string{kUnfinished};
  static_cast<void>(files.remove(part));  // of a process that ended in the middle
  const auto from = files.open(path, ring::Files::Open::read);
  if (!from) return std::unexpected(from.error());
  const auto to = files.open(part, ring::Files::Open::create);
  Result<void> done;
  if (to)
    done = Compressor(files, *from, *to, ending).run();
  else
    done = std::unexpected(to.error());
  files.close(*from);
  if (to) files.close(*to);
  if (done) done = files.rename(part, whole);
  if (!done) {
    static_cast<void>(files.remove(part));
    return done;
  }
  return files.remove(path);
}

}  // namespace

std::string name_aside(ring::Files& files, const std::string& path, WallTime now) {
  using namespace std::chrono;
  const sys_seconds at{duration_cast<seconds>(milliseconds{now.milliseconds})};
  const auto day = floor<days>(at);
  const year_month_day date{day};
  const hh_mm_ss clock{at - day};
  const std::string name = fmt::format("{}.{:04}{:02}{:02}T{:02}{:02}{:02}Z", path, static_cast<int>(date.year()),
                                       static_cast<unsigned>(date.month()), static_cast<unsigned>(date.day()),
                                       clock.hours().count(), clock.minutes().count(), clock.seconds().count());
  std::string tried = name;
  for (unsigned n = 2; n < kNamesTried; ++n) {
    if (!exists(files, tried) && !exists(files, tried + std::string{kCompressed})) break;
    tried = fmt::format("{}-{}", name, n);
  }
  return tried;
}

Result<void> tidy_archive(ring::Files& files, const std::string& path, std::uint32_t keep,
                          const std::atomic<bool>& ending) {
  const auto [directory, base] = split(path);
  const auto listed = files.list(directory);
  if (!listed) return std::unexpected(listed.error());
  std::vector<std::string> aside;
  for (const std::string& name : *listed)
    if (is_aside(name, base)) aside.push_back(name);
  std::ranges::sort(aside, {}, [](const std::string& name) { return age_key(name); });
  Result<void> first;
  const auto note = [&](Result<void> done) {
    if (!done && first) first = std::move(done);
  };
  const std::size_t too_many = keep > 0 && aside.size() > keep ? aside.size() - keep : 0;
  for (std::size_t i = 0; i < aside.size() && !ending; ++i) {
    const std::string at = directory + "/" + aside[i];
    if (i < too_many)
      note(files.remove(at));
    else if (!aside[i].ends_with(kCompressed))
      note(compress(files, at, ending));
  }
  return first;
}

}  // namespace ringpost::report
