#include "anybit/kernel/matmul/internal/panel_pack.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <mutex>
#include <vector>

#include "anybit/base/integer.h"
#include "anybit/kernel/matmul/internal/code_source.h"
#include "anybit/kernel/matmul/internal/panel_matrix.h"
#include "anybit/kernel/matmul/internal/panel_plan.h"
#include "anybit/numeric/packing.h"

namespace anybit::kernel::internal {
namespace {

using numeric::GgmlType;
using numeric::Granularity;
using numeric::Scheme;

// Columns that share a scale, at least; a whole row's worth where all of them do.
int64_t group_cols(const Scheme& scheme, int64_t cols) {
  const int64_t whole_row = round_up(std::max<int64_t>(cols, 1), kBlockCols);
  if (scheme.ggml != GgmlType::kNone) {
    const numeric::GroupFormat* format = numeric::find_group_format(scheme.ggml);
    return format == nullptr ? whole_row : format->group_size;
  }
  const int64_t group = scheme.granularity == Granularity::kGroup     ? scheme.group_size
                        : scheme.granularity == Granularity::kBlock2d ? scheme.block_cols
                                                                      : whole_row;
  return group >= cols ? whole_row : group;
}

bool is_plain(const Scheme& scheme) {
  return scheme.ggml == GgmlType::kNone && scheme.element.bits > 16;
}

int subblock_cols_for(int64_t group) { return group % kBlockCols == 0 ? 32 : 16; }

// Packs one tensor; parts_ is what it makes.
class Packer {
 public:
  Packer(const tensor::QuantizedTensor& tensor, const CodeSource& source, PanelPlan plan)
      : tensor_(tensor), source_(source), plan_(std::move(plan)) {
    parts_.rows = tensor.rows;
    parts_.cols = tensor.cols;
    parts_.factor = static_cast<float>(plan_.unit * static_cast<double>(tensor.tensor_scale));
    parts_.format = plan_.format;
    parts_.scales.center = plan_.format.center;
    num_panels_ = ceil_div(tensor.rows, kPanelRows);
    num_blocks_ = ceil_div(tensor.cols, kBlockCols);
  }

  Result<PanelParts> pack(Threads threads) {
    parts_.codes = PanelMemory(num_panels_ * num_blocks_ * parts_.format.block_bytes());
    if (source_.ggml() != nullptr) {
      allocate_ggml_scales();
    } else {
      store_scales(threads);
    }
    Status status;
    std::mutex mutex;
    parallel_for(threads, num_panels_, 1, [&](int64_t begin, int64_t end) {
      std::vector<uint16_t> codes(static_cast<size_t>(kPanelRows * num_blocks_ * kBlockCols));
      Status result;
      for (int64_t panel = begin; panel < end && result; ++panel) {
        result = pack_panel(panel, codes);
      }
      const std::lock_guard lock(mutex);
      if (!result) status = result;
    });
    ANYBIT_TRY(status);
    return std::move(parts_);
  }

 private:
  void allocate_ggml_scales() {
    const numeric::GroupFormat& ggml = *source_.ggml();
    PanelScales& scales = parts_.scales;
    const auto set = [&](ScaleLevel& level, ScaleStorage storage, int64_t group) {
      level.storage = storage;
      level.group_cols = group;
      level.num_groups = tensor_.cols / group;
      level.allocate(num_panels_);
      // Rows that pad the last panel have scale 0.
      std::memset(level.codes.data(), 0, static_cast<size_t>(level.codes.size()));
    };
    const ScaleStorage storage = ggml.type == GgmlType::kMXFP4   ? ScaleStorage::kE8M0
                                 : ggml.type == GgmlType::kNVFP4 ? ScaleStorage::kByteFloat
                                                                 : ScaleStorage::kF16;
    set(scales.outer, storage, ggml.super_size);
    // IQ types of 1 to 3 bits multiply their d by odd numbers of eighths.
    const bool counts_eighths = ggml.type == GgmlType::kIQ1_S || ggml.type == GgmlType::kIQ1_M ||
                                ggml.type == GgmlType::kIQ2_XXS || ggml.type == GgmlType::kIQ2_XS ||
                                ggml.type == GgmlType::kIQ2_S || ggml.type == GgmlType::kIQ3_XXS;
    if (counts_eighths) scales.outer.factor = 0.125f;
    // Both FP4 types halve their scales so that the values of codes are integers; UE4M3 has bias 7.
    if (storage == ScaleStorage::kE8M0) scales.outer.factor = 0.5f;
    if (storage == ScaleStorage::kByteFloat) {
      scales.outer.factor = 0x1p7f;
      scales.outer.mantissa_shift = 7;
    }
    if (ggml.has_sub_scale) {
      set(scales.inner, paired_nibbles() ? ScaleStorage::kLowNibble : ScaleStorage::kInt8,
          ggml.group_size);
    }
    if (!ggml.has_min) return;
    set(scales.outer_min, storage, ggml.super_size);
    if (paired_nibbles()) {
      scales.inner_min.storage = ScaleStorage::kHighNibble;
      scales.inner_min.group_cols = ggml.group_size;
      scales.inner_min.num_groups = scales.inner.num_groups;
    } else {
      set(scales.inner_min, ScaleStorage::kUint8, ggml.group_size);
    }
  }

