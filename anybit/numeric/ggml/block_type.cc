#include "anybit/numeric/ggml/block_type.h"

#include <algorithm>

namespace anybit::numeric {
namespace {

using enum GgmlType;

// Source: ggml.h (ids) and ggml-common.h (block structures). Ids 4, 5, 31..33 and 36..38 belonged
// to types that were withdrawn.
constexpr GgmlTypeTraits kTypes[] = {
    {kF32, "f32", 1, 4, false, true},
    {kF16, "f16", 1, 2, false, true},
    {kQ4_0, "q4_0", 32, 18, true, true},
    {kQ4_1, "q4_1", 32, 20, true, true},
    {kQ5_0, "q5_0", 32, 22, true, true},
    {kQ5_1, "q5_1", 32, 24, true, true},
    {kQ8_0, "q8_0", 32, 34, true, true},
    {kQ8_1, "q8_1", 32, 36, true, false},
    {kQ2_K, "q2_k", 256, 84, true, true},
    {kQ3_K, "q3_k", 256, 110, true, true},
    {kQ4_K, "q4_k", 256, 144, true, true},
    {kQ5_K, "q5_k", 256, 176, true, true},
    {kQ6_K, "q6_k", 256, 210, true, true},
    {kQ8_K, "q8_k", 256, 292, true, false},
    {kIQ2_XXS, "iq2_xxs", 256, 66, true, false},
    {kIQ2_XS, "iq2_xs", 256, 74, true, false},
    {kIQ3_XXS, "iq3_xxs", 256, 98, true, false},
    {kIQ1_S, "iq1_s", 256, 50, true, false},
    {kIQ4_NL, "iq4_nl", 32, 18, true, true},
    {kIQ3_S, "iq3_s", 256, 110, true, false},
    {kIQ2_S, "iq2_s", 256, 82, true, false},
    {kIQ4_XS, "iq4_xs", 256, 136, true, true},
    {kI8, "i8", 1, 1, false, false},
    {kI16, "i16", 1, 2, false, false},
    {kI32, "i32", 1, 4, false, false},
    {kI64, "i64", 1, 8, false, false},
    {kF64, "f64", 1, 8, false, true},
    {kIQ1_M, "iq1_m", 256, 56, true, false},
    {kBF16, "bf16", 1, 2, false, true},
    {kTQ1_0, "tq1_0", 256, 54, true, true},
    {kTQ2_0, "tq2_0", 256, 66, true, true},
    {kMXFP4, "mxfp4", 32, 17, true, true},
    {kNVFP4, "nvfp4", 64, 36, true, true},
    {kQ1_0, "q1_0", 128, 18, true, true},
    {kQ2_0, "q2_0", 64, 18, true, true},
};

constexpr char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }

bool equal_in_any_case(std::string_view a, std::string_view b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(),
                    [](char x, char y) { return lower(x) == lower(y); });
}

}  // namespace

std::span<const GgmlTypeTraits> ggml_types() { return kTypes; }

const GgmlTypeTraits* find_ggml_type(GgmlType type) {
  const auto* row = std::find_if(std::begin(kTypes), std::end(kTypes),
                                 [type](const GgmlTypeTraits& t) { return t.type == type; });
  return row == std::end(kTypes) ? nullptr : row;
}

const GgmlTypeTraits* find_ggml_type(std::string_view name) {
  const auto* row =
      std::find_if(std::begin(kTypes), std::end(kTypes),
                   [name](const GgmlTypeTraits& t) { return equal_in_any_case(t.name, name); });
  return row == std::end(kTypes) ? nullptr : row;
}

}  // namespace anybit::numeric
