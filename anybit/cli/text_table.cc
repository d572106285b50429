#include "anybit/cli/text_table.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <string_view>

#include "anybit/base/check.h"

namespace anybit::cli {
namespace {

size_t num_characters(std::string_view text) {
  return static_cast<size_t>(
      std::count_if(text.begin(), text.end(), [](char byte) { return (byte & 0xC0) != 0x80; }));
}

}  // namespace

void TextTable::add_row(std::vector<std::string> cells) {
  ANYBIT_CHECK(cells.size() == columns_.size());
  rows_.push_back(std::move(cells));
}

std::string TextTable::text(bool is_styled) const {
  std::vector<size_t> widths;
  for (const Column& column : columns_) widths.push_back(num_characters(column.title));
  for (const std::vector<std::string>& row : rows_) {
    for (size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], num_characters(row[i]));
  }
  const auto line_of = [&](auto cell_at) {
    std::string line;
    for (size_t i = 0; i < columns_.size(); ++i) {
      const std::string& cell = cell_at(i);
      const std::string padding(widths[i] - num_characters(cell), ' ');
      if (i > 0) line += "  ";
      line += columns_[i].align == Align::kRight ? padding + cell : cell + padding;
    }
    line.erase(line.find_last_not_of(' ') + 1);
    return line;
  };
  const std::string titles =
      line_of([&](size_t i) -> const std::string& { return columns_[i].title; });
  std::string out = is_styled ? "\x1b[1m" + titles + "\x1b[0m\n" : titles + "\n";
  for (const std::vector<std::string>& row : rows_) {
    out += line_of([&](size_t i) -> const std::string& { return row[i]; }) + "\n";
  }
  return out;
}

bool is_stdout_styled() {
  const char* no_color = std::getenv("NO_COLOR");
  const char* terminal = std::getenv("TERM");
  const bool is_refused = (no_color != nullptr && *no_color != '\0') || terminal == nullptr ||
                          std::string_view(terminal) == "dumb";
  return !is_refused && ::isatty(STDOUT_FILENO) != 0;
}

std::string format_bytes(int64_t num_bytes) {
  constexpr std::array<std::string_view, 5> kUnits = {"B", "kB", "MB", "GB", "TB"};
  if (num_bytes < 1000) return fmt::format("{} B", num_bytes);
  auto value = static_cast<double>(num_bytes);
  size_t unit = 0;
  for (; value >= 999.95 && unit + 1 < kUnits.size(); ++unit) value /= 1000;
  return fmt::format("{:.1f} {}", value, kUnits[unit]);
}

std::string format_shape(const std::vector<int64_t>& shape) {
  return fmt::format("[{}]", fmt::join(shape, ", "));
}

}  // namespace anybit::cli
