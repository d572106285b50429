#include "anybit/kernel/matmul/internal/panel_matrix.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include "anybit/base/check.h"
#include "anybit/base/integer.h"
#include "anybit/base/shared_range.h"

namespace anybit::kernel::internal {
namespace {

// Blocks decoded at a time: the tile (8 to 16 KiB) stays in the first-level cache.
int64_t chunk_blocks(const PanelFormat& format) {
  return format.arithmetic == Arithmetic::kFloat ? 8 : 16;
}

// Activations that the inner loops pass over again for each panel of rows stay in the second-level
// cache; but each tile is to serve enough of them to pay for its decoding.
int64_t panels_at_a_time(const PanelFormat& format, int64_t num_blocks) {
  constexpr int64_t kCacheBytes = 256 << 10, kLeastPanels = 8;
  const int64_t panel_bytes = num_blocks * kBlockCols * format.tile_element_bytes() * kMaxColumns;
  return std::max(kLeastPanels, kCacheBytes / panel_bytes);
}

void prefetch(const std::byte* first, int64_t size_bytes) {
  for (int64_t i = 0; i < size_bytes; i += kLineBytes) __builtin_prefetch(first + i);
}

}  // namespace

struct PanelMatrix::Scratch {
  Scratch(const PanelFormat& format, int64_t num_panels)
      : tile(chunk_blocks(format) * format.tile_block_bytes()),
        scales(subblocks(format) * kPanelRows * static_cast<int64_t>(sizeof(float))),
        expansion(3 * scales.size()),
        mins(scales.size()),
        sums(num_panels * kMaxColumns * kPanelRows * static_cast<int64_t>(sizeof(float))) {}

  static int64_t subblocks(const PanelFormat& format) {
    return chunk_blocks(format) * format.subblocks_per_block();
  }

