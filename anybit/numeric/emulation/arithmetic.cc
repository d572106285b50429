#include "anybit/numeric/emulation/arithmetic.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <vector>

#include "anybit/base/check.h"
#include "anybit/base/integer.h"

namespace anybit::numeric {
namespace {

// Output columns computed together: their partial results stay in the first-level cache.
constexpr int64_t kTileCols = 256;

// `result` with the error of its rounding: result + error is exact. Not odd and not exact: to the
// odd neighbour on the error's side.
double to_odd(double result, double error) {
  const auto bits = std::bit_cast<uint64_t>(result);
  const bool is_kept = error == 0 || (bits & 1) != 0 || !std::isfinite(result) || std::isnan(error);
  const uint64_t step = std::signbit(error) == std::signbit(result) ? 1 : ~uint64_t{0};
  return std::bit_cast<double>(is_kept ? bits : bits + step);
}

void round_or_keep(std::span<double> values, const std::optional<EmulatedRounding>& rounding,
                   int64_t first_index) {
  if (rounding) round_array(values, *rounding, values, first_index);
}

std::vector<double> rounded_operand(std::span<const float> x,
                                    const std::optional<EmulatedRounding>& rounding) {
  std::vector<double> values(x.begin(), x.end());
  round_or_keep(values, rounding, 0);
  return values;
}

/// What a tile of one row of outputs is computed from.
struct Tile {
  std::span<const double> a_row;  // [k]
  std::span<const double> b;      // [k, n]
  int64_t n;
  int64_t first_col;
  int64_t num_cols;
  int64_t row;
  const EmulatedArithmetic* arithmetic;

