// The block types of GGUF files: names, ids, block sizes. Codecs: block_codec.h.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

#include "anybit/base/result.h"

namespace anybit::numeric {

/// A block type by its id in GGUF files; kNone is not one. Plain types (f32, f16, i8, ...) are
/// listed so that files that hold them can be read.
/// Source: ggml.h, enum ggml_type.
// NOLINTBEGIN(readability-identifier-naming): ggml's own names.
enum class GgmlType : uint8_t {
  kF32 = 0,
  kF16 = 1,
  kQ4_0 = 2,
  kQ4_1 = 3,
  kQ5_0 = 6,
  kQ5_1 = 7,
  kQ8_0 = 8,
  kQ8_1 = 9,
  kQ2_K = 10,
  kQ3_K = 11,
  kQ4_K = 12,
  kQ5_K = 13,
  kQ6_K = 14,
  kQ8_K = 15,
  kIQ2_XXS = 16,
  kIQ2_XS = 17,
  kIQ3_XXS = 18,
  kIQ1_S = 19,
  kIQ4_NL = 20,
  kIQ3_S = 21,
  kIQ2_S = 22,
  kIQ4_XS = 23,
  kI8 = 24,
  kI16 = 25,
  kI32 = 26,
  kI64 = 27,
  kF64 = 28,
  kIQ1_M = 29,
  kBF16 = 30,
  kTQ1_0 = 34,
  kTQ2_0 = 35,
  kMXFP4 = 39,
  kNVFP4 = 40,
  kQ1_0 = 41,
  kQ2_0 = 42,
  kNone = 255,
};
// NOLINTEND(readability-identifier-naming)

/// One row of the table of block types.
struct GgmlTypeTraits {
  GgmlType type;
  std::string_view name;  // Lower case: "q4_k".
  int block_elements;     // Elements of a block; 1 for plain types.
  int block_bytes;
  bool is_block_quantized;  // False for plain types.
  bool can_quantize;        // quantize_ggml() knows it.
};

/// The whole table.
std::span<const GgmlTypeTraits> ggml_types();

/// The row of `type`, or null for an id no version of the format defines.
const GgmlTypeTraits* find_ggml_type(GgmlType type);

/// The row whose name is `name`, in any case, or null.
const GgmlTypeTraits* find_ggml_type(std::string_view name);

}  // namespace anybit::numeric
