// The only file that knows toml++. It turns the library's tree into ours and its exceptions into values.
#include "toml_source.h"

#include <toml++/toml.h>

#include <exception>

namespace ringpost::config {
namespace {

// No key is nested deeper than three; the bound keeps recursion off the end of the stack.
constexpr int kMaxDepth = 16;

unsigned line_of(const toml::source_region& region) { return region.begin.line == 0 ? 1 : region.begin.line; }

View other_name(toml::node_type type) {
  switch (type) {
    case toml::node_type::floating_point:
      return "a number with a fraction";
    case toml::node_type::date:
      return "a date";
    case toml::node_type::time:
      return "a time of day";
    case toml::node_type::date_time:
      return "a date and time";
    default:
      return "an unknown value";
  }
}

// One copy of the library's tree; `too_deep` is the line where it went past kMaxDepth, 0 if nowhere.
struct Copy {
  unsigned too_deep = 0;

  Node node(const toml::node& from, int depth) {
    Node to;
    to.line = line_of(from.source());
    if (depth > kMaxDepth) {
      too_deep = to.line;
      return to;
    }
    if (const auto* table = from.as_table()) {
      to.kind = Node::Kind::table;
      to.members = members(*table, depth);
    } else if (const auto* list = from.as_array()) {
      to.kind = Node::Kind::list;
      for (const toml::node& item : *list) to.items.push_back(node(item, depth + 1));
    } else {
      value(from, to);
    }
    return to;
  }

  std::vector<Member> members(const toml::table& table, int depth) {
    std::vector<Member> copies;
    for (const auto& [key, member] : table) {
      copies.push_back({std::string(key.str()), line_of(key.source()), node(member, depth + 1)});
    }
    return copies;
  }

  static void value(const toml::node& from, Node& to) {
    if (const auto* text = from.as_string()) {
      to.kind = Node::Kind::text;
      to.text = text->get();
    } else if (const auto* integer = from.as_integer()) {
      to.kind = Node::Kind::integer;
      to.integer = integer->get();
    } else if (const auto* on = from.as_boolean()) {
      to.kind = Node::Kind::boolean;
      to.on = on->get();
    } else {
      to.kind = Node::Kind::other;
      to.text = other_name(from.type());
    }
  }
};

}  // namespace

std::expected<Node, SyntaxError> read_toml(View text) {
  try {
    Copy copy;
    Node tree = copy.node(toml::parse(text, View{}), 0);
    if (copy.too_deep != 0) return std::unexpected(SyntaxError{copy.too_deep, "tables or lists are nested too deep"});
    return tree;
  } catch (const toml::parse_error& error) {
    return std::unexpected(SyntaxError{line_of(error.source()), std::string(error.description())});
  } catch (const std::exception& error) {
    return std::unexpected(SyntaxError{1, error.what()});
  }
}

View kind_name(const Node& node) {
  switch (node.kind) {
    case Node::Kind::text:
      return "a text";
    case Node::Kind::integer:
      return "a number";
    case Node::Kind::boolean:
      return "true or false";
    case Node::Kind::list:
      return "a list";
    case Node::Kind::table:
      return "a table";
    case Node::Kind::other:
      return node.text;
  }
  return node.text;
}

}  // namespace ringpost::config
