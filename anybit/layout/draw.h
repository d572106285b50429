// Pictures of register layouts, for messages, documentation and debugging.
#pragma once

#include <string>

#include "anybit/base/result.h"
#include "anybit/layout/register_layout.h"

namespace anybit::layout {

/// The most elements that are drawn.
inline constexpr int64_t kMaxDrawnElements = 1 << 14;

/// A table with one cell an element: the threads that hold it and its local place, as "5:1"; of
/// replicated elements "0,16:1", or "0,8,..(4):1" where there are more than two. Rows and columns
/// are numbered. A tile of one dimension is one row; of more than two, one table for each index of
/// the leading dimensions, headed by it ("[1,*,*]"). Errors: kUnsupported beyond kMaxDrawnElements.
Result<std::string> draw_text(const RegisterLayout& layout);

/// What a cell of an SVG is coloured by.
enum class DrawColor : uint8_t { kThread, kWarp };

/// An SVG with the tables of draw_text(), each cell coloured by the first thread that holds it or
/// by that thread's warp, with a legend of the colours and the layout's text above. Errors:
/// kUnsupported beyond kMaxDrawnElements.
Result<std::string> draw_svg(const RegisterLayout& layout, DrawColor color = DrawColor::kThread);

}  // namespace anybit::layout
