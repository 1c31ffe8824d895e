// The messages of a run; see plan.h.
#include "plan.h"

#include <fmt/chrono.h>
#include <fmt/format.h>

#include <algorithm>
#include <ctime>
#include <iterator>
#include <utility>

#include "tools/common/header.h"

namespace ringpost::source {
namespace {

constexpr std::size_t kLine = 78;  // octets of a filler line with its CRLF
constexpr View kLetters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
constexpr View kDataEnd = ".\r\n";

// Lines of letters; none begins with a dot, so DATA and BDAT send the same octets.
std::string make_filler(std::uint64_t size, std::uint64_t seed) {
  Random random(seed);
  std::string text;
  const std::uint64_t lines = size / kLine + 1;
  text.reserve(lines * kLine);
  for (std::uint64_t line = 0; line < lines; ++line) {
    for (std::size_t i = 0; i < kLine - 2; ++i) text += kLetters[random.below(kLetters.size())];
    text += "\r\n";
  }
  return text;
}

bool is_ascii(View text) {
  return std::ranges::none_of(text, [](char c) { return (c & 0x80) != 0; });
}

std::string date_text(WallTime at) {
  const std::time_t seconds = at.milliseconds / 1000;
  return fmt::format("{:%a, %d %b %Y %H:%M:%S} +0000", fmt::gmtime(seconds));
}

}  // namespace

Plan::Plan(PlanOptions options, SizeMix sizes, DomainMix domains, std::vector<FileMessage> files, std::uint64_t seed)
    : options_(std::move(options)),
      sizes_(std::move(sizes)),
      domains_(std::move(domains)),
      files_(std::move(files)),
      seed_(seed) {
  if (files_.empty()) filler_ = make_filler(sizes_.largest(), seed_);
  needs_utf8_ = !is_ascii(options_.from) || !std::ranges::all_of(options_.to, is_ascii) || domains_.any_utf8();
  fixed_header_ =
      fmt::format("From: <{}>\r\nDate: {}\r\nMIME-Version: 1.0\r\nContent-Type: text/plain; charset=us-ascii\r\n",
                  options_.from, date_text(options_.date));
}

std::uint32_t Plan::recipients() const {
  return options_.to.empty() ? options_.recipients : static_cast<std::uint32_t>(options_.to.size());
}

void Plan::append_recipient(std::uint64_t number, std::uint32_t k, std::string& out) const {
  if (!options_.to.empty()) {
    out += options_.to[k];
    return;
  }
  const fmt::format_int digits(number);
  out += "user";
  out.append(digits.data(), digits.size());
  if (k > 0) fmt::format_to(std::back_inserter(out), ".{}", k);
  out += '@';
  out += domains_.of(number * options_.recipients + k);
}

void Plan::append_id(std::uint64_t number, std::string& out) const {
  const fmt::format_int digits(number);
  out += options_.run;
  out += '-';
  out.append(digits.data(), digits.size());
}

std::string Plan::ledger_id(std::uint64_t number, const Content& content) const {
  if (content.file != nullptr && content.head.empty()) return content.file->id;
  std::string id;
  append_id(number, id);
  return id;
}

void Plan::make(std::uint64_t number, Content& content) const {
  if (files_.empty()) return make_generated(number, content);
  const FileMessage& file = files_[number % files_.size()];
  content.head.clear();
  if (options_.add_id) {
    content.head += "X-Ringpost-Source-Id: ";
    append_id(number, content.head);
    content.head += "\r\n";
  }
  content.octets = file.octets;
  content.data = file.stuffed;
  content.data_end = {};
  content.data_adds_crlf = !file.ends_with_crlf;
  content.eight_bit = file.eight_bit;
  content.file = &file;
}

void Plan::append_header(std::uint64_t number, std::string& out) const {
  out += "X-Ringpost-Source-Id: ";
  append_id(number, out);
  out += "\r\nMessage-ID: <";
  append_id(number, out);
  out += "@source.example>\r\nTo: <";
  append_recipient(number, 0, out);
  out += ">\r\n";
  out += fixed_header_;
  out += "Subject: message ";
  append_id(number, out);
}

// The size asked for, exactly, unless the header alone is longer. The body is the end of the filler, so it ends with
// a whole line whatever its length.
void Plan::make_generated(std::uint64_t number, Content& content) const {
  Random random(seed_ ^ (number * 0x9E3779B97F4A7C15ULL));
  const std::uint64_t size = sizes_.draw(random);
  content.head.clear();
  append_header(number, content.head);
  const std::size_t header = content.head.size() + 4;  // with the CRLF of the subject and the empty line
  std::uint64_t left = size > header ? size - header : 0;
  if (left % kLine == 1) {  // would begin with the LF of a line end
    content.head += '.';
    --left;
  }
  content.head += "\r\n\r\n";
  content.octets = View(filler_).substr(filler_.size() - left);
  content.data = content.octets;
  content.data_end = kDataEnd;
  content.data_adds_crlf = false;
  content.eight_bit = false;
  content.file = nullptr;
}

tools::Sha256::Hex Plan::hash(const Content& content, bool by_data) const {
  return hash_of(content.head, content, by_data);
}

// The empty line stands in the head of a message that is made up, and in the octets of one from a file.
tools::Sha256::Hex Plan::body_hash(const Content& content, bool by_data) const {
  View head = content.head;
  Content body = content;
  if (const std::size_t start = tools::body_start(head); start != View::npos) {
    head.remove_prefix(start);
  } else {
    head = {};
    body.octets.remove_prefix(std::min(tools::body_start(body.octets), body.octets.size()));
  }
  return hash_of(head, body, by_data);
}

tools::Sha256::Hex Plan::hash_of(View head, const Content& content, bool by_data) {
  tools::Sha256 hash;
  hash.take(head);
  hash.take(content.octets);
  if (by_data && content.data_adds_crlf) hash.take("\r\n");
  return hash.hex();
}

}  // namespace ringpost::source