  int64_t k() const { return static_cast<int64_t>(a_row.size()); }
  int64_t index(int64_t step) const { return (row * k() + step) * n + first_col; }
};

void multiply(const Tile& tile, int64_t kk, std::span<double> products) {
  const double a = tile.a_row[kk];
  const double* b = tile.b.data() + kk * tile.n + tile.first_col;
  for (int64_t j = 0; j < tile.num_cols; ++j) products[j] = product_to_odd(a, b[j]);
  round_or_keep(products, tile.arithmetic->product, tile.index(kk));
}

/// sum += addend, the step-th sum of these outputs.
void accumulate(const Tile& tile, int64_t step, std::span<const double> addend,
                std::span<double> sum) {
  for (int64_t j = 0; j < tile.num_cols; ++j) sum[j] = sum_to_odd(sum[j], addend[j]);
  round_array(sum, tile.arithmetic->accumulator, sum, tile.index(step));
}

void sum_sequentially(const Tile& tile, std::span<double> sum) {
  std::vector<double> products(static_cast<size_t>(tile.num_cols));
  std::fill(sum.begin(), sum.end(), 0.0);
  for (int64_t kk = 0; kk < tile.k(); ++kk) {
    multiply(tile, kk, products);
    accumulate(tile, kk, products, sum);
  }
}

// Partial sums of 2^level products wait on a stack, as the bits of a binary counter.
void sum_pairwise(const Tile& tile, std::span<double> sum) {
  std::vector<std::vector<double>> waiting;
  int64_t num_sums = 0;
  const auto merge_last_two = [&] {
    const std::vector<double> later = std::move(waiting.back());
    waiting.pop_back();
    accumulate(tile, num_sums++, later, waiting.back());
  };
  for (int64_t kk = 0; kk < tile.k(); ++kk) {
    waiting.emplace_back(static_cast<size_t>(tile.num_cols));
    multiply(tile, kk, waiting.back());
    for (int64_t count = kk + 1; count % 2 == 0; count /= 2) merge_last_two();
  }
  while (waiting.size() > 1) merge_last_two();
  std::fill(sum.begin(), sum.end(), 0.0);
  if (waiting.empty()) return;
  std::copy(waiting[0].begin(), waiting[0].end(), sum.begin());
  if (tile.k() == 1) round_array(sum, tile.arithmetic->accumulator, sum, tile.index(0));
}

double reference_sum(const EmulatedArithmetic& arithmetic, double x, double y, int64_t index) {
  return round_value_reference(sum_to_odd(x, y), arithmetic.accumulator, index);
}

/// Products [begin, end) of one output, summed as a binary tree over aligned powers of two.
double reference_tree(const std::vector<double>& products, size_t begin, size_t end,
                      const EmulatedArithmetic& arithmetic, int64_t first_index, int64_t stride,
                      int64_t& num_sums) {
  if (end - begin == 1) return products[begin];
  const size_t half = std::bit_ceil(end - begin) / 2;
  const double left =
      reference_tree(products, begin, begin + half, arithmetic, first_index, stride, num_sums);
  const double right =
      reference_tree(products, begin + half, end, arithmetic, first_index, stride, num_sums);
  return reference_sum(arithmetic, left, right, first_index + num_sums++ * stride);
}

}  // namespace

double sum_to_odd(double x, double y) {
  const double sum = x + y;
  const double y_part = sum - x;
  return to_odd(sum, (x - (sum - y_part)) + (y - y_part));
}

double product_to_odd(double x, double y) {
  const double product = x * y;
  // Significands of at most 26 bits have exact products: those of every float.
  constexpr uint64_t kLowHalf = (uint64_t{1} << 27) - 1;
  const bool is_short = ((std::bit_cast<uint64_t>(x) | std::bit_cast<uint64_t>(y)) & kLowHalf) == 0;
  return is_short ? product : to_odd(product, std::fma(x, y, -product));
}

void emulated_matmul(std::span<const float> a, std::span<const float> b, int64_t m, int64_t n,
                     int64_t k, const EmulatedArithmetic& arithmetic, std::span<double> c,
                     Threads threads) {
  ANYBIT_CHECK(static_cast<int64_t>(a.size()) == m * k && static_cast<int64_t>(b.size()) == k * n);
  ANYBIT_CHECK(static_cast<int64_t>(c.size()) == m * n);
  const std::vector<double> rounded_a = rounded_operand(a, arithmetic.operand_a);
  const std::vector<double> rounded_b = rounded_operand(b, arithmetic.operand_b);
  const int64_t tiles_per_row = ceil_div(n, kTileCols);
  parallel_for(threads, m * tiles_per_row, 1, [&](int64_t begin, int64_t end) {
    for (int64_t t = begin; t < end; ++t) {
      const int64_t row = t / tiles_per_row;
      const int64_t first_col = t % tiles_per_row * kTileCols;
      const int64_t num_cols = std::min(kTileCols, n - first_col);
      const Tile tile{
          std::span(rounded_a).subspan(static_cast<size_t>(row * k), static_cast<size_t>(k)),
          rounded_b,
          n,
          first_col,
          num_cols,
          row,
          &arithmetic};
      const std::span<double> sum =
          c.subspan(static_cast<size_t>(row * n + first_col), static_cast<size_t>(num_cols));
      if (arithmetic.order == SummationOrder::kSequential) {
        sum_sequentially(tile, sum);
      } else {
        sum_pairwise(tile, sum);
      }
    }
  });
}

void emulated_matmul_reference(std::span<const float> a, std::span<const float> b, int64_t m,
                               int64_t n, int64_t k, const EmulatedArithmetic& arithmetic,
                               std::span<double> c) {
  const auto rounded = [](double x, const std::optional<EmulatedRounding>& r, int64_t index) {
    return r ? round_value_reference(x, *r, index) : x;
  };
  for (int64_t i = 0; i < m; ++i) {
    for (int64_t j = 0; j < n; ++j) {
      std::vector<double> products;
      for (int64_t kk = 0; kk < k; ++kk) {
        const double x = rounded(a[i * k + kk], arithmetic.operand_a, i * k + kk);
        const double y = rounded(b[kk * n + j], arithmetic.operand_b, kk * n + j);
        const int64_t index = (i * k + kk) * n + j;
        products.push_back(rounded(product_to_odd(x, y), arithmetic.product, index));
      }
      const int64_t first_index = i * k * n + j;
      double& sum = c[i * n + j];
      sum = 0;
      if (arithmetic.order == SummationOrder::kSequential || k == 1) {
        for (int64_t kk = 0; kk < k; ++kk) {
          sum = reference_sum(arithmetic, sum, products[kk], first_index + kk * n);
        }
      } else if (k > 0) {
        int64_t num_sums = 0;
        sum = reference_tree(products, 0, products.size(), arithmetic, first_index, n, num_sums);
      }
    }
  }
}

double emulated_dot(std::span<const float> a, std::span<const float> b,
                    const EmulatedArithmetic& arithmetic) {
  ANYBIT_CHECK(a.size() == b.size());
  double result = 0;
  emulated_matmul(a, b, 1, 1, static_cast<int64_t>(a.size()), arithmetic, {&result, 1});
  return result;
}

}  // namespace anybit::numeric
