#include "anybit/kernel/matmul/internal/panel_scales.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>

namespace anybit::kernel::internal {
namespace {

// binary16 of a finite value that it holds exactly.
uint16_t exact_half(float value) {
  const auto bits = std::bit_cast<uint32_t>(value);
  const uint32_t sign = bits >> 16 & 0x8000;
  const float magnitude = std::fabs(value);
  if (magnitude < 0x1p-14f) {
    return static_cast<uint16_t>(sign | static_cast<uint32_t>(magnitude * 0x1p24f));
  }
  constexpr uint32_t kBiasDifference = (127 - 15) << 23;
  return static_cast<uint16_t>(sign | ((bits & 0x7FFFFFFF) - kBiasDifference) >> 13);
}

}  // namespace

bool is_exact(ScaleStorage storage, float value) {
  const auto bits = std::bit_cast<uint32_t>(value);
  if (!std::isfinite(value)) return storage == ScaleStorage::kF32;
  switch (storage) {
    case ScaleStorage::kF32: return true;
    case ScaleStorage::kBF16: return (bits & 0xFFFF) == 0;
    case ScaleStorage::kE8M0: return value == 0x1p-127f || (value >= 0x1p-126f && (bits << 9) == 0);
    default: break;
  }
  return std::fabs(value) <= 65504.0f && std::nearbyint(value * 0x1p24f) == value * 0x1p24f &&
         ((bits & 0x1FFF) == 0 || std::fabs(value) < 0x1p-14f);
}

void ScaleLevel::allocate(int64_t num_panels) {
  codes = PanelMemory(num_panels * num_groups * kPanelRows * scale_bytes(storage));
}

void ScaleLevel::expand(const PanelOps& ops, int64_t panel, int64_t run_cols, int64_t first,
                        int64_t count, float sign, float* out) const {
  const int64_t ratio = group_cols / run_cols;
  const int64_t index = (panel * num_groups + first / ratio) * kPanelRows;
  ops.expand_scales({.storage = storage,
                     .mantissa_shift = mantissa_shift,
                     .has_sign = has_sign,
                     .factor = sign * factor,
                     .scales = codes.data() + index * scale_bytes(storage),
                     .first = first,
                     .ratio = ratio,
                     .count = count},
                    out);
}

int64_t PanelScales::min_group_cols() const {
  return inner_min.is_present() ? inner_min.group_cols : zero_point.group_cols;
}

int64_t PanelScales::size_bytes() const {
  return outer.codes.size() + inner.codes.size() + outer_min.codes.size() + inner_min.codes.size() +
         zero_point.codes.size();
}

void PanelScales::expand_products(const PanelOps& ops, const ScaleLevel& upper,
                                  const ScaleLevel& lower, const PanelMemory& lower_codes,
                                  float offset, float sign, int64_t panel, int64_t first,
                                  int64_t count, float* scratch, float* out) const {
  const int64_t ratio = std::max<int64_t>(1, upper.group_cols / lower.group_cols);
  const int64_t first_group = first / ratio;
  const int64_t num_groups = (first + count - 1) / ratio - first_group + 1;
  upper.expand(ops, panel, upper.group_cols, first_group, num_groups, sign, scratch);
  const int64_t index = (panel * lower.num_groups + first) * kPanelRows;
  ops.expand_products({.storage = lower.storage,
                       .scales = lower_codes.data() + index * scale_bytes(lower.storage),
                       .offset = offset,
                       .outer = scratch,
                       .first = first,
                       .ratio = ratio,
                       .count = count},
                      out);
}

void PanelScales::expand_scales(const PanelOps& ops, int64_t panel, int64_t subblock_cols,
                                int64_t first, int64_t count, float* scratch, float* out) const {
  if (!outer.is_present()) {
    std::fill_n(out, count * kPanelRows, 1.0f);
  } else if (inner.is_present()) {
    // The groups of two-level types are subblocks.
    expand_products(ops, outer, inner, inner.codes, 0, 1, panel, first, count, scratch, out);
  } else {
    outer.expand(ops, panel, subblock_cols, first, count, 1, out);
  }
}

void PanelScales::expand_mins(const PanelOps& ops, int64_t panel, int64_t first, int64_t count,
                              float* scratch, float* out) const {
  if (inner_min.is_present()) {
    // Paired nibbles: the bytes of the inner scales carry the inner mins too.
    const bool is_paired = inner_min.storage == ScaleStorage::kHighNibble;
    expand_products(ops, outer_min, inner_min, is_paired ? inner.codes : inner_min.codes, 0, -1,
                    panel, first, count, scratch, out);
    return;
  }
  expand_products(ops, outer, zero_point, zero_point.codes, static_cast<float>(center), -1, panel,
                  first, count, scratch, out);
}

ScaleStorage narrowest_storage(std::span<const float> values) {
  for (const ScaleStorage storage :
       {ScaleStorage::kE8M0, ScaleStorage::kF16, ScaleStorage::kBF16}) {
    if (std::all_of(values.begin(), values.end(),
                    [&](float value) { return is_exact(storage, value); })) {
      return storage;
    }
  }
  return ScaleStorage::kF32;
}

void ScaleLevel::store(int64_t index, float value) {
  std::byte* out = codes.data() + index * scale_bytes(storage);
  if (storage == ScaleStorage::kByteFloat) {
    *out = static_cast<std::byte>(exact_half(value / factor) >> mantissa_shift);
  } else {
    store_scale(storage, value / factor, out);
  }
}

void store_scale(ScaleStorage storage, float value, std::byte* out) {
  const auto write = [&](auto code) { std::memcpy(out, &code, sizeof(code)); };
  switch (storage) {
    case ScaleStorage::kF32: return write(value);
    case ScaleStorage::kF16: return write(exact_half(value));
    case ScaleStorage::kBF16:
      return write(static_cast<uint16_t>(std::bit_cast<uint32_t>(value) >> 16));
    case ScaleStorage::kUint16: return write(static_cast<uint16_t>(value));
    case ScaleStorage::kInt8: return write(static_cast<int8_t>(value));
    case ScaleStorage::kE8M0:
      return write(static_cast<uint8_t>(std::bit_cast<uint32_t>(value) >> 23));
    case ScaleStorage::kUint8: return write(static_cast<uint8_t>(value));
    default: break;
  }
}

}  // namespace anybit::kernel::internal
