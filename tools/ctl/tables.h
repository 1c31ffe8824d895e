// Answers as people read them: objects as lines of key and value, many of a kind as a table.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

namespace ringpost::ctl {

// One object alone: a line per key.
void print_object(const nlohmann::ordered_json& object);

// A table that is printed as its rows come: its columns and their widths follow from the first rows; what a later row
// has beyond is shown wider.
class Table {
 public:
  ~Table() { flush(); }
  void add(nlohmann::ordered_json row);
  void flush();
  [[nodiscard]] bool empty() const { return printed_ == 0 && rows_.empty(); }

 private:
  static constexpr std::size_t kRowsLookedAt = 500;
  void choose_columns();
  void print_row(const std::vector<std::string>& cells) const;

  std::vector<nlohmann::ordered_json> rows_;
  std::vector<std::string> columns_;
  std::vector<std::size_t> widths_;
  std::size_t printed_ = 0;
};

}  // namespace ringpost::ctl
