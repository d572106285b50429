#include "anybit/kernel/matmul/internal/table_matrix.h"

#include <algorithm>
#include <vector>

#include "anybit/base/integer.h"
#include "anybit/kernel/matmul/internal/activations.h"
#include "anybit/kernel/matmul/internal/panel_matrix.h"
#include "anybit/kernel/matmul/internal/panel_pack.h"

namespace anybit::kernel::internal {

#if defined(__x86_64__)
namespace {

constexpr std::string_view kName = "table_avx2";
constexpr int64_t kChunkBlocks = 16;

// Two panels of 16 rows hold the rows of one look-up.
constexpr int64_t kPanelsALookup = kTableRows / kPanelRows;

int64_t lookup_block_bytes(int planes) { return int64_t{128} * planes; }

// A block of two panels' codes as nibbles of bit planes.
void store_nibbles(const uint16_t (&codes)[kPanelsALookup][kBlockSteps * kLineBytes], int planes,
                   std::byte* out) {
  for (int plane = 0; plane < planes; ++plane) {
    for (int step = 0; step < kBlockSteps; ++step) {
      for (int64_t row = 0; row < kTableRows; ++row) {
        const uint16_t* four = &codes[row / kPanelRows][step * kLineBytes + row % kPanelRows * 4];
        unsigned nibble = 0;
        for (int i = 0; i < 4; ++i) nibble |= (four[i] >> plane & 1u) << i;
        std::byte& byte = out[(plane * kBlockSteps / 2 + step / 2) * kTableRows + row];
        byte = static_cast<std::byte>(step % 2 == 0 ? nibble
                                                    : static_cast<unsigned>(byte) | nibble << 4);
      }
    }
  }
}

class TableMatrix : public PackedMatrix {
 public:
  explicit TableMatrix(PanelParts parts) : parts_(std::move(parts)) {
    num_blocks_ = ceil_div(parts_.cols, kBlockCols);
    num_panels_ = ceil_div(parts_.rows, kPanelRows);
    const int planes = parts_.format.bits;
    const int64_t lookups = ceil_div(num_panels_, kPanelsALookup);
    PanelMemory nibbles(lookups * num_blocks_ * lookup_block_bytes(planes));
    for (int64_t i = 0; i < lookups * num_blocks_; ++i) {
      uint16_t codes[kPanelsALookup][kBlockSteps * kLineBytes] = {};
      for (int64_t half = 0; half < kPanelsALookup; ++half) {
        const int64_t panel = i / num_blocks_ * kPanelsALookup + half;
        if (panel >= num_panels_) continue;
        const int64_t from = panel * num_blocks_ + i % num_blocks_;
        load_planes(parts_.codes.data() + from * parts_.format.block_bytes(), planes, codes[half]);
      }
      store_nibbles(codes, planes, nibbles.data() + i * lookup_block_bytes(planes));
    }
    parts_.codes = std::move(nibbles);
  }

  int64_t rows() const override { return parts_.rows; }
  int64_t cols() const override { return parts_.cols; }
  int64_t size_bytes() const override { return parts_.codes.size() + parts_.scales.size_bytes(); }
  std::string_view kernel_name() const override { return kName; }

  void matmul(const float* a, int64_t m, float* c, Threads threads) const override {
    if (m == 0 || rows() == 0) return;
    for (int64_t i = 0; i < m; ++i) multiply_row(a + i * cols(), c + i * rows(), threads);
  }

 private:
  void multiply_row(const float* a, float* c, Threads threads) const {
    const Activations activations(parts_.format, kAvx2PanelOps, a, 1, cols(),
                                  parts_.scales.min_group_cols(), threads);
    PanelMemory tables(num_blocks_ * kBlockSteps * 32);
    build_tables_avx2(activations.codes(0, 0), num_blocks_, tables.data());
    std::vector<int16_t> biases(static_cast<size_t>(num_blocks_));
    for (int64_t b = 0; b < num_blocks_; ++b) {
      // Widening kSubblock: two shares of 16 bits in a word.
      const auto word = static_cast<uint32_t>(activations.biases(0, b)[0]);
      biases[static_cast<size_t>(b)] = static_cast<int16_t>(word + (word >> 16));
    }
    parallel_for(threads, ceil_div(num_panels_, kPanelsALookup), 1,
                 [&](int64_t begin, int64_t end) {
                   for (int64_t i = begin; i < end; ++i) {
                     multiply_rows(activations, tables, biases, i, c);
                   }
                 });
  }

