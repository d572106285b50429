#include "anybit/tensor/random_quantized_tensor.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include "anybit/base/check.h"
#include "anybit/base/philox.h"
#include "anybit/numeric/packing.h"

namespace anybit::tensor {
namespace {

using numeric::ElementFormat;
using numeric::ElementKind;

// Streams of the generator, one a part.
enum : uint64_t {
  kCodeStream,
  kScaleStream,
  kZeroPointStream,
  kCodebookStream,
  kTensorScaleStream
};

bool is_finite_code(const ElementFormat& format, uint32_t code) {
  if (format.kind == ElementKind::kCodebook || format.kind == ElementKind::kComplex) return true;
  return std::isfinite(numeric::decode(format, code));
}

Buffer pack(const std::vector<uint32_t>& codes, int bits) {
  Buffer packed =
      Buffer::allocate(numeric::packed_size_bytes(static_cast<int64_t>(codes.size()), bits));
  numeric::pack_codes(codes, bits, packed.writable());
  return packed;
}

// Random codes of finite values: each is drawn again, from another part of the stream, until it
// is one.
std::vector<uint32_t> random_codes(const ElementFormat& format, int64_t count,
                                   const Philox& random) {
  const auto mask = static_cast<uint32_t>(format.num_codes() - 1);
  std::vector<uint32_t> codes(static_cast<size_t>(count));
  for (uint64_t i = 0; i < codes.size(); ++i) {
    for (uint64_t attempt = 0;; ++attempt) {
      codes[i] = static_cast<uint32_t>(random.bits64(attempt << 48 | i)) & mask;
      if (is_finite_code(format, codes[i])) break;
    }
  }
  return codes;
}

// Codes of scales between 2^-10 and 2^-3.
std::vector<uint32_t> random_scales(const ElementFormat& format, int64_t count,
                                    const Philox& random) {
  std::vector<uint32_t> codes(static_cast<size_t>(count));
  for (uint64_t i = 0; i < codes.size(); ++i) {
    codes[i] = numeric::encode(format, std::exp2(-10 + 7 * random.uniform(i)));
  }
  return codes;
}

}  // namespace

QuantizedTensor random_quantized_tensor(const numeric::Scheme& scheme, int64_t rows, int64_t cols,
                                        uint64_t seed) {
  const Result<PartSizes> sizes = part_sizes(scheme, rows, cols, "random tensor");
  ANYBIT_CHECK(sizes.has_value());
  QuantizedTensor tensor{.scheme = scheme, .rows = rows, .cols = cols};
  if (scheme.ggml != numeric::GgmlType::kNone) {
    constexpr ElementFormat kByte = numeric::uint_format(8);
    tensor.codes = pack(random_codes(kByte, sizes->codes_bytes, Philox(seed, kCodeStream)), 8);
    return tensor;
  }
  const int64_t num_codes = numeric::num_codes(scheme, rows, cols);
  tensor.codes =
      pack(random_codes(scheme.element, num_codes, Philox(seed, kCodeStream)), scheme.element.bits);
  if (scheme.codebook == numeric::StandardCodebook::kNf4) {
    const auto nf4 = numeric::nf4_codebook();
    tensor.codebook.assign(nf4.begin(), nf4.end());
  } else if (sizes->codebook_values > 0) {
    const Philox random(seed, kCodebookStream);
    for (int64_t i = 0; i < sizes->codebook_values; ++i) {
      tensor.codebook.push_back(static_cast<float>(random.normal(static_cast<uint64_t>(i))));
    }
    std::ranges::sort(tensor.codebook);
  }
  if (scheme.granularity == numeric::Granularity::kNone) return tensor;
  const int64_t num_scales = numeric::scale_shape(scheme, rows, cols).count();
  tensor.scales =
      pack(random_scales(scheme.scale, num_scales, Philox(seed, kScaleStream)), scheme.scale.bits);
  if (scheme.has_zero_point) {
    tensor.zero_points =
        pack(random_codes(scheme.element, num_scales, Philox(seed, kZeroPointStream)),
             scheme.element.bits);
  }
  if (scheme.has_tensor_scale) {
    tensor.tensor_scale = static_cast<float>(0.5 + Philox(seed, kTensorScaleStream).uniform(0));
  }
  return tensor;
}

}  // namespace anybit::tensor
