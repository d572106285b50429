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
#include "anybit/quant/method/fitted_codebook.h"
#include "anybit/quant/method/internal/scale_choice.h"

namespace anybit::quant {
namespace {

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
  for (size_t i = 0; i < weight.values.size(); ++i) {
    if (!std::isfinite(weight.values[i])) {
      return fail(ErrorCode::kInvalidArgument, "{}: expected finite weights, found {} at [{}, {}]",
                  weight.name, weight.values[i], static_cast<int64_t>(i) / weight.cols,
                  static_cast<int64_t>(i) % weight.cols);
    }
  }
  const bool plain = scheme.ggml == numeric::GgmlType::kNone &&
                     scheme.element.kind != ElementKind::kCodebook &&
                     scheme.element.kind != ElementKind::kComplex;
  if (options.rounding != numeric::RoundingMode::kNearestEven && !plain) {
    return fail(ErrorCode::kUnsupported, "{}: {} rounds to nearest only, not {}", weight.name,
                numeric::scheme_name(scheme), numeric::name(options.rounding));
  }
  return {};
}

// The part of the matrix that one scale covers.
struct Cell {
  int64_t first_row, num_rows, first_col, num_cols;
};

Cell cell_at(const Scheme& scheme, const WeightMatrix& weight, int64_t scale_row,
             int64_t scale_col) {
  switch (scheme.granularity) {
    case Granularity::kNone:
    case Granularity::kTensor: return {0, weight.rows, 0, weight.cols};
    case Granularity::kChannel:
    case Granularity::kToken: return {scale_row, 1, 0, weight.cols};
    case Granularity::kGroup: {
      const int64_t first = scale_col * scheme.group_size;
      return {scale_row, 1, first, std::min(scheme.group_size, weight.cols - first)};
    }
    case Granularity::kBlock2d: {
      const int64_t row = scale_row * scheme.block_rows, col = scale_col * scheme.block_cols;
      return {row, std::min(scheme.block_rows, weight.rows - row), col,
              std::min(scheme.block_cols, weight.cols - col)};
    }
  }
  return {};
}

// The values of a cell (and their importances) side by side; a view where they already are.
struct CellValues {
  std::vector<float> copied_values, copied_importance;
  std::span<const float> values, importance;

  CellValues(const WeightMatrix& weight, const Cell& cell) {
    const auto row_values = [&](int64_t row) {
      return weight.values.subspan(static_cast<size_t>(row * weight.cols + cell.first_col),
                                   static_cast<size_t>(cell.num_cols));
    };
    const std::span<const float> row_importance =
        weight.importance.empty() ? weight.importance
                                  : weight.importance.subspan(static_cast<size_t>(cell.first_col),
                                                              static_cast<size_t>(cell.num_cols));
    if (cell.num_rows == 1) {
      values = row_values(cell.first_row);
      importance = row_importance;
      return;
    }
    for (int64_t row = cell.first_row; row < cell.first_row + cell.num_rows; ++row) {
      const auto part = row_values(row);
      copied_values.insert(copied_values.end(), part.begin(), part.end());
      copied_importance.insert(copied_importance.end(), row_importance.begin(),
                               row_importance.end());
    }
    values = copied_values;
    importance = copied_importance;
  }
};

double amax_of(std::span<const float> values) {
  double amax = 0;
  for (const float x : values) amax = std::max<double>(amax, std::abs(x));
  return amax;
}

// Values divided by their group's amax, each weighted by amax squared: what a codebook is fitted
// to. At most about kMaxSamples, from groups spread evenly over the tensor.
std::vector<float> codebook_for(const WeightMatrix& weight, const Scheme& scheme) {
  if (scheme.codebook == numeric::StandardCodebook::kNf4) {
    const auto nf4 = numeric::nf4_codebook();
    return {nf4.begin(), nf4.end()};
  }
  constexpr int64_t kMaxSamples = int64_t{1} << 19;
  const numeric::ScaleShape grid = numeric::scale_shape(scheme, weight.rows, weight.cols);
  const int64_t stride = std::max<int64_t>(1, weight.rows * weight.cols / kMaxSamples);
  std::vector<float> samples, weights;
  for (int64_t i = 0; i<grid.count(); i += grid.count()> stride ? stride : 1) {
    const Cell cell = cell_at(scheme, weight, i / grid.cols, i % grid.cols);
    const CellValues cell_values(weight, cell);
    const double amax = amax_of(cell_values.values);
    if (amax == 0) continue;
    const int64_t inner_stride = grid.count() > stride ? 1 : stride;
    for (int64_t j = 0; j < std::ssize(cell_values.values); j += inner_stride) {
      const auto index = static_cast<size_t>(j);
      samples.push_back(static_cast<float>(cell_values.values[index] / amax));
      const float importance = cell_values.importance.empty() ? 1 : cell_values.importance[index];
      weights.push_back(static_cast<float>(amax * amax) * importance);
    }
  }
  if (samples.empty()) samples.push_back(0), weights.push_back(1);
  return fit_codebook(samples, weights, static_cast<int>(scheme.element.num_codes()));
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
          plain.encode(values, grid, row * weight.cols + col, run_codes);
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
  if (scheme.element.kind == ElementKind::kCodebook) {
    result.codebook = codebook_for(weight, scheme);
  }
  std::optional<ElementRounder> rounder;
  if (scheme.element.kind != ElementKind::kComplex) {
    rounder.emplace(scheme.element, result.codebook);
  }
  if (scheme.has_tensor_scale) {
    const double largest = rounder ? std::abs(rounder->max_value()) : 1.0;
    result.tensor_scale = internal::tensor_scale_for(scheme, largest, amax_of(weight.values));
  }
  const ScaleChoice choice(scheme, rounder ? &*rounder : nullptr, result.tensor_scale);
  const std::vector<GroupGrid> grids =
      choose_grids(weight, scheme, choice, chooser, options.threads);
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

}  // namespace anybit::quant