  bool ggml_has_min() const { return source_.ggml()->has_min; }

  // Q2_K: both sub-scales are 4 bits, and share a byte.
  bool paired_nibbles() const { return source_.ggml()->type == GgmlType::kQ2_K; }

  // The scales of a scheme, in the codes it came with where those are bytes a kernel can widen,
  // else in the narrowest type that holds all of them exactly.
  void store_scales(Threads threads) {
    const Scheme& scheme = tensor_.scheme;
    if (scheme.granularity == Granularity::kNone) return;
    const numeric::ElementFormat& format = scheme.scale;
    ScaleLevel& level = parts_.scales.outer;
    level.group_cols = group_cols(scheme, tensor_.cols);
    // Columns that pad the last block have scales too: their products with zeros must be zeros.
    level.num_groups = ceil_div(num_blocks_ * kBlockCols, level.group_cols);
    const bool is_byte =
        format.kind == numeric::ElementKind::kFloat && format.bits <= 8 &&
        format.exponent_bits <= 5 && format.exponent_bits >= 1 &&
        (format.exponent_bits < 5 || format.specials == numeric::Specials::kIeee) &&
        (format.bits == 8 || !format.is_signed);
    const std::vector<float> values = tensor::decode_scales(tensor_);
    const bool all_finite =
        std::all_of(values.begin(), values.end(), [](float v) { return std::isfinite(v); });
    if (is_byte && all_finite) {
      level.storage = ScaleStorage::kByteFloat;
      level.mantissa_shift = 10 - format.mantissa_bits;
      level.has_sign = format.is_signed;
      level.factor = std::ldexp(1.0f, 15 - format.exponent_bias);
    } else {
      level.storage = narrowest_storage(values);
    }
    level.allocate(num_panels_);
    if (scheme.has_zero_point) {
      ScaleLevel& zero_point = parts_.scales.zero_point;
      zero_point.storage = scheme.element.bits <= 8 ? ScaleStorage::kUint8 : ScaleStorage::kUint16;
      zero_point.group_cols = level.group_cols;
      zero_point.num_groups = level.num_groups;
      zero_point.allocate(num_panels_);
    }
    parallel_for(threads, num_panels_, 1, [&](int64_t begin, int64_t end) {
      for (int64_t panel = begin; panel < end; ++panel) store_panel_scales(panel, values);
    });
  }

  void store_panel_scales(int64_t panel, const std::vector<float>& values) {
    ScaleLevel& level = parts_.scales.outer;
    ScaleLevel& zero_point = parts_.scales.zero_point;
    const Scheme& scheme = tensor_.scheme;
    for (int64_t group = 0; group < level.num_groups; ++group) {
      for (int64_t i = 0; i < kPanelRows; ++i) {
        // Rows that pad the last panel repeat the last row; nobody reads their sums.
        const int64_t row = std::min(panel * kPanelRows + i, tensor_.rows - 1);
        const int64_t col = std::min(group * level.group_cols, tensor_.cols - 1);
        const int64_t from = numeric::scale_index(scheme, tensor_.rows, tensor_.cols, row, col);
        const int64_t to = (panel * level.num_groups + group) * kPanelRows + i;
        if (level.storage == ScaleStorage::kByteFloat) {
          level.codes.data()[to] = static_cast<std::byte>(
              numeric::unpack_code(tensor_.scales.bytes(), scheme.scale.bits, from));
        } else {
          level.store(to, values[static_cast<size_t>(from)]);
        }
        if (!zero_point.is_present()) continue;
        const uint32_t code =
            numeric::unpack_code(tensor_.zero_points.bytes(), scheme.element.bits, from);
        zero_point.store(to, static_cast<float>(code));
      }
    }
  }

