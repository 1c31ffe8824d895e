// Reads dialogue scripts (script.h).
#include "script.h"

#include <charconv>
#include <cstdio>
#include <cstdlib>
#include <fstream>

#include <fmt/format.h>

namespace ringpost::dialog {
namespace {

[[noreturn]] void broken(const std::string& file, unsigned line, const char* what) {
  fmt::print(stderr, "{}:{}: {}\n", file, line, what);
  std::exit(2);
}

struct Reader {
  const std::string& file;
  unsigned line = 0;
  std::vector<Case> cases = {};

  void add(Step::Kind kind, std::string text) {
    if (cases.empty()) broken(file, line, "a step before the first case (== name)");
    cases.back().steps.push_back({kind, std::move(text), line});
  }
  void add_send(std::string_view text) { add(Step::Kind::send, std::string{text} + "\r\n"); }
  void add_expect(std::string_view text) { add(Step::Kind::expect, std::string{text}); }

  std::string unescaped(std::string_view text);
  void escape(std::string_view& text, std::string& out);
  void take(std::string_view text);
  void macro(std::string_view name);
};

// `text` begins behind a backslash.
void Reader::escape(std::string_view& text, std::string& out) {
  if (text.empty()) broken(file, line, "a backslash at the end");
  const char c = text.front();
  text.remove_prefix(1);
  if (c == 'r')
    out += '\r';
  else if (c == 'n')
    out += '\n';
  else if (c == 't')
    out += '\t';
  else if (c == '0')
    out += '\0';
  else if (c == '\\')
    out += '\\';
  else if (c == 'x') {
    unsigned value = 0;
    if (std::from_chars(text.data(), text.data() + std::min<std::size_t>(2, text.size()), value, 16).ptr !=
        text.data() + 2)
      broken(file, line, "\\x wants two hexadecimal digits");
    out += static_cast<char>(value);
    text.remove_prefix(2);
  } else if (c == '{') {
    const std::size_t end = text.find('}');
    std::size_t count = 0;
    const char* colon = std::from_chars(text.data(), text.data() + text.size(), count).ptr;
    if (end == std::string_view::npos || *colon != ':') broken(file, line, "\\{count:text} is not closed");
    const std::string piece = unescaped(text.substr(0, end).substr(static_cast<std::size_t>(colon + 1 - text.data())));
    for (std::size_t i = 0; i < count; ++i) out += piece;
    text.remove_prefix(end + 1);
  } else {
    broken(file, line, "unknown escape");
  }
}

std::string Reader::unescaped(std::string_view text) {
  std::string out;
  while (!text.empty()) {
    const char c = text.front();
    text.remove_prefix(1);
    if (c == '\\')
      escape(text, out);
    else
      out += c;
  }
  return out;
}

void Reader::macro(std::string_view name) {
  if (name == "hello") {
    add_expect("220 *");
    add_send("EHLO client.example");
    add_expect("250-*");
    for (const char* each : {"PIPELINING", "SIZE *", "8BITMIME", "SMTPUTF8", "CHUNKING", "ENHANCEDSTATUSCODES", "DSN"})
      add_expect(std::string{"250-"} + each);
    add_expect("250 HELP");
  } else if (name == "helo") {
    add_expect("220 *");
    add_send("HELO client.example");
    add_expect("250 *");
  } else if (name == "open") {
    add_send("MAIL FROM:<a@client.example>");
    add_expect("250 2.1.0 Ok");
    add_send("RCPT TO:<b@server.example>");
    add_expect("250 2.1.5 Ok");
  } else {
    broken(file, line, "unknown macro");
  }
}

void Reader::take(std::string_view text) {
  if (text.empty() || text.starts_with('#')) return;
  if (text.starts_with("== ")) {
    cases.push_back({std::string{text.substr(3)}, file, line, {}});
    return;
  }
  if (text.starts_with('@')) return macro(text.substr(1));
  const std::string_view rest = text.size() > 3 ? text.substr(3) : "";
  const std::string_view head = text.substr(0, 2);
  if (head == "C:")
    add(Step::Kind::send, unescaped(rest) + "\r\n");
  else if (head == "C+")
    add(Step::Kind::send, unescaped(rest));
  else if (head == "S:")
    add(Step::Kind::expect, std::string{rest});
  else if (head == "K:")
    add(Step::Kind::kept, unescaped(rest));
  else if (head == "X:")
    add(Step::Kind::state, std::string{rest});
  else if (head == "!:")
    add(Step::Kind::event, std::string{rest});
  else
    broken(file, line, "a line begins with C: C+ S: K: X: !: @ == or #");
}

}  // namespace

std::vector<Case> read_script(const std::string& path) {
  std::ifstream in{path};
  if (!in) broken(path, 0, "cannot be read");
  Reader reader{path};
  std::string line;
  while (std::getline(in, line)) {
    ++reader.line;
    reader.take(line);
  }
  if (reader.cases.empty()) broken(path, 0, "holds no case");
  return reader.cases;
}

bool matches(std::string_view pattern, std::string_view text) {
  const std::size_t star = pattern.find('*');
  if (star == std::string_view::npos) return pattern == text;
  if (text.substr(0, star) != pattern.substr(0, star)) return false;
  const std::string_view rest = pattern.substr(star + 1);
  for (std::size_t skip = star; skip <= text.size(); ++skip)
    if (matches(rest, text.substr(skip))) return true;
  return false;
}

}  // namespace ringpost::dialog
