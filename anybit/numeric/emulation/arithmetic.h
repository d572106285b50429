// Dot and matrix products as a machine with narrow formats would compute them: chosen formats and
// roundings of operands, products and sums, in a documented order.
#pragma once

#include <cstdint>
#include <optional>
#include <span>

#include "anybit/base/parallel.h"
#include "anybit/base/result.h"
#include "anybit/numeric/emulation/round_array.h"

namespace anybit::numeric {

/// The order in which the products of one output are summed.
enum class SummationOrder : uint8_t {
  kSequential,  // ((0 + p0) + p1) + p2 ...
  kPairwise,    // (p0 + p1) + (p2 + p3), then sums of those; where a number of partial sums is left
                // at the end, they are added from the shortest to the longest.
};

/// How a dot product is computed. Every step takes the exact result of its inputs and rounds once.
struct EmulatedArithmetic {
  std::optional<EmulatedRounding> operand_a;  // Nothing: the float as it is.
  std::optional<EmulatedRounding> operand_b;
  std::optional<EmulatedRounding> product;  // Nothing: exact, as in a fused multiply-add.
  EmulatedRounding accumulator;             // Of every sum.
  SummationOrder order = SummationOrder::kSequential;
};

/// c = a b. Random words: element (i, kk) of a has index i * k + kk; element (kk, j) of b has
/// kk * n + j; product kk of output (i, j), and the sum made kk-th, have (i * k + kk) * n + j. Each
/// of the four uses the seed and stream of its own rounding, so give them different streams.
/// The result does not depend on `threads`.
/// Shapes: a [m, k], b [k, n], c [m, n], row-major.
/// Elements: sums of formats of up to 24 significant bits are rounded correctly (through rounding
/// to odd in double); NaN and infinity as IEEE 754.
/// Pre: sizes agree; no format is wider than 24 significant bits (posits, lns: their values are
/// doubles, products and sums of which are first rounded to odd in 53 bits).
void emulated_matmul(std::span<const float> a, std::span<const float> b, int64_t m, int64_t n,
                     int64_t k, const EmulatedArithmetic& arithmetic, std::span<double> c,
                     Threads threads = {});

/// The definition of emulated_matmul(), one output at a time through round_value_reference().
void emulated_matmul_reference(std::span<const float> a, std::span<const float> b, int64_t m,
                               int64_t n, int64_t k, const EmulatedArithmetic& arithmetic,
                               std::span<double> c);

/// One output: emulated_matmul() with m = n = 1. Pre: sizes agree.
double emulated_dot(std::span<const float> a, std::span<const float> b,
                    const EmulatedArithmetic& arithmetic);

/// x + y and x * y rounded to odd in double: rounding the result again, to at most 51 bits, in any
/// deterministic mode gives the correctly rounded sum or product.
/// Pre (product): the exact product is 0 or between 2^-969 and 2^1023.
/// Source: Boldo and Melquiond 2008, "Emulation of a FMA and correctly rounded sums".
double sum_to_odd(double x, double y);
double product_to_odd(double x, double y);

}  // namespace anybit::numeric
