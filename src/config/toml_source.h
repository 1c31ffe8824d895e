// The parsed file as a plain tree that remembers lines: what the rest of this room sees of TOML.
#pragma once

#include <cstdint>
#include <expected>
#include <string>
#include <vector>

#include "ringpost/base/bytes.h"

namespace ringpost::config {

struct Member;

struct Node {
  enum class Kind : std::uint8_t { text, integer, boolean, list, table, other };
  Kind kind = Kind::table;
  unsigned line = 1;
  std::string text;  // a text: the value; other: what it is, "a date"
  std::int64_t integer = 0;
  bool on = false;
  std::vector<Node> items;      // of a list
  std::vector<Member> members;  // of a table
};

struct Member {
  std::string name;
  unsigned line = 1;
  Node value;
};

struct SyntaxError {
  unsigned line = 1;
  std::string what;
};

// Parses TOML 1.0. The tree owns its texts.
std::expected<Node, SyntaxError> read_toml(View text);

// "a text", "a list", …: for "is a list, where … is expected".
View kind_name(const Node& node);

// A TOML basic string, which reads back as `text`.
std::string quoted(View text);

}  // namespace ringpost::config
