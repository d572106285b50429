#include "anybit/kernel/matmul/internal/code_source.h"

#include <cmath>
#include <cstring>
#include <limits>

#include "anybit/numeric/element_format.h"

namespace anybit::kernel::internal {
namespace {

using numeric::ElementFormat;
using numeric::ElementKind;

constexpr ElementFormat kTernary{ElementKind::kTernary, 2, 0, 0, 0, numeric::Specials::kNone, true};

// Codes [0, out.size()) of a bit stream that starts `first_bit` bits into `bytes`.
void read_codes(std::span<const std::byte> bytes, int bits, int64_t first_bit,
                std::span<uint16_t> out) {
  const auto mask = static_cast<uint32_t>((uint64_t{1} << bits) - 1);
  const auto size = static_cast<int64_t>(bytes.size());
  int64_t bit = first_bit;
  for (uint16_t& code : out) {
    const int64_t byte = bit / 8;
    uint32_t word = 0;
    if (byte + 4 <= size) {
      std::memcpy(&word, bytes.data() + byte, 4);
    } else {
      std::memcpy(&word, bytes.data() + byte, static_cast<size_t>(size - byte));
    }
    code = static_cast<uint16_t>(word >> (bit % 8) & mask);
    bit += bits;
  }
}

std::vector<double> values_of(const tensor::QuantizedTensor& tensor, const ElementFormat& element) {
  if (element.kind == ElementKind::kCodebook) {
    return {tensor.codebook.begin(), tensor.codebook.end()};
  }
  std::vector<double> values(element.num_codes());
  for (uint32_t code = 0; code < values.size(); ++code) {
    values[code] = numeric::decode(element, code);
  }
  return values;
}

}  // namespace

Result<CodeSource> CodeSource::of(const tensor::QuantizedTensor& tensor) {
  CodeSource source;
  source.tensor_ = &tensor;
  if (tensor.scheme.ggml != numeric::GgmlType::kNone) {
    source.ggml_ = numeric::find_group_format(tensor.scheme.ggml);
    if (source.ggml_ == nullptr) {
      return fail(ErrorCode::kUnsupported, "ggml type {} has no form as codes and scales",
                  numeric::scheme_name(tensor.scheme));
    }
    source.element_ = numeric::uint_format(source.ggml_->code_bits);
    source.values_.assign(source.ggml_->lut.begin(), source.ggml_->lut.end());
    source.values_.resize(source.element_.num_codes(), std::numeric_limits<double>::quiet_NaN());
    return source;
  }
  source.element_ =
      tensor.scheme.element.kind == ElementKind::kComplex ? kTernary : tensor.scheme.element;
  constexpr int kMostBits = 16;
  if (source.element_.bits > kMostBits) {
    return fail(ErrorCode::kUnsupported, "{} has codes of {} bits, at most {} are panels",
                numeric::element_name(source.element_), source.element_.bits, kMostBits);
  }
  source.values_ = values_of(tensor, source.element_);
  return source;
}

Status CodeSource::read_row(int64_t row, std::span<uint16_t> out, GgmlScales& scales) const {
  const auto cols = static_cast<int64_t>(out.size());
  const std::span<const std::byte> bytes = tensor_->codes.bytes();
  if (ggml_ != nullptr) {
    const numeric::GgmlTypeTraits& traits = *numeric::find_ggml_type(ggml_->type);
    const auto row_bytes = static_cast<size_t>(cols / traits.block_elements * traits.block_bytes);
    std::vector<uint8_t> codes(out.size());
    const auto num_supers = static_cast<size_t>(cols / ggml_->super_size);
    const auto num_groups = static_cast<size_t>(cols / ggml_->group_size);
    scales.super_scales.resize(num_supers);
    scales.super_mins.resize(num_supers);
    scales.sub_scales.resize(num_groups);
    scales.sub_mins.resize(num_groups);
    ANYBIT_TRY(numeric::unpack_groups(
        ggml_->type, bytes.subspan(static_cast<size_t>(row) * row_bytes, row_bytes),
        {codes, scales.super_scales, scales.super_mins, scales.sub_scales, scales.sub_mins}));
    std::copy(codes.begin(), codes.end(), out.begin());
    return {};
  }
  if (tensor_->scheme.element.kind == ElementKind::kComplex) {
    std::vector<uint16_t> units(out.size() / 2);
    read_codes(bytes, 2, row * cols, units);
    constexpr uint16_t kParts[4][2] = {{1, 0}, {0, 1}, {3, 0}, {0, 3}};
    for (size_t i = 0; i < units.size(); ++i) {
      out[2 * i] = kParts[units[i]][0];
      out[2 * i + 1] = kParts[units[i]][1];
    }
    return {};
  }
  read_codes(bytes, element_.bits, row * cols * element_.bits, out);
  return {};
}

}  // namespace anybit::kernel::internal
