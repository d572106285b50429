#include "anybit/kernel/matmul/weight_only_format.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>

#include "anybit/base/check.h"
#include "anybit/layout/mma_layouts.h"
#include "anybit/layout/register_layout_ops.h"

namespace anybit::kernel {

using layout::Digit;
using layout::local;
using layout::RegisterLayout;
using layout::spatial;
using numeric::ElementFormat;
using numeric::ElementKind;

namespace {

constexpr int64_t kLanes = 32, kMmaRows = 16, kMmaDepth = 16;

bool is_power_of_two(int64_t n) { return n > 0 && std::has_single_bit(static_cast<uint64_t>(n)); }

/// Whether every finite value of `element` lies within the normal and subnormal range of `half`.
bool is_in_range(const ElementFormat& element, const ElementFormat& half) {
  for (uint32_t code = 0; code < element.num_codes(); ++code) {
    const double value = std::abs(numeric::decode(element, code));
    if (!std::isfinite(value) || value == 0) continue;
    if (value > numeric::max_finite(half) || value < numeric::min_positive(half)) return false;
  }
  return true;
}

/// Whether codes widen more cheaply when neighbours lie 16 bits apart: docs/casts.md.
bool is_interleaved(const ElementFormat& element) {
  const bool is_affine = element.kind == ElementKind::kInt || element.kind == ElementKind::kUint ||
                         element.kind == ElementKind::kBinary ||
                         element.kind == ElementKind::kBipolar;
  return is_affine && (element.bits == 1 || element.bits == 2 || element.bits == 4);
}

}  // namespace

Result<DecodedElement> decoded_element(const WeightOnlyFormat& f) {
  DecodedElement decoded{f.element};
  if (f.element.kind == ElementKind::kCodebook) return decoded;
  const int most = f.element.kind == ElementKind::kFloat ? 16 : 0;
  for (; decoded.shift <= most; ++decoded.shift) {
    decoded.element.exponent_bias = static_cast<int16_t>(f.element.exponent_bias + decoded.shift);
    if (is_in_range(decoded.element, f.activation)) return decoded;
  }
  return fail(ErrorCode::kUnsupported, "{} has no room for the values of {}; use bf16 activations",
              numeric::element_name(f.activation), numeric::element_name(f.element));
}

Status check_weight_only(const WeightOnlyFormat& f, const WeightTile& tile) {
  const auto refuse = [&](std::string why) {
    return fail(ErrorCode::kUnsupported, "weight-only product of {}: {}",
                numeric::element_name(f.element), why);
  };
  if (f.element.bits > 8 || f.element.kind == ElementKind::kComplex) {
    return refuse("expected an element of at most 8 bits with real values");
  }
  if (f.activation != numeric::kF16 && f.activation != numeric::kBF16) {
    return refuse(fmt::format("activations of {}, expected f16 or bf16",
                              numeric::element_name(f.activation)));
  }
  if (f.output != numeric::kF16 && f.output != numeric::kBF16 && f.output != numeric::kF32) {
    return refuse(
        fmt::format("output of {}, expected f16, bf16 or f32", numeric::element_name(f.output)));
  }
  ANYBIT_TRY(decoded_element(f));
  if (f.has_zero_point && (f.element.kind != ElementKind::kUint || f.group_size == 0)) {
    return refuse("zero points are of uint elements in groups");
  }
  if (f.group_size > 0 && f.scale.bits != 8 && f.scale.bits != 16 && f.scale.bits != 32) {
    return refuse(
        fmt::format("scales of {}, expected 8, 16 or 32 bits", numeric::element_name(f.scale)));
  }
  const bool has_rows =
      is_power_of_two(tile.rows) && tile.rows >= kMmaRows && tile.rows <= 8 * kMmaRows;
  if (!has_rows || !is_power_of_two(tile.depth) || tile.depth < kMmaDepth ||
      (f.group_size > 0 && f.group_size % tile.depth != 0)) {
    return refuse(
        fmt::format("tiles of {} x {} under groups of {}", tile.rows, tile.depth, f.group_size));
  }
  return {};
}

WeightTile weight_tile(const WeightOnlyFormat& format, int64_t rows) {
  WeightTile tile{rows, 128 * kLanes / rows};
  while (format.group_size > 0 && format.group_size % tile.depth != 0 && tile.depth > kMmaDepth) {
    tile.depth /= 2;
  }
  return tile;
}

int64_t tile_bytes(const WeightOnlyFormat& format, const WeightTile& tile) {
  return tile.rows * tile.depth * format.element.bits / 8;
}

RegisterLayout tile_byte_layout(const WeightOnlyFormat& format, const WeightTile& tile) {
  const int64_t a_lane = tile_bytes(format, tile) / kLanes;
  const int64_t access = std::min<int64_t>(16, a_lane & -a_lane);
  return local({a_lane / access}) * spatial({kLanes}) * local({access});
}

RegisterLayout tile_operand_layout(const WeightTile& tile) {
  return local({tile.rows / kMmaRows, 1}) * local({1, tile.depth / kMmaDepth}) *
         layout::mma_fragments()[0].a;
}

RegisterLayout tile_code_layout(const WeightOnlyFormat& format, const WeightTile& tile) {
  const RegisterLayout operand = tile_operand_layout(tile);
  if (!is_interleaved(format.element)) return operand;
  // Codes that do not fill a word keep their order.
  if (operand.local_size() * format.element.bits % 32 != 0) return operand;
  const int bits = format.element.bits;
  // The local index in binary digits, and the last of them moved to the front of those of a word.
  std::vector<Digit> digits;
  for (const Digit& digit : operand.local_digits()) {
    for (int64_t inner = digit.extent / 2; inner >= 1; inner /= 2) {
      digits.push_back({2, digit.dim, digit.stride * inner});
    }
  }
  const auto in_word = static_cast<size_t>(std::countr_zero(static_cast<uint32_t>(32 / bits)));
  ANYBIT_CHECK(digits.size() >= in_word);
  const auto begin = digits.end() - static_cast<std::ptrdiff_t>(in_word);
  std::rotate(begin, digits.end() - 1, digits.end());
  const std::vector<int64_t> shape = {tile.rows, tile.depth};
  auto result = RegisterLayout::from_digits(shape, operand.thread_digits(), digits);
  ANYBIT_CHECK(result.has_value());
  return *result;
}

int64_t activation_run(const WeightTile& tile) { return tile.depth % 32 == 0 ? 8 : 4; }

std::vector<int64_t> tile_depth_order(const WeightTile& tile) {
  // Place k' = 16 step + 8 high + 2 lane + low of operand b is register (step, high, low) of lane
  // `lane` of four; lane reads runs of k, one after the other.
  const int64_t run = activation_run(tile);
  std::vector<int64_t> order;
  for (int64_t place = 0; place < tile.depth; ++place) {
    const int64_t lane = place % 8 / 2;
    const int64_t held = place / 16 * 4 + place % 16 / 8 * 2 + place % 2;
    order.push_back(held / run * (4 * run) + lane * run + held % run);
  }
  return order;
}

std::vector<int64_t> tile_scale_order(const WeightTile& tile) {
  // Lanes q, q + 4, ... hold rows 16 i + 8 h + q.
  std::vector<int64_t> order;
  for (int64_t q = 0; q < 8; ++q) {
    for (int64_t i = 0; i < tile.rows / 8; ++i) order.push_back(8 * i + q);
  }
  return order;
}

}  // namespace anybit::kernel
