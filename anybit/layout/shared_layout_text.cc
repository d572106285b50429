// The text form of shared layouts, declared in shared_layout.h.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include "anybit/layout/internal/text_cursor.h"
#include "anybit/layout/shared_layout.h"

namespace anybit::layout {
namespace {

using internal::TextCursor;

constexpr size_t kMaxListed = 128;  // Modes; a layout in normal form has at most 31.

Result<std::vector<SharedMode>> parse_modes(TextCursor& cursor) {
  std::vector<SharedMode> modes;
  ANYBIT_TRY(cursor.expect("["));
  if (cursor.accept("]")) return modes;
  do {
    if (modes.size() == kMaxListed) return cursor.failure(cursor.column(), "']'");
    ANYBIT_ASSIGN(const int64_t extent, cursor.number());
    ANYBIT_TRY(cursor.expect("x"));
    const int column = cursor.column();
    ANYBIT_ASSIGN(const int64_t dim, cursor.number());
    if (dim >= kMaxRank) return cursor.failure(column, fmt::format("less than {}", kMaxRank));
    ANYBIT_TRY(cursor.expect(":"));
    ANYBIT_ASSIGN(const int64_t stride, cursor.number());
    modes.push_back({extent, static_cast<int>(dim), stride});
  } while (cursor.accept(","));
  ANYBIT_TRY(cursor.expect("]"));
  return modes;
}

Result<SharedLayout> parse_lists(TextCursor& cursor) {
  ANYBIT_TRY(cursor.expect("shape"));
  ANYBIT_TRY(cursor.expect("="));
  ANYBIT_ASSIGN(const std::vector<int64_t> shape, cursor.numbers("[", "]", kMaxRank));
  ANYBIT_TRY(cursor.expect("modes"));
  ANYBIT_TRY(cursor.expect("="));
  ANYBIT_ASSIGN(const std::vector<SharedMode> modes, parse_modes(cursor));
  ANYBIT_TRY(cursor.expect("}"));
  return SharedLayout::make(shape, modes);
}

Result<SharedLayout> parse_strided(TextCursor& cursor) {
  ANYBIT_TRY(cursor.expect("("));
  ANYBIT_ASSIGN(const std::vector<int64_t> shape, cursor.numbers("[", "]", kMaxRank));
  ANYBIT_TRY(cursor.expect(","));
  ANYBIT_ASSIGN(const std::vector<int64_t> strides, cursor.numbers("[", "]", kMaxRank));
  ANYBIT_TRY(cursor.expect(")"));
  ANYBIT_ASSIGN(const Dims dims, checked_shape(shape));
  return strided(dims, Dims(strides));
}

Result<SharedLayout> parse_strides(TextCursor& cursor) {
  if (cursor.accept("{")) return parse_lists(cursor);
  const int column = cursor.column();
  const std::string_view name = cursor.word();
  if (name == "strided") return parse_strided(cursor);
  if (name != "row_major" && name != "column_major") {
    return cursor.failure(column, "row_major, column_major, strided or '{'");
  }
  ANYBIT_ASSIGN(const std::vector<int64_t> extents, cursor.numbers("(", ")", kMaxRank));
  ANYBIT_ASSIGN(const Dims shape, checked_shape(extents));
  return name == "row_major" ? row_major(shape) : column_major(shape);
}

/// Adds the column of the part to errors that do not know theirs.
Result<SharedLayout> with_column(Result<SharedLayout> layout, int column) {
  if (layout || layout.error().message.starts_with("column ")) return layout;
  return with_context(std::move(layout).error(), fmt::format("column {}", column));
}

}  // namespace

Result<SharedLayout> parse_shared_layout(std::string_view text) {
  TextCursor cursor(text);
  int column = cursor.column();
  ANYBIT_ASSIGN(SharedLayout layout, with_column(parse_strides(cursor), column));
  const auto rebuild = [&](Swizzle swizzle, int64_t base_offset) {
    return with_column(SharedLayout::make(layout.shape(), layout.modes(), swizzle, base_offset),
                       column);
  };
  if (cursor.accept(".offset")) {
    column = cursor.column();
    ANYBIT_ASSIGN(const std::vector<int64_t> values, cursor.numbers("(", ")", 1));
    if (values.size() != 1) return cursor.failure(column, "one number");
    ANYBIT_ASSIGN(layout, rebuild({}, values[0]));
  }
  if (cursor.accept(".swizzle")) {
    column = cursor.column();
    ANYBIT_ASSIGN(const std::vector<int64_t> values, cursor.numbers("(", ")", 3));
    if (values.size() != 3) return cursor.failure(column, "base, bits and shift");
    for (const int64_t value : values) {
      if (value > 31) return cursor.failure(column, "numbers up to 31");
    }
    ANYBIT_ASSIGN(layout, rebuild({static_cast<int>(values[0]), static_cast<int>(values[1]),
                                   static_cast<int>(values[2])},
                                  layout.base_offset()));
  }
  if (!cursor.at_end()) return cursor.failure(cursor.column(), "'.offset', '.swizzle' or the end");
  return layout;
}

std::string to_string(const SharedLayout& layout) {
  const Dims& shape = layout.shape();
  const auto has_modes_of = [&layout](const SharedLayout& other) {
    return std::ranges::equal(layout.modes(), other.modes());
  };
  Dims strides = Dims::filled(shape.size(), 0);
  std::vector<std::string> modes;
  for (const SharedMode& mode : layout.modes()) {
    strides[mode.dim] = mode.stride;
    modes.push_back(fmt::format("{}x{}:{}", mode.extent, mode.dim, mode.stride));
  }
  std::string text;
  if (has_modes_of(row_major(shape))) {
    text = fmt::format("row_major({})", fmt::join(shape.begin(), shape.end(), ","));
  } else if (has_modes_of(column_major(shape))) {
    text = fmt::format("column_major({})", fmt::join(shape.begin(), shape.end(), ","));
  } else if (const auto plain = strided(shape, strides); plain && has_modes_of(*plain)) {
    text = fmt::format("strided({},{})", to_string(shape), to_string(strides));
  } else {
    text = fmt::format("{{shape={} modes=[{}]}}", to_string(shape), fmt::join(modes, ","));
  }
  if (layout.base_offset() != 0) text += fmt::format(".offset({})", layout.base_offset());
  if (const auto [base, bits, shift] = layout.swizzle(); bits != 0) {
    text += fmt::format(".swizzle({},{},{})", base, bits, shift);
  }
  return text;
}

}  // namespace anybit::layout
