#include "anybit/quant/method/round_to_nearest.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <optional>
#include <vector>

#include "anybit/base/check.h"
#include "anybit/base/integer.h"
#include "anybit/base/philox.h"
#include "anybit/numeric/ggml/block_codec.h"
#include "anybit/numeric/packing.h"
#include "anybit/quant/element_rounder.h"
#include "anybit/quant/method/internal/cell.h"
#include "anybit/quant/method/internal/scale_choice.h"
#include "anybit/quant/method/tensor_parameters.h"

namespace anybit::quant {
namespace {

using internal::cell_at;
using internal::CellValues;
using internal::GroupGrid;
using internal::ScaleChoice;
using numeric::ElementKind;
using numeric::Granularity;
using numeric::Scheme;
using tensor::QuantizedTensor;

// Eight rows of any code width end on a byte boundary, so threads never share a byte.
constexpr int64_t kRowGrain = 8;

Status check(const WeightMatrix& weight, const Scheme& scheme, const MethodOptions& options) {
  ANYBIT_CHECK(std::ssize(weight.values) == weight.rows * weight.cols);
  ANYBIT_CHECK(weight.importance.empty() || std::ssize(weight.importance) == weight.cols);
  if (auto fits = numeric::check_fits(scheme, weight.rows, weight.cols); !fits) {
    return with_context(std::move(fits).error(), weight.name);
  }
  ANYBIT_TRY(internal::check_finite(weight));
  const bool plain = scheme.ggml == numeric::GgmlType::kNone &&
                     scheme.element.kind != ElementKind::kCodebook &&
                     scheme.element.kind != ElementKind::kComplex;
  if (options.rounding != numeric::RoundingMode::kNearestEven && !plain) {
    return fail(ErrorCode::kUnsupported, "{}: {} rounds to nearest only, not {}", weight.name,
                numeric::scheme_name(scheme), numeric::name(options.rounding));
  }
  return {};
}

Result<QuantizedTensor> quantize_ggml_blocks(const WeightMatrix& weight, const Scheme& scheme,
                                             const MethodOptions& options) {
  const numeric::GgmlTypeTraits* traits = numeric::find_ggml_type(scheme.ggml);
  ANYBIT_CHECK(traits != nullptr);
  QuantizedTensor result{.scheme = scheme, .rows = weight.rows, .cols = weight.cols};
  const int64_t row_bytes = weight.cols / traits->block_elements * traits->block_bytes;
  result.codes = Buffer::allocate(weight.rows * row_bytes);
  std::vector<Status> failures(static_cast<size_t>(ceil_div(weight.rows, kRowGrain)));
  parallel_for(options.threads, weight.rows, kRowGrain, [&](int64_t begin, int64_t end) {
    failures[static_cast<size_t>(begin / kRowGrain)] = numeric::quantize_ggml(
        scheme.ggml,
        weight.values.subspan(static_cast<size_t>(begin * weight.cols),
                              static_cast<size_t>((end - begin) * weight.cols)),
        weight.cols, weight.importance,
        result.codes.writable().subspan(static_cast<size_t>(begin * row_bytes),
                                        static_cast<size_t>((end - begin) * row_bytes)));
  });
  for (Status& failure : failures) {
    if (!failure) return with_context(std::move(failure).error(), weight.name);
  }
  return result;
}

// Codes of elements without a scale, or with another rounding than nearest even.
class PlainEncoder {
 public:
  PlainEncoder(const Scheme& scheme, const MethodOptions& options)
      : scheme_(scheme),
        rounding_{options.rounding, numeric::Overflow::kSaturate},
        random_(options.seed) {}

  void encode(std::span<const float> values, const GroupGrid& grid, int64_t first_index,
              std::span<uint32_t> codes) const {
    for (size_t i = 0; i < codes.size(); ++i) {
      const double x = grid.scale == 0 ? 0.0 : double{values[i]} / grid.scale + grid.zero_point;
      const uint64_t bits = random_.bits64(static_cast<uint64_t>(first_index) + i);
      codes[i] = numeric::encode(scheme_.element, x, rounding_, bits);
    }
  }

 private:
  const Scheme& scheme_;
  numeric::Rounding rounding_;
  Philox random_;
};

using Chooser = GroupGrid (*)(const ScaleChoice&, const CellValues&);

// The only scale, of a tensor whose slabs are quantized one by one: a rule that needs no more than
// the range takes its ends for the values.
GroupGrid grid_of_range(const TensorParameters& shared, const ScaleChoice& choice) {
  return choice.by_rule(std::vector<float>{shared.low, shared.high});
}

// The scales of all cells, in the order of the scale grid.
std::vector<GroupGrid> choose_grids(const WeightMatrix& weight, const Scheme& scheme,
                                    const ScaleChoice& choice, Chooser chooser, Threads threads) {
  const numeric::ScaleShape shape = numeric::scale_shape(scheme, weight.rows, weight.cols);
  std::vector<GroupGrid> grids(static_cast<size_t>(shape.count()));
  parallel_for(threads, shape.count(), 1, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      const CellValues values(weight, cell_at(scheme, weight, i / shape.cols, i % shape.cols));
      grids[static_cast<size_t>(i)] = chooser(choice, values);
    }
  });
  return grids;
}

// Runs of one row that share a scale, left to right.
template <class Body>
void for_each_run(const Scheme& scheme, const WeightMatrix& weight, const Body& body) {
  for (int64_t col = 0; col < weight.cols;) {
    int64_t width = weight.cols;
    if (scheme.granularity == Granularity::kGroup) width = scheme.group_size;
    if (scheme.granularity == Granularity::kBlock2d) width = scheme.block_cols;
    width = std::min(width, weight.cols - col);
    body(col, width);
    col += width;
  }
}

