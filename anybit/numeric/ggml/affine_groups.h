// Every block type of GGUF in one form, exactly: small codes, an int8 table of what they stand for,
// and scales on two levels. Kernels need one path instead of one a type. Decoding to floats:
// block_codec.h.
//
//   value[i] = scale[g] * lut[code[i]] + min[g]         with g = i / group_size
//   scale[g] = super_scale[s] * sub_scale[g]            with s = i / super_size
//   min[g]   = -(super_min[s] * sub_min[g])             0 where the type has none
//
// scale[g] and min[g] are exact in f32 (a product of at most 11 + 7 bits), so in f32 arithmetic,
// product rounded before sum, value[i] is bit for bit what dequantize_ggml() gives; a NaN may have
// another payload.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "anybit/base/result.h"
#include "anybit/numeric/ggml/block_type.h"

namespace anybit::numeric {

/// What all blocks of one type have in common.
struct GroupFormat {
  GgmlType type = GgmlType::kNone;
  int code_bits = 0;   // 1..8; every code is below lut.size() <= 2^code_bits.
  int group_size = 0;  // Elements that share sub_scale and sub_min: 16 or 32.
  int super_size = 0;  // Elements that share super_scale and super_min: a multiple of group_size.
  bool has_min = false;
  bool is_linear = false;         // lut[c] == c - offset for every code; else the lut has gaps.
  int offset = 0;                 // Of linear types: the zero point. 0 if has_min.
  bool has_sub_scale = false;     // False: every sub_scale is 1, scale[g] == super_scale[s].
  std::span<const int8_t> lut{};  // The value of each code, ascending unless the type is FP4.
};

/// The common form of `type`; null for plain types and ids outside the table.
/// Post: not null for every block-quantized row of ggml_types().
const GroupFormat* find_group_format(GgmlType type);

/// Where unpack_groups() writes. Every span is dense, in the order of the elements.
struct GroupSpans {
  std::span<uint8_t> codes;       // [n]
  std::span<float> super_scales;  // [n / super_size]
  std::span<float> super_mins;    // [n / super_size]; 0 where the type has no min.
  std::span<int8_t> sub_scales;   // [n / group_size]
  std::span<uint8_t> sub_mins;    // [n / group_size]; 0 where the type has no min.
};

/// Re-expresses whole blocks. n = blocks.size() / block_bytes * block_elements.
/// Errors: kUnsupported for a plain type or an unknown id; kInvalidArgument if blocks.size() is not
/// whole blocks or a span has another size than stated above.
Status unpack_groups(GgmlType type, std::span<const std::byte> blocks, const GroupSpans& out);

/// The same, owned.
struct LutGroups {
  GroupFormat format;
  std::vector<uint8_t> codes;
  std::vector<float> super_scales, super_mins;
  std::vector<int8_t> sub_scales;
  std::vector<uint8_t> sub_mins;

  int64_t num_groups() const { return static_cast<int64_t>(sub_scales.size()); }
  /// The f32 scale and min of group `g`, both exact.
  float scale(int64_t g) const {
    return super_scales[super_of(g)] * static_cast<float>(sub_scales[g]);
  }
  float min(int64_t g) const {
    return -(super_mins[super_of(g)] * static_cast<float>(sub_mins[g]));
  }

 private:
  int64_t super_of(int64_t g) const { return g / (format.super_size / format.group_size); }
};

/// unpack_groups() into fresh memory. Errors: as above.
Result<LutGroups> to_lut_groups(GgmlType type, std::span<const std::byte> blocks);

}  // namespace anybit::numeric
