#include "anybit/layout/draw.h"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <set>
#include <vector>

#include "anybit/layout/conversion.h"
#include "anybit/layout/register_layout_text.h"

namespace anybit::layout {
namespace {

/// The part of a tile that one table shows: the two last dimensions at one index of the others.
struct Table {
  std::string title;  // Empty if there is only one table.
  Dims first;         // The coordinates of its first element.
  int64_t num_rows = 1;
  int64_t num_cols = 1;
};

std::vector<Table> tables_of(const RegisterLayout& layout) {
  const Dims& shape = layout.shape();
  const int rank = layout.rank();
  const int num_leading = std::max(0, rank - 2);
  Dims leading;
  for (int d = 0; d < num_leading; ++d) leading.push_back(shape[d]);
  std::vector<Table> tables;
  for (int64_t i = 0; i < num_elements(leading); ++i) {
    const Dims index = unravel(i, leading);
    Table table{.title = {}, .first = Dims::filled(rank, 0)};
    for (int d = 0; d < num_leading; ++d) {
      table.first[d] = index[d];
      table.title += fmt::format("{}{},", d == 0 ? "[" : "", index[d]);
    }
    if (num_leading > 0) table.title += "*,*]";
    if (rank > 1) table.num_rows = shape[rank - 2];
    if (rank > 0) table.num_cols = shape[rank - 1];
    tables.push_back(std::move(table));
  }
  return tables;
}

/// Row-major number of the element at (row, col) of a table.
int64_t element_of(const RegisterLayout& layout, const Table& table, int64_t row, int64_t col) {
  Dims coords = table.first;
  const int rank = layout.rank();
  if (rank > 1) coords[rank - 2] = row;
  if (rank > 0) coords[rank - 1] = col;
  return ravel(coords, layout.shape());
}

/// "0,8,..(4):1".
std::string cell_text(const Place& place, const std::vector<int64_t>& replicas) {
  std::string text = fmt::format("{}", place.thread);
  if (replicas.size() > 1) text += fmt::format(",{}", place.thread + replicas[1]);
  if (replicas.size() > 2) text += fmt::format(",..({})", replicas.size());
  return fmt::format("{}:{}", text, place.local);
}

Status check_drawable(const RegisterLayout& layout) {
  if (layout.size() <= kMaxDrawnElements) return {};
  return fail(ErrorCode::kUnsupported, "a drawing has at most {} elements, the layout has {}",
              kMaxDrawnElements, layout.size());
}

void append_table(std::string& text, const RegisterLayout& layout, const Table& table,
                  const std::vector<int64_t>& replicas) {
  std::vector<std::string> cells;
  size_t width = fmt::formatted_size("{}", table.num_cols - 1);
  for (int64_t row = 0; row < table.num_rows; ++row) {
    for (int64_t col = 0; col < table.num_cols; ++col) {
      cells.push_back(cell_text(layout.locate(element_of(layout, table, row, col)), replicas));
      width = std::max(width, cells.back().size());
    }
  }
  const size_t margin = fmt::formatted_size("{}", table.num_rows - 1);
  auto out = std::back_inserter(text);
  if (!table.title.empty()) fmt::format_to(out, "{}\n", table.title);
  fmt::format_to(out, "{:{}} |", "", margin);
  for (int64_t col = 0; col < table.num_cols; ++col) fmt::format_to(out, " {:>{}}", col, width);
  fmt::format_to(out, "\n{:-<{}}+{:-<{}}\n", "", margin + 1, "",
                 (width + 1) * static_cast<size_t>(table.num_cols));
  auto cell = cells.begin();
  for (int64_t row = 0; row < table.num_rows; ++row) {
    fmt::format_to(out, "{:>{}} |", row, margin);
    for (int64_t col = 0; col < table.num_cols; ++col) {
      fmt::format_to(out, " {:>{}}", *cell++, width);
    }
    fmt::format_to(out, "\n");
  }
}

constexpr int kCellHeight = 26;
constexpr int kCharWidth = 7;  // Of the 11-pixel monospace font, rounded up.
constexpr int kMargin = 16;
constexpr int kLegendColumns = 8;
constexpr int kLegendWidth = 64;
constexpr size_t kMaxLegend = 64;

/// A light colour for thread or warp `id`: hues a golden angle apart, so neighbours differ.
std::string colour(int64_t id) {
  const int hue = static_cast<int>(id % 360 * 137 % 360);
  const int lightness = 72 + static_cast<int>(id / 32 % 3) * 7;
  return fmt::format("hsl({},70%,{}%)", hue, lightness);
}

void append_svg_text(std::string& svg, int x, int y, std::string_view anchor,
                     std::string_view text) {
  fmt::format_to(std::back_inserter(svg), "<text x=\"{}\" y=\"{}\" text-anchor=\"{}\">{}</text>\n",
                 x, y, anchor, text);
}

/// The colours used, in order, at most kMaxLegend of them. Returns the height.
int append_legend(std::string& svg, const std::set<int64_t>& ids, std::string_view what, int top) {
  append_svg_text(svg, kMargin, top + 14, "start",
                  fmt::format("{} (cells read threads:local place)", what));
  int shown = 0;
  for (const int64_t id : ids) {
    const int x = kMargin + shown % kLegendColumns * kLegendWidth;
    const int y = top + 24 + shown / kLegendColumns * 20;
    if (static_cast<size_t>(shown) == kMaxLegend) {
      append_svg_text(svg, x, y + 12, "start", fmt::format("... {} in all", ids.size()));
      ++shown;
      break;
    }
    fmt::format_to(std::back_inserter(svg),
                   "<rect x=\"{}\" y=\"{}\" width=\"16\" height=\"16\" fill=\"{}\"/>\n", x, y,
                   colour(id));
    append_svg_text(svg, x + 22, y + 12, "start", fmt::format("{}", id));
    ++shown;
  }
  return 30 + (shown + kLegendColumns - 1) / kLegendColumns * 20;
}

/// Draws one table at height `top`; returns its height.
int append_svg_table(std::string& svg, const RegisterLayout& layout, const Table& table,
                     const std::vector<int64_t>& replicas, DrawColor color, int cell_width, int top,
                     std::set<int64_t>& ids) {
  const int left = kMargin + 4 * kCharWidth;
  int y = top + 14;
  if (!table.title.empty()) {
    append_svg_text(svg, kMargin, y, "start", table.title);
    y += 18;
  }
  for (int64_t col = 0; col < table.num_cols; ++col) {
    append_svg_text(svg, left + static_cast<int>(col) * cell_width + cell_width / 2, y, "middle",
                    fmt::format("{}", col));
  }
  y += 6;
  for (int64_t row = 0; row < table.num_rows; ++row, y += kCellHeight) {
    append_svg_text(svg, left - 6, y + 17, "end", fmt::format("{}", row));
    for (int64_t col = 0; col < table.num_cols; ++col) {
      const Place place = layout.locate(element_of(layout, table, row, col));
      const int64_t id = color == DrawColor::kThread ? place.thread : place.thread / kWarpSize;
      ids.insert(id);
      const int x = left + static_cast<int>(col) * cell_width;
      fmt::format_to(std::back_inserter(svg),
                     "<rect x=\"{}\" y=\"{}\" width=\"{}\" height=\"{}\" fill=\"{}\" "
                     "stroke=\"#555\"/>\n",
                     x, y, cell_width, kCellHeight, colour(id));
      append_svg_text(svg, x + cell_width / 2, y + 17, "middle", cell_text(place, replicas));
    }
  }
  return y - top + 12;
}

}  // namespace

Result<std::string> draw_text(const RegisterLayout& layout) {
  ANYBIT_TRY(check_drawable(layout));
  const std::vector<int64_t> replicas = layout.replica_offsets();
  std::string text;
  for (const Table& table : tables_of(layout)) {
    if (!text.empty()) text += "\n";
    append_table(text, layout, table, replicas);
  }
  return text;
}

Result<std::string> draw_svg(const RegisterLayout& layout, DrawColor color) {
  ANYBIT_TRY(check_drawable(layout));
  const std::vector<int64_t> replicas = layout.replica_offsets();
  const std::vector<Table> tables = tables_of(layout);
  size_t longest = 0;
  for (int64_t i = 0; i < layout.size(); ++i) {
    longest = std::max(longest, cell_text(layout.locate(i), replicas).size());
  }
  const int cell_width = static_cast<int>(longest + 1) * kCharWidth;
  std::string body;
  std::set<int64_t> ids;
  const std::string title = to_string(layout);
  append_svg_text(body, kMargin, kMargin + 12, "start", title);
  int y = kMargin + 24;
  for (const Table& table : tables) {
    y += append_svg_table(body, layout, table, replicas, color, cell_width, y, ids);
  }
  y += append_legend(body, ids, color == DrawColor::kThread ? "thread" : "warp", y);
  const int table_width =
      kMargin * 2 + 4 * kCharWidth + static_cast<int>(tables.front().num_cols) * cell_width;
  const int width = std::max({table_width, kMargin * 2 + kLegendColumns * kLegendWidth,
                              kMargin * 2 + static_cast<int>(title.size()) * kCharWidth});
  return fmt::format(
      "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{0}\" height=\"{1}\" viewBox=\"0 0 {0} "
      "{1}\" font-family=\"monospace\" font-size=\"11\">\n"
      "<rect width=\"{0}\" height=\"{1}\" fill=\"white\"/>\n{2}</svg>\n",
      width, y + kMargin, body);
}

}  // namespace anybit::layout
