#include "tables.h"

#include <algorithm>
#include <cstdio>

#include "ringpost/base/escape.h"

namespace ringpost::ctl {
namespace {

using nlohmann::ordered_json;

std::string shown(const ordered_json& value) {
  if (value.is_string()) return escaped(value.get<std::string>());
  return value.dump();
}

std::string cell(const ordered_json& row, const std::string& column) {
  return row.contains(column) ? shown(row[column]) : "-";
}

}  // namespace

void print_object(const ordered_json& object) {
  std::size_t width = 0;
  for (const auto& [key, value] : object.items()) width = std::max(width, key.size());
  for (const auto& [key, value] : object.items())
    std::printf("%-*s  %s\n", static_cast<int>(width), key.c_str(), shown(value).c_str());
}

void Table::add(ordered_json row) {
  rows_.push_back(std::move(row));
  if (printed_ > 0 || rows_.size() == kRowsLookedAt) flush();
}

// All keys that occur, in the order of their coming, the error last: it is the long one.
void Table::choose_columns() {
  for (const ordered_json& row : rows_)
    for (const auto& [key, value] : row.items())
      if (std::ranges::find(columns_, key) == columns_.end()) columns_.push_back(key);
  std::ranges::stable_partition(columns_, [](const std::string& column) { return column != "error"; });
  for (const std::string& column : columns_) {
    std::size_t width = column.size();
    for (const ordered_json& row : rows_) width = std::max(width, cell(row, column).size());
    widths_.push_back(width);
  }
}

void Table::print_row(const std::vector<std::string>& cells) const {
  for (std::size_t i = 0; i < cells.size(); ++i) {
    const bool last = i + 1 == cells.size();
    std::printf("%-*s%s", last ? 0 : static_cast<int>(widths_[i]), cells[i].c_str(), last ? "\n" : "  ");
  }
}

void Table::flush() {
  if (rows_.empty()) return;
  if (printed_ == 0) {
    choose_columns();
    print_row(columns_);
  }
  for (const ordered_json& row : rows_) {
    std::vector<std::string> cells;
    for (const std::string& column : columns_) cells.push_back(cell(row, column));
    print_row(cells);
  }
  printed_ += rows_.size();
  rows_.clear();
}

}  // namespace ringpost::ctl