  void multiply_rows(const Activations& activations, const PanelMemory& tables,
                     const std::vector<int16_t>& biases, int64_t index, float* c) const {
    alignas(64) float sums[kTableRows] = {};
    alignas(64) float scales[kPanelsALookup][kChunkBlocks * kPanelRows] = {};
    const int64_t block_bytes = lookup_block_bytes(parts_.format.bits);
    const std::byte* codes = parts_.codes.data() + index * num_blocks_ * block_bytes;
    for (int64_t block = 0; block < num_blocks_; block += kChunkBlocks) {
      const int64_t count = std::min(kChunkBlocks, num_blocks_ - block);
      for (int64_t half = 0; half < kPanelsALookup; ++half) {
        expand_scales(index * kPanelsALookup + half, block, count, scales[half]);
      }
      multiply_tables_avx2(parts_.format.bits, {.codes = codes + block * block_bytes,
                                                .tables = tables.data() + block * kBlockSteps * 32,
                                                .weight_scales = {scales[0], scales[1]},
                                                .biases = &biases[static_cast<size_t>(block)],
                                                .activation_scales = activations.scales(0, block),
                                                .is_doubled = parts_.format.is_doubled,
                                                .num_blocks = count,
                                                .sums = sums});
      for (int64_t half = 0; half < kPanelsALookup && parts_.scales.has_mins(); ++half) {
        add_mins(activations, index * kPanelsALookup + half, block, count,
                 sums + half * kPanelRows);
      }
    }
    const int64_t first_row = index * kTableRows;
    for (int64_t row = 0; row < std::min(kTableRows, rows() - first_row); ++row) {
      c[first_row + row] = sums[row] * parts_.factor;
    }
  }

  void expand_scales(int64_t panel, int64_t block, int64_t count, float* out) const {
    if (panel >= num_panels_) return;
    float scratch[3 * kChunkBlocks * kPanelRows];
    parts_.scales.expand_scales(kAvx2PanelOps, panel, kBlockCols, block, count, scratch, out);
  }

  void add_mins(const Activations& activations, int64_t panel, int64_t block, int64_t count,
                float* sums) const {
    if (panel >= num_panels_) return;
    const int64_t group_cols = parts_.scales.min_group_cols();
    const int64_t end_col = std::min((block + count) * kBlockCols, cols());
    const int64_t first_group = ceil_div(block * kBlockCols, group_cols);
    const int64_t num_groups = ceil_div(end_col, group_cols) - first_group;
    if (num_groups <= 0) return;
    float mins[kChunkBlocks * kPanelRows], scratch[3 * kChunkBlocks * kPanelRows];
    parts_.scales.expand_mins(kAvx2PanelOps, panel, first_group, num_groups, scratch, mins);
    kAvx2PanelOps.add_mins(mins, activations.group_sums(0, first_group), num_groups, 1, sums);
  }

  PanelParts parts_;
  int64_t num_blocks_ = 0, num_panels_ = 0;
};

}  // namespace

bool may_pack_tables(const numeric::Scheme& scheme, int64_t cols) {
  const bool is_narrow =
      scheme.ggml == numeric::GgmlType::kNone && scheme.element.bits <= kMostTablePlanes;
  return is_narrow && may_pack_panels(scheme, cols, Arithmetic::kInt8, kAvx2PanelOps);
}

Result<std::unique_ptr<PackedMatrix>> pack_tables(const tensor::QuantizedTensor& weight,
                                                  Threads threads) {
  ANYBIT_ASSIGN(PanelParts parts,
                make_panels(weight, threads, Arithmetic::kInt8, kAvx2PanelOps, kName));
  const PanelFormat& format = parts.format;
  const int most_bits = format.is_doubled ? kMostTablePlanes - 1 : kMostTablePlanes;
  if (format.decoding != CodeDecoding::kLinear || format.bits > most_bits ||
      format.subblock_cols != kBlockCols || format.widening != Widening::kSubblock) {
    return fail(ErrorCode::kUnsupported,
                "kernel {} takes integers of at most {} bits in groups of multiples of {} columns",
                kName, most_bits, kBlockCols);
  }
  return std::make_unique<TableMatrix>(std::move(parts));
}
#endif

}  // namespace anybit::kernel::internal
