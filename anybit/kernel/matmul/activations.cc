#include "anybit/kernel/matmul/internal/activations.h"

#include <algorithm>
#include <cstring>

#include "anybit/base/integer.h"

namespace anybit::kernel::internal {

Activations::Activations(const PanelFormat& format, const PanelOps& ops, const float* a, int64_t m,
                         int64_t cols, int64_t min_group_cols, Threads threads)
    : format_(format),
      ops_(ops),
      m_(m),
      cols_(cols),
      num_blocks_(ceil_div(cols, kBlockCols)),
      min_group_cols_(min_group_cols),
      num_groups_(min_group_cols > 0 ? ceil_div(cols, min_group_cols) : 0),
      codes_(m * num_blocks_ * kBlockCols * format.tile_element_bytes()) {
  if (format.arithmetic != Arithmetic::kFloat) {
    scales_.resize(static_cast<size_t>(m * num_blocks_));
  }
  if (format.arithmetic == Arithmetic::kInt8) {
    biases_.resize(static_cast<size_t>(m * num_blocks_ * format.subblocks_per_block()));
  }
  group_sums_.resize(static_cast<size_t>(m * num_groups_));
  // Threads cost more than they save on the few rows of a decode step.
  const Threads used{m <= kMaxColumns ? 1 : threads.count};
  parallel_for(used, num_panels(), 1, [&](int64_t begin, int64_t end) {
    for (int64_t panel = begin; panel < end; ++panel) fill_panel(a, panel);
  });
}

int Activations::columns(int64_t panel) const {
  return static_cast<int>(std::min<int64_t>(kMaxColumns, m_ - first_column(panel)));
}

const std::byte* Activations::codes(int64_t panel, int64_t block) const {
  const int64_t column = first_column(panel) * num_blocks_ + block * columns(panel);
  return codes_.data() + column * kBlockCols * format_.tile_element_bytes();
}

const float* Activations::scales(int64_t panel, int64_t block) const {
  return scales_.data() + first_column(panel) * num_blocks_ + block * columns(panel);
}

const int32_t* Activations::biases(int64_t panel, int64_t block) const {
  return biases_.data() + (first_column(panel) * num_blocks_ + block * columns(panel)) *
                              format_.subblocks_per_block();
}

const float* Activations::group_sums(int64_t panel, int64_t group) const {
  return group_sums_.data() + first_column(panel) * num_groups_ + group * columns(panel);
}

void Activations::fill_panel(const float* a, int64_t panel) {
  if (format_.arithmetic == Arithmetic::kFloat) {
    fill_floats(a, panel);
  } else {
    fill_integers(a, panel);
  }
}

void Activations::fill_integers(const float* a, int64_t panel) {
  const bool is_int8 = format_.arithmetic == Arithmetic::kInt8;
  const int width = columns(panel);
  const int64_t code_bytes = kBlockCols * format_.tile_element_bytes();
  std::vector<int32_t> partial_sums(static_cast<size_t>(num_blocks_ * 4));
  for (int c = 0; c < width; ++c) {
    const QuantizedRow row{const_cast<std::byte*>(codes(panel, 0)) + c * code_bytes,
                           width * code_bytes, const_cast<float*>(scales(panel, 0)) + c, width,
                           partial_sums.data()};
    const float* values = a + (first_column(panel) + c) * cols_;
    (is_int8 ? ops_.quantize_int8 : ops_.quantize_int16)(values, cols_, row);
    fill_sums(panel, c, partial_sums);
  }
}

void Activations::fill_sums(int64_t panel, int column, const std::vector<int32_t>& partial_sums) {
  const int width = columns(panel);
  const int64_t per_block = format_.subblocks_per_block();
  const bool has_biases = format_.arithmetic == Arithmetic::kInt8;
  if (!has_biases && num_groups_ == 0) return;
  for (int64_t block = 0; block < num_blocks_; ++block) {
    const int32_t* sums = &partial_sums[static_cast<size_t>(block * 4)];
    for (int64_t s = 0; s < per_block; ++s) {
      // Of two halves of 16 columns, each [k % 4 < 2, others].
      const int32_t even = per_block == 2 ? sums[s * 2] : sums[0] + sums[2];
      const int32_t odd = per_block == 2 ? sums[s * 2 + 1] : sums[1] + sums[3];
      if (has_biases) {
        const int32_t low = -format_.center * even, high = -format_.center * odd;
        auto* bias = const_cast<int32_t*>(biases(panel, block)) + s * width + column;
        *bias = format_.widening == Widening::kSubblock
                    ? static_cast<int32_t>(static_cast<uint32_t>(high) << 16 |
                                           (static_cast<uint32_t>(low) & 0xFFFF))
                    : low + high;
      }
      const float scale = scales(panel, block)[column];
      add_to_group(panel, column, block * kBlockCols + s * format_.subblock_cols,
                   scale * static_cast<float>(even + odd));
    }
  }
}

void Activations::fill_floats(const float* a, int64_t panel) {
  const int width = columns(panel);
  for (int c = 0; c < width; ++c) {
    const float* values = a + (first_column(panel) + c) * cols_;
    for (int64_t block = 0; block < num_blocks_; ++block) {
      float* out =
          reinterpret_cast<float*>(const_cast<std::byte*>(codes(panel, block))) + c * kBlockCols;
      const int64_t count = std::min(kBlockCols, cols_ - block * kBlockCols);
      std::copy_n(values + block * kBlockCols, count, out);
      std::fill(out + count, out + kBlockCols, 0.0f);
      for (int64_t first = 0; num_groups_ > 0 && first < kBlockCols;
           first += format_.subblock_cols) {
        float sum = 0;
        for (int64_t i = 0; i < format_.subblock_cols; ++i) sum += out[first + i];
        add_to_group(panel, c, block * kBlockCols + first, sum);
      }
    }
  }
}

void Activations::add_to_group(int64_t panel, int column, int64_t col, float sum) {
  if (num_groups_ == 0 || col >= cols_) return;
  const_cast<float*>(group_sums(panel, col / min_group_cols_))[column] += sum;
}

}  // namespace anybit::kernel::internal
