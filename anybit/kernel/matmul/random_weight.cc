#include "anybit/kernel/matmul/random_weight.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <span>
#include <vector>

#include "anybit/base/check.h"
#include "anybit/base/philox.h"
#include "anybit/numeric/element_format.h"
#include "anybit/numeric/ggml/block_codec.h"
#include "anybit/numeric/packing.h"

namespace anybit::kernel {
namespace {

using numeric::ElementFormat;
using numeric::ElementKind;

constexpr int64_t kPatternCodes = int64_t{1} << 20;  // A whole number of bytes at any width.

void repeat(std::span<const std::byte> pattern, std::span<std::byte> out) {
  for (size_t at = 0; at < out.size(); at += pattern.size()) {
    std::memcpy(out.data() + at, pattern.data(), std::min(pattern.size(), out.size() - at));
  }
}

bool has_values(const ElementFormat& element) {
  return element.kind != ElementKind::kCodebook && element.kind != ElementKind::kComplex;
}

// A code that stands for a finite number; wide formats without scales: one of order 1.
uint32_t random_code(const ElementFormat& element, const Philox& random, uint64_t index) {
  if (element.bits > 16) {
    return numeric::encode(element, random.normal(index));
  }
  for (uint64_t attempt = 0;; ++attempt) {
    const auto code =
        static_cast<uint32_t>(random.bits64(index + (attempt << 40)) & (element.num_codes() - 1));
    if (!has_values(element)) return code;
    const double value = numeric::decode(element, code);
    const bool is_extreme = element.kind == ElementKind::kFloat && element.exponent_bits > 5 &&
                            (std::fabs(value) > 0x1p10 || std::fabs(value) < 0x1p-20);
    if (std::isfinite(value) && !is_extreme) return code;
  }
}

Buffer random_codes(const ElementFormat& element, int64_t count, const Philox& random) {
  Buffer codes = Buffer::allocate(numeric::packed_size_bytes(count, element.bits));
  std::vector<uint32_t> pattern(static_cast<size_t>(std::min(count, kPatternCodes)));
  for (size_t i = 0; i < pattern.size(); ++i) pattern[i] = random_code(element, random, i);
  std::vector<std::byte> packed(static_cast<size_t>(
      numeric::packed_size_bytes(static_cast<int64_t>(pattern.size()), element.bits)));
  numeric::pack_codes(pattern, element.bits, packed);
  if (!packed.empty()) repeat(packed, codes.writable());
  return codes;
}

// Scales that bring the largest value of the element to about 1 to 2.
Buffer random_scales(const numeric::Scheme& scheme, int64_t count, const Philox& random) {
  const double greatest = has_values(scheme.element) ? numeric::max_finite(scheme.element) : 1.0;
  Buffer scales = Buffer::allocate(numeric::packed_size_bytes(count, scheme.scale.bits));
  std::vector<uint32_t> codes(static_cast<size_t>(count));
  // Without a second level, a scale format of few exponent bits takes values near its own 1.
  const double unit = scheme.has_tensor_scale ? 1.0 : 1.0 / greatest;
  for (size_t i = 0; i < codes.size(); ++i) {
    codes[i] = numeric::encode(scheme.scale, unit * (1 + random.uniform(i)));
  }
  numeric::pack_codes(codes, scheme.scale.bits, scales.writable());
  return scales;
}

std::vector<float> random_codebook(const numeric::Scheme& scheme, const Philox& random) {
  if (scheme.element.kind != ElementKind::kCodebook) return {};
  if (scheme.codebook == numeric::StandardCodebook::kNf4) {
    const auto values = numeric::nf4_codebook();
    return {values.begin(), values.end()};
  }
  std::vector<float> values(scheme.element.num_codes());
  for (size_t i = 0; i < values.size(); ++i) {
    values[i] = static_cast<float>(2 * random.uniform(i) - 1);
  }
  std::sort(values.begin(), values.end());
  return values;
}

// Random blocks, kept if all their values are of order 1.
Result<Buffer> random_blocks(numeric::GgmlType type, int64_t count, const Philox& random) {
  const numeric::GgmlTypeTraits* traits = numeric::find_ggml_type(type);
  ANYBIT_CHECK(traits != nullptr);
  const auto block_bytes = static_cast<size_t>(traits->block_bytes);
  Buffer blocks = Buffer::allocate(count * traits->block_bytes);
  constexpr int64_t kPatternBlocks = 256;
  std::vector<std::byte> pattern(static_cast<size_t>(std::min(count, kPatternBlocks)) *
                                 block_bytes);
  std::vector<float> values(static_cast<size_t>(traits->block_elements));
  uint64_t index = 0;
  for (size_t at = 0; at < pattern.size();) {
    const std::span<std::byte> block(&pattern[at], block_bytes);
    for (std::byte& byte : block) byte = static_cast<std::byte>(random.bits64(index++));
    ANYBIT_TRY(numeric::dequantize_ggml(type, block, values));
    const bool is_kept =
        std::all_of(values.begin(), values.end(),
                    [](float v) { return std::isfinite(v) && std::fabs(v) < 16; }) &&
        std::any_of(values.begin(), values.end(), [](float v) { return std::fabs(v) > 0.01f; });
    if (is_kept) at += block_bytes;
  }
  if (!pattern.empty()) repeat(pattern, blocks.writable());
  return blocks;
}

}  // namespace

Result<tensor::QuantizedTensor> random_weight(const numeric::Scheme& scheme, int64_t rows,
                                              int64_t cols, uint64_t seed) {
  ANYBIT_TRY(numeric::check_fits(scheme, rows, cols));
  tensor::QuantizedTensor weight;
  weight.scheme = scheme;
  weight.rows = rows;
  weight.cols = cols;
  if (scheme.ggml != numeric::GgmlType::kNone) {
    const auto* traits = numeric::find_ggml_type(scheme.ggml);
    ANYBIT_ASSIGN(weight.codes, random_blocks(scheme.ggml, rows * cols / traits->block_elements,
                                              Philox(seed, 1)));
    return weight;
  }
  weight.codes =
      random_codes(scheme.element, numeric::num_codes(scheme, rows, cols), Philox(seed, 1));
  const int64_t num_scales = numeric::scale_shape(scheme, rows, cols).count();
  if (num_scales > 0) weight.scales = random_scales(scheme, num_scales, Philox(seed, 2));
  if (scheme.has_zero_point) {
    weight.zero_points = random_codes(scheme.element, num_scales, Philox(seed, 3));
  }
  if (scheme.has_tensor_scale) {
    weight.tensor_scale = has_values(scheme.element)
                              ? static_cast<float>(1 / numeric::max_finite(scheme.element))
                              : 1.0f;
  }
  weight.codebook = random_codebook(scheme, Philox(seed, 4));
  return weight;
}

}  // namespace anybit::kernel
