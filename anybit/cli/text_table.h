// A table for people: columns as wide as their widest cell, two blanks between them.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace anybit::cli {

enum class Align : uint8_t { kLeft, kRight };

struct Column {
  std::string title;
  Align align = Align::kLeft;
};

class TextTable {
 public:
  explicit TextTable(std::vector<Column> columns) : columns_(std::move(columns)) {}

  /// Pre: one cell a column.
  void add_row(std::vector<std::string> cells);

  /// The titles and the rows, one line each, without blanks at the ends of lines. Widths count
  /// characters of UTF-8. Titles are bold if `is_styled`.
  std::string text(bool is_styled = false) const;

 private:
  std::vector<Column> columns_;
  std::vector<std::vector<std::string>> rows_;
};

/// Whether stdout shows styles: it is a terminal, and neither NO_COLOR nor TERM=dumb says no.
/// Source: no-color.org.
bool is_stdout_styled();

/// "1.5 GB", "17.3 MB", "912 B": powers of 1000.
std::string format_bytes(int64_t num_bytes);

/// "[64, 32]"; "[]" for a scalar.
std::string format_shape(const std::vector<int64_t>& shape);

}  // namespace anybit::cli