  Status pack_panel(int64_t panel, std::vector<uint16_t>& codes) {
    std::fill(codes.begin(), codes.end(), uint16_t{0});
    const int64_t first_row = panel * kPanelRows;
    const int64_t padded_cols = num_blocks_ * kBlockCols;
    CodeSource::GgmlScales ggml_scales;
    for (int64_t i = 0; i < std::min(kPanelRows, tensor_.rows - first_row); ++i) {
      const std::span<uint16_t> row(&codes[static_cast<size_t>(i * padded_cols)],
                                    static_cast<size_t>(tensor_.cols));
      ANYBIT_TRY(source_.read_row(first_row + i, row, ggml_scales));
      ANYBIT_TRY(check_row(first_row + i, row));
      for (uint16_t& code : row) code = plan_.stored_code[code];
      if (source_.ggml() != nullptr) ANYBIT_TRY(store_ggml_scales(panel, i, ggml_scales));
    }
    uint16_t block_codes[kBlockSteps * kLineBytes];
    std::byte* out = parts_.codes.data() + panel * num_blocks_ * parts_.format.block_bytes();
    for (int64_t block = 0; block < num_blocks_; ++block) {
      const uint16_t* from = codes.data() + block * kBlockCols;
      for (int row = 0; row < kPanelRows; ++row) {
        for (int col = 0; col < kBlockCols; ++col) {
          block_codes[col / 4 * kLineBytes +
                      place_in_step(parts_.format.arithmetic, row, col % 4)] =
              from[row * padded_cols + col];
        }
      }
      store_planes(block_codes, parts_.format.bits, out + block * parts_.format.block_bytes());
    }
    return {};
  }

  // Every code must be one the format holds, and rounding must not move the row.
  Status check_row(int64_t row, std::span<const uint16_t> codes) const {
    bool is_valid = true;
    for (const uint16_t code : codes) is_valid = is_valid && plan_.is_valid[code] != 0;
    if (!is_valid) {
      return fail(ErrorCode::kUnsupported, "row {} holds codes that are not finite numbers", row);
    }
    if (plan_.error_squares.empty()) return {};
    double values = 0, errors = 0;
    for (const uint16_t code : codes) {
      values += plan_.value_squares[code];
      errors += plan_.error_squares[code];
    }
    constexpr double kMostRelativeError = 0x1p-10;
    if (errors <= kMostRelativeError * kMostRelativeError * values) return {};
    return fail(ErrorCode::kUnsupported,
                "row {} would be moved by {} of its norm by 16-bit fixed point, at most {} is kept",
                row, std::sqrt(errors / values), kMostRelativeError);
  }

  Status store_ggml_scales(int64_t panel, int64_t row, const CodeSource::GgmlScales& from) {
    PanelScales& scales = parts_.scales;
    const auto store = [&](ScaleLevel& level, const auto& values) {
      for (int64_t group = 0; group < level.num_groups; ++group) {
        const int64_t to = (panel * level.num_groups + group) * kPanelRows + row;
        level.store(to, static_cast<float>(values[static_cast<size_t>(group)]));
      }
    };
    const auto is_held = [](const ScaleLevel& level, const std::vector<float>& values) {
      // A byte float is checked as the binary16 that it widens to.
      const ScaleStorage as =
          level.storage == ScaleStorage::kByteFloat ? ScaleStorage::kF16 : level.storage;
      return std::all_of(values.begin(), values.end(),
                         [&](float v) { return is_exact(as, v / level.factor); });
    };
    if (!is_held(scales.outer, from.super_scales) ||
        (ggml_has_min() && !is_held(scales.outer_min, from.super_mins))) {
      return fail(ErrorCode::kUnsupported, "a block has a scale that the packed form cannot hold");
    }
    store(scales.outer, from.super_scales);
    if (scales.inner.is_present() && paired_nibbles()) {
      for (int64_t group = 0; group < scales.inner.num_groups; ++group) {
        const int64_t to = (panel * scales.inner.num_groups + group) * kPanelRows + row;
        const auto g = static_cast<size_t>(group);
        scales.inner.codes.data()[to] =
            static_cast<std::byte>(from.sub_scales[g] | from.sub_mins[g] << 4);
      }
      store(scales.outer_min, from.super_mins);
      return {};
    }
    if (scales.inner.is_present()) store(scales.inner, from.sub_scales);
    if (!scales.outer_min.is_present()) return {};
    store(scales.outer_min, from.super_mins);
    store(scales.inner_min, from.sub_mins);
    return {};
  }

