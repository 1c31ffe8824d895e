// The ledger; see ledger.h. JSON as RFC 8259 has it.
#include "ledger.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstdlib>

#include "ringpost/smtp.h"

namespace ringpost::tools {
namespace {

constexpr mode_t kMode = 0644;

bool plain(View value) {
  return std::ranges::none_of(
      value, [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == '"' || c == '\\' || (c & 0x80) != 0; });
}

}  // namespace

Result<void> Ledger::open(const std::string& path) {
  file_.reset(::open(path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, kMode));
  if (!file_.valid()) return fail(errno, "cannot open the ledger " + path);
  return {};
}

void Ledger::key(View name) {
  if (lines_.back() != '{') lines_ += ',';
  lines_ += '"';
  lines_ += name;
  lines_ += "\":";
}

void Ledger::quoted(View value) {
  lines_ += '"';
  if (plain(value)) {
    lines_ += value;
  } else {
    const bool utf8 = smtp::utf8_valid(value);
    for (const char c : value) {
      const auto octet = static_cast<unsigned char>(c);
      if (c == '"' || c == '\\') {
        lines_ += '\\';
        lines_ += c;
      } else if (octet < 0x20 || (octet >= 0x80 && !utf8)) {
        fmt::format_to(std::back_inserter(lines_), "\\u{:04x}", octet);
      } else {
        lines_ += c;
      }
    }
  }
  lines_ += '"';
}

void Ledger::text(View name, View value) {
  key(name);
  quoted(value);
}

void Ledger::number(View name, std::uint64_t value) {
  key(name);
  const fmt::format_int digits(value);
  lines_.append(digits.data(), digits.size());
}

void Ledger::real(View name, double value) {
  key(name);
  fmt::format_to(std::back_inserter(lines_), "{:.3f}", value);
}

void Ledger::truth(View name, bool value) {
  key(name);
  lines_ += value ? "true" : "false";
}

void Ledger::open_list(View name) {
  key(name);
  lines_ += '[';
}

void Ledger::item(View value) {
  if (lines_.back() != '[') lines_ += ',';
  quoted(value);
}

void Ledger::close_list() { lines_ += ']'; }

void Ledger::end() { lines_ += "}\n"; }

void Ledger::flush() {
  View left = lines_;
  while (!left.empty() && on()) {
    const ssize_t written = ::write(file_.get(), left.data(), left.size());
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) {
      std::perror("the ledger cannot be written");
      std::_Exit(1);
    }
    left.remove_prefix(static_cast<std::size_t>(written));
  }
  lines_.clear();
}

}  // namespace ringpost::tools