  PanelMemory tile, scales, expansion, mins;
  PanelMemory sums;  // [panels][columns][16 rows]
};

PanelMatrix::PanelMatrix(PanelParts parts, const PanelOps& ops, std::string_view kernel_name)
    : parts_(std::move(parts)),
      ops_(ops),
      kernel_name_(kernel_name),
      num_blocks_(ceil_div(parts_.cols, kBlockCols)),
      unpack_(ops.find_unpack(parts_.format)),
      multiply_codes_(ops.find_multiply_codes(parts_.format)) {
  ANYBIT_CHECK(unpack_ != nullptr);
  for (int columns = 1; columns <= kMaxColumns; ++columns) {
    multiply_[columns - 1] = ops.find_multiply(parts_.format, columns);
  }
}

void PanelMatrix::matmul(const float* a, int64_t m, float* c, Threads threads) const {
  if (m == 0 || rows() == 0) return;
  const Activations activations(parts_.format, ops_, a, m, cols(), parts_.scales.min_group_cols(),
                                threads);
  const int64_t num_panels = ceil_div(rows(), kPanelRows);
  const Threads used{static_cast<int>(std::min<int64_t>(threads.count, num_panels))};
  // Threads do not get equal shares of the memory's bandwidth: whichever is done helps the others.
  SharedRange row_panels(num_panels, row_panels_at_a_time(m, used), used);
  const int64_t at_a_time =
      std::min(panels_at_a_time(parts_.format, num_blocks_), activations.num_panels());
  parallel_run(used, [&](int thread, int num_threads) {
    ANYBIT_CHECK(num_threads == 1 || num_threads == used.count);
    Scratch scratch(parts_.format, at_a_time);
    for (int64_t begin = 0, end = 0; row_panels.take(thread, begin, end);) {
      multiply_rows(activations, m, begin, end, at_a_time, scratch, c);
    }
  });
}

int64_t PanelMatrix::row_panels_at_a_time(int64_t m, Threads threads) const {
  // Long enough to stream, short enough that threads end together.
  constexpr int64_t kRunBytes = 32 << 10, kRunsAThread = 8, kManyColumnsRun = 4;
  const int64_t panel_bytes = std::max<int64_t>(1, num_blocks_ * parts_.format.block_bytes());
  const int64_t run = m <= kMaxColumns ? kRunBytes / panel_bytes : kManyColumnsRun;
  const int64_t even = ceil_div(rows(), kPanelRows) / (threads.count * kRunsAThread);
  return std::max<int64_t>(1, std::min(run, even));
}

void PanelMatrix::multiply_rows(const Activations& activations, int64_t m, int64_t first_panel,
                                int64_t last_panel, int64_t at_a_time, Scratch& scratch,
                                float* c) const {
  for (int64_t first = 0; first < activations.num_panels(); first += at_a_time) {
    const int64_t last = std::min(first + at_a_time, activations.num_panels());
    for (int64_t row_panel = first_panel; row_panel < last_panel; ++row_panel) {
      multiply_panel(activations, row_panel, first, last, scratch);
      const int64_t first_row = row_panel * kPanelRows;
      const int64_t count = std::min(kPanelRows, rows() - first_row);
      const int64_t first_column = first * kMaxColumns;
      const int64_t last_column = std::min(last * kMaxColumns, m);
      for (int64_t column = first_column; column < last_column; ++column) {
        const float* sums = scratch.sums.as<float>() + (column - first_column) * kPanelRows;
        float* out = c + column * rows() + first_row;
        for (int64_t row = 0; row < count; ++row) out[row] = sums[row] * parts_.factor;
      }
    }
  }
}

void PanelMatrix::multiply_panel(const Activations& activations, int64_t row_panel, int64_t first,
                                 int64_t last, Scratch& scratch) const {
  const PanelFormat& format = parts_.format;
  const int64_t chunk = chunk_blocks(format), per_block = format.subblocks_per_block();
  std::fill_n(scratch.sums.as<float>(), (last - first) * kMaxColumns * kPanelRows, 0.0f);
  const bool uses_codes =
      multiply_codes_ != nullptr && last - first == 1 && activations.columns(first) == 1;
  const std::byte* codes = parts_.codes.data() + row_panel * num_blocks_ * format.block_bytes();
  for (int64_t block = 0; block < num_blocks_; block += chunk) {
    const int64_t count = std::min(chunk, num_blocks_ - block);
    const int64_t chunk_bytes = count * format.block_bytes();
    const std::byte* tile = scratch.tile.data();
    if (uses_codes) {
      tile = codes;
    } else {
      // The next chunk travels while this one is multiplied.
      if (last - first == 1) prefetch(codes + chunk_bytes, chunk_bytes);
      unpack_(format, codes, count, scratch.tile.data());
    }
    codes += chunk_bytes;
    parts_.scales.expand_scales(ops_, row_panel, format.subblock_cols, block * per_block,
                                count * per_block, scratch.expansion.as<float>(),
                                scratch.scales.as<float>());
    for (int64_t panel = first; panel < last; ++panel) {
      const bool is_float = format.arithmetic == Arithmetic::kFloat;
      const bool is_int8 = format.arithmetic == Arithmetic::kInt8;
      const MultiplyArguments arguments{
          .tile = tile,
          .weight_scales = scratch.scales.as<float>(),
          .activations = activations.codes(panel, block),
          .biases = is_int8 ? activations.biases(panel, block) : nullptr,
          .activation_scales = is_float ? nullptr : activations.scales(panel, block),
          .num_blocks = count,
          .sums = scratch.sums.as<float>() + (panel - first) * kMaxColumns * kPanelRows};
      (uses_codes ? multiply_codes_ : multiply_[activations.columns(panel) - 1])(format, arguments);
    }
    if (parts_.scales.has_mins()) {
      add_mins(activations, row_panel, first, last, block, count, scratch);
    }
  }
}

void PanelMatrix::add_mins(const Activations& activations, int64_t row_panel, int64_t first,
                           int64_t last, int64_t first_block, int64_t num_blocks,
                           Scratch& scratch) const {
  const int64_t group_cols = parts_.scales.min_group_cols();
  const int64_t end_col = std::min((first_block + num_blocks) * kBlockCols, cols());
  const int64_t first_group = ceil_div(first_block * kBlockCols, group_cols);
  const int64_t count = ceil_div(end_col, group_cols) - first_group;
  if (count <= 0) return;
  float* mins = scratch.mins.as<float>();
  parts_.scales.expand_mins(ops_, row_panel, first_group, count, scratch.expansion.as<float>(),
                            mins);
  for (int64_t panel = first; panel < last; ++panel) {
    float* sums = scratch.sums.as<float>() + (panel - first) * kMaxColumns * kPanelRows;
    ops_.add_mins(mins, activations.group_sums(panel, first_group), count,
                  activations.columns(panel), sums);
  }
}

}  // namespace anybit::kernel::internal