void encode_rows(const WeightMatrix& weight, const ScaleChoice* choice,
                 const std::vector<GroupGrid>& grids, const MethodOptions& options,
                 QuantizedTensor& result) {
  const Scheme& scheme = result.scheme;
  const bool nearest = choice != nullptr && options.rounding == numeric::RoundingMode::kNearestEven;
  const PlainEncoder plain(scheme, options);
  const int64_t values_per_code = scheme.element.values_per_code();
  const int64_t codes_per_row = weight.cols / values_per_code;
  const std::span<std::byte> packed = result.codes.writable();
  parallel_for(options.threads, weight.rows, kRowGrain, [&](int64_t begin, int64_t end) {
    std::vector<uint32_t> codes(static_cast<size_t>(codes_per_row));
    for (int64_t row = begin; row < end; ++row) {
      for_each_run(scheme, weight, [&](int64_t col, int64_t width) {
        const auto values = weight.values.subspan(static_cast<size_t>(row * weight.cols + col),
                                                  static_cast<size_t>(width));
        const auto run_codes =
            std::span(codes).subspan(static_cast<size_t>(col / values_per_code),
                                     static_cast<size_t>(width / values_per_code));
        const GroupGrid grid = grids.empty() ? GroupGrid{}
                                             : grids[static_cast<size_t>(numeric::scale_index(
                                                   scheme, weight.rows, weight.cols, row, col))];
        if (nearest) {
          choice->encode(values, grid, run_codes);
        } else {
          plain.encode(values, grid, (weight.first_row + row) * weight.cols + col, run_codes);
        }
      });
      numeric::pack_codes(codes, scheme.element.bits, packed, row * codes_per_row);
    }
  });
}

void store_grids(const std::vector<GroupGrid>& grids, QuantizedTensor& result) {
  const Scheme& scheme = result.scheme;
  const auto count = static_cast<int64_t>(grids.size());
  std::vector<uint32_t> codes(grids.size());
  std::ranges::transform(grids, codes.begin(), &GroupGrid::scale_code);
  result.scales = Buffer::allocate(numeric::packed_size_bytes(count, scheme.scale.bits));
  numeric::pack_codes(codes, scheme.scale.bits, result.scales.writable());
  if (!scheme.has_zero_point) return;
  std::ranges::transform(grids, codes.begin(), &GroupGrid::zero_point);
  result.zero_points = Buffer::allocate(numeric::packed_size_bytes(count, scheme.element.bits));
  numeric::pack_codes(codes, scheme.element.bits, result.zero_points.writable());
}

Result<TensorParameters> parameters_of(const WeightMatrix& weight, const Scheme& scheme) {
  if (weight.shared != nullptr) return *weight.shared;
  if (!needs_scan(scheme)) return TensorParameters{};
  TensorScan scan(scheme, weight.rows, weight.cols);
  ANYBIT_TRY(scan.add(weight));
  return scan.finish();
}

Result<QuantizedTensor> quantize(const WeightMatrix& weight, const Scheme& scheme,
                                 const MethodOptions& options, Chooser chooser) {
  ANYBIT_TRY(check(weight, scheme, options));
  if (scheme.ggml != numeric::GgmlType::kNone) return quantize_ggml_blocks(weight, scheme, options);
  QuantizedTensor result{.scheme = scheme, .rows = weight.rows, .cols = weight.cols};
  result.codes = Buffer::allocate(numeric::packed_size_bytes(
      numeric::num_codes(scheme, weight.rows, weight.cols), scheme.element.bits));
  if (scheme.granularity == Granularity::kNone) {
    encode_rows(weight, nullptr, {}, options, result);
    return result;
  }
  ANYBIT_ASSIGN(const TensorParameters shared, parameters_of(weight, scheme));
  result.codebook = shared.codebook;
  result.tensor_scale = shared.tensor_scale;
  std::optional<ElementRounder> rounder;
  if (scheme.element.kind != ElementKind::kComplex) {
    rounder.emplace(scheme.element, result.codebook);
  }
  const ScaleChoice choice(scheme, rounder ? &*rounder : nullptr, result.tensor_scale);
  const std::vector<GroupGrid> grids =
      weight.shared != nullptr && scheme.granularity == Granularity::kTensor
          ? std::vector<GroupGrid>{grid_of_range(shared, choice)}
          : choose_grids(weight, scheme, choice, chooser, options.threads);
  encode_rows(weight, &choice, grids, options, result);
  store_grids(grids, result);
  return result;
}

}  // namespace

Result<QuantizedTensor> quantize_rtn(const WeightMatrix& weight, const Scheme& scheme,
                                     const MethodOptions& options) {
  return quantize(weight, scheme, options, [](const ScaleChoice& choice, const CellValues& cell) {
    return choice.by_rule(cell.values);
  });
}

Result<QuantizedTensor> quantize_mse(const WeightMatrix& weight, const Scheme& scheme,
                                     const MethodOptions& options) {
  return quantize(weight, scheme, options, [](const ScaleChoice& choice, const CellValues& cell) {
    return choice.by_search(cell.values, cell.importance);
  });
}

bool rtn_takes_slabs(const Scheme& scheme) {
  return mse_takes_slabs(scheme) || internal::rule_needs_range_only(scheme);
}

bool mse_takes_slabs(const Scheme& scheme) {
  return scheme.ggml != numeric::GgmlType::kNone || scheme.granularity != Granularity::kTensor;
}

}  // namespace anybit::quant
