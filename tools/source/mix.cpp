// Sizes, domains, files; see mix.h.
#include "mix.h"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>

#include "ringpost/smtp.h"
#include "tools/common/amounts.h"
#include "tools/common/header.h"

namespace ringpost::source {
namespace {

constexpr std::uint64_t kMostDomains = 1'000'000;
constexpr std::uint64_t kMostTurns = 10'000'000;  // domains times weights

struct Weighted {
  View what;
  std::uint64_t weight = 1;
};

Result<Weighted> weighted(View text, char separator) {
  const std::size_t at = text.find(separator);
  if (at == View::npos) return Weighted{text};
  const auto weight = tools::parse_count(text.substr(at + 1));
  if (!weight || *weight == 0) return fail(std::string(text) + ": a weight is a number from 1");
  return Weighted{text.substr(0, at), *weight};
}

std::string with_crlf(View text) {
  std::string mended;
  mended.reserve(text.size() + text.size() / 32);
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '\n' && (i == 0 || text[i - 1] != '\r')) mended += '\r';
    mended += text[i];
  }
  return mended;
}

std::string stuffed(View octets) {
  std::string text;
  text.reserve(octets.size() + 16);
  smtp::DotStuffer stuffer;
  while (!octets.empty()) text += stuffer.next(octets);
  text += stuffer.end();
  return text;
}

}  // namespace

Result<SizeMix> SizeMix::parse(View text) {
  SizeMix mix;
  std::uint64_t sum = 0;
  for (const View part : tools::split(text, ',')) {
    const auto entry = weighted(part, ':');
    if (!entry) return std::unexpected(entry.error());
    const auto size = tools::parse_size(entry->what);
    if (!size) return fail(std::string(part) + " is no size such as 4096, 16K or 1M:5");
    sum += entry->weight;
    mix.parts_.push_back({.size = *size, .up_to = sum});
  }
  if (mix.parts_.empty()) return fail("no size is given");
  return mix;
}

std::uint64_t SizeMix::draw(Random& random) const {
  if (parts_.size() == 1) return parts_[0].size;
  const std::uint64_t at = random.below(parts_.back().up_to);
  return std::ranges::find_if(parts_, [at](const Part& part) { return at < part.up_to; })->size;
}

std::uint64_t SizeMix::largest() const { return std::ranges::max(parts_, {}, &Part::size).size; }

Result<DomainMix> DomainMix::parse(View text) {
  DomainMix mix;
  if (const auto count = tools::parse_count(text)) {
    if (*count == 0 || *count > kMostDomains) return fail("a number of domains is from 1 to a million");
    for (std::uint64_t i = 0; i < *count; ++i) {
      mix.names_.push_back("d" + std::to_string(i) + ".example");
      mix.turns_.push_back(static_cast<std::uint32_t>(i));
    }
    return mix;
  }
  for (const View part : tools::split(text, ',')) {
    const auto entry = weighted(part, '=');
    if (!entry) return std::unexpected(entry.error());
    if (!smtp::domain_valid_utf8(entry->what) && !smtp::parse_literal(entry->what))
      return fail(std::string(entry->what) + " is no domain");
    if (mix.turns_.size() + entry->weight > kMostTurns) return fail("the weights of the domains are too large");
    mix.turns_.insert(mix.turns_.end(), entry->weight, static_cast<std::uint32_t>(mix.names_.size()));
    mix.names_.emplace_back(entry->what);
  }
  if (mix.names_.empty()) return fail("no domain is given");
  return mix;
}

bool DomainMix::any_utf8() const {
  return std::ranges::any_of(
      names_, [](View name) { return std::ranges::any_of(name, [](char c) { return (c & 0x80) != 0; }); });
}

FileMessage make_message(std::string name, std::string octets, bool mend_line_ends) {
  FileMessage message{.name = std::move(name), .id = {}, .octets = {}, .stuffed = {}};
  message.octets = mend_line_ends ? with_crlf(octets) : std::move(octets);
  message.stuffed = stuffed(message.octets);
  message.ends_with_crlf = message.octets.empty() || message.octets.ends_with("\r\n");
  message.eight_bit = std::ranges::any_of(message.octets, [](char c) { return (c & 0x80) != 0; });
  message.id = tools::header_value(tools::header_of(message.octets), "Message-ID");
  return message;
}

Result<std::vector<FileMessage>> load_messages(const std::vector<std::string>& paths, bool mend_line_ends) {
  std::vector<std::string> files;
  std::error_code error;
  for (const std::string& path : paths) {
    if (!std::filesystem::is_directory(path, error)) {
      files.push_back(path);
      continue;
    }
    const std::size_t before = files.size();
    for (std::filesystem::directory_iterator at(path, error), end; !error && at != end; at.increment(error))
      if (at->is_regular_file(error)) files.push_back(at->path().string());
    if (error) return fail(error.value(), "cannot list " + path);
    std::sort(files.begin() + static_cast<std::ptrdiff_t>(before), files.end());
  }
  std::vector<FileMessage> messages;
  for (const std::string& file : files) {
    std::ifstream in(file, std::ios::binary);
    if (!in) return fail(errno, "cannot read " + file);
    messages.push_back(make_message(file, std::string(std::istreambuf_iterator<char>(in), {}), mend_line_ends));
  }
  if (messages.empty()) return fail("there is no message in what was named");
  return messages;
}

}  // namespace ringpost::source