  const tensor::QuantizedTensor& tensor_;
  const CodeSource& source_;
  PanelPlan plan_;
  PanelParts parts_;
  int64_t num_panels_, num_blocks_;
};

// f32 and tf32: the rows as floats, scales and all.
Result<PanelParts> pack_plain(const tensor::QuantizedTensor& tensor, Threads threads) {
  PanelParts parts;
  parts.rows = tensor.rows;
  parts.cols = tensor.cols;
  const int64_t num_panels = ceil_div(tensor.rows, kPanelRows);
  const int64_t num_blocks = ceil_div(tensor.cols, kBlockCols);
  parts.codes = PanelMemory(num_panels * num_blocks * parts.format.block_bytes());
  Status status;
  std::mutex mutex;
  parallel_for(threads, num_panels, 1, [&](int64_t begin, int64_t end) {
    std::vector<float> rows(static_cast<size_t>(kPanelRows * tensor.cols));
    for (int64_t panel = begin; panel < end; ++panel) {
      const int64_t first = panel * kPanelRows;
      const int64_t count = std::min(kPanelRows, tensor.rows - first);
      const Status decoded = tensor::dequantize_rows(
          tensor, first, count, std::span(rows).first(static_cast<size_t>(count * tensor.cols)));
      if (!decoded) {
        const std::lock_guard lock(mutex);
        status = decoded;
        return;
      }
      float* out = parts.codes.as<float>() + panel * num_blocks * kBlockCols * kPanelRows;
      std::fill_n(out, num_blocks * kBlockCols * kPanelRows, 0.0f);
      for (int64_t row = 0; row < count; ++row) {
        for (int64_t col = 0; col < tensor.cols; ++col) {
          out[col * kPanelRows + row] = rows[static_cast<size_t>(row * tensor.cols + col)];
        }
      }
    }
  });
  ANYBIT_TRY(status);
  return parts;
}

}  // namespace

bool may_pack_panels(const Scheme& scheme, int64_t cols, Arithmetic arithmetic,
                     const PanelOps& ops) {
  if (is_plain(scheme)) return arithmetic == Arithmetic::kFloat;
  constexpr int64_t kGroupMultiple = 16;
  return group_cols(scheme, cols) % kGroupMultiple == 0 && may_plan(scheme, arithmetic, ops.traits);
}

Result<PanelParts> make_panels(const tensor::QuantizedTensor& weight, Threads threads,
                               Arithmetic arithmetic, const PanelOps& ops,
                               std::string_view kernel_name) {
  if (is_plain(weight.scheme)) return pack_plain(weight, threads);
  ANYBIT_ASSIGN(const CodeSource source, CodeSource::of(weight));
  const int subblock_cols = subblock_cols_for(group_cols(weight.scheme, weight.cols));
  ANYBIT_ASSIGN(PanelPlan plan,
                plan_panels(source, arithmetic, ops.traits, subblock_cols, threads));
  if (ops.find_unpack(plan.format) == nullptr) {
    return fail(ErrorCode::kUnsupported, "kernel {} has no decoder for {}", kernel_name,
                numeric::scheme_name(weight.scheme));
  }
  return Packer(weight, source, std::move(plan)).pack(threads);
}

Result<std::unique_ptr<PackedMatrix>> pack_panels(const tensor::QuantizedTensor& weight,
                                                  Threads threads, Arithmetic arithmetic,
                                                  const PanelOps& ops,
                                                  std::string_view kernel_name) {
  ANYBIT_ASSIGN(PanelParts parts, make_panels(weight, threads, arithmetic, ops, kernel_name));
  return std::make_unique<PanelMatrix>(std::move(parts), ops, kernel_name);
}

}  // namespace anybit::kernel::internal
