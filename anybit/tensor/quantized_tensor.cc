#include "anybit/tensor/quantized_tensor.h"

#include <algorithm>
#include <bit>
#include <complex>
#include <cstring>
#include <optional>

#include "anybit/base/check.h"
#include "anybit/base/integer.h"
#include "anybit/numeric/ggml/block_codec.h"
#include "anybit/numeric/packing.h"

namespace anybit::tensor {
namespace {

using numeric::ElementFormat;
using numeric::ElementKind;
using numeric::GgmlType;
using numeric::Granularity;
using numeric::Scheme;

Status expect_bytes(std::string_view name, std::string_view part, int64_t expected,
                    const Buffer& found) {
  if (found.size() == expected) return {};
  return fail(ErrorCode::kCorruptData, "{}: {}: expected {} bytes, found {}", name, part, expected,
              found.size());
}

Status check_extents(const Scheme& scheme, int64_t rows, int64_t cols, std::string_view name) {
  // No code, scale or block takes more bits an element than this, so sizes below cannot overflow.
  constexpr int64_t kMostBits = 1 << 12;
  const std::optional<int64_t> count = checked_product(rows, cols);
  if (!count || !checked_product(*count, kMostBits) || !checked_product(rows, kMostBits) ||
      !checked_product(cols, kMostBits)) {
    return fail(ErrorCode::kCorruptData, "{}: expected a matrix that fits in memory, found {} x {}",
                name, rows, cols);
  }
  if (auto fits = numeric::check_fits(scheme, rows, cols); !fits) {
    return fail(ErrorCode::kCorruptData, "{}: {}", name, fits.error().message);
  }
  return {};
}

int64_t num_scales(const QuantizedTensor& tensor) {
  return numeric::scale_shape(tensor.scheme, tensor.rows, tensor.cols).count();
}

// The values of all codes of a format, or a decoder where a table would not pay.
class CodeValues {
 public:
  CodeValues(const ElementFormat& format, std::span<const float> codebook, int64_t num_uses)
      : format_(format) {
    if (format.kind == ElementKind::kCodebook) {
      table_.assign(codebook.begin(), codebook.end());
      return;
    }
    constexpr int kAlwaysTabulated = 8;
    const bool tabulate =
        format.kind != ElementKind::kComplex && format.bits <= 16 &&
        (format.bits <= kAlwaysTabulated || num_uses >= static_cast<int64_t>(format.num_codes()));
    if (!tabulate) return;
    table_.resize(format.num_codes());
    for (uint32_t code = 0; code < table_.size(); ++code) {
      table_[code] = numeric::decode(format, code);
    }
  }

  double operator()(uint32_t code) const {
    return table_.empty() ? numeric::decode(format_, code) : table_[code];
  }

 private:
  const ElementFormat& format_;
  std::vector<double> table_;
};

// Decodes rows of a tensor that has codes of its own (not ggml blocks).
class RowDecoder {
 public:
  RowDecoder(const QuantizedTensor& tensor, int64_t num_rows)
      : tensor_(tensor),
        code_values_(tensor.scheme.element, tensor.codebook, num_rows * tensor.cols),
        scale_values_(tensor.scheme.scale, {},
                      has_scales() ? num_rows * ceil_div(tensor.cols, columns_a_scale()) : 0),
        codes_(static_cast<size_t>(tensor.cols / values_per_code())) {}

  void decode_row(int64_t row, std::span<float> out) {
    const Scheme& scheme = tensor_.scheme;
    numeric::unpack_codes(tensor_.codes.bytes(), scheme.element.bits, codes_,
                          row * static_cast<int64_t>(codes_.size()));
    const int64_t run = columns_a_scale();
    for (int64_t col = 0; col < tensor_.cols; col += run) {
      double scale = 1, zero_point = 0;
      if (has_scales()) {
        const int64_t index = numeric::scale_index(scheme, tensor_.rows, tensor_.cols, row, col);
        scale = scale_at(index);
        zero_point = zero_point_at(index);
      }
      const int64_t end = std::min(col + run, tensor_.cols);
      for (int64_t c = col; c < end; ++c) {
        out[static_cast<size_t>(c)] = static_cast<float>(scale * (code_value(c) - zero_point));
      }
    }
  }

 private:
  bool has_scales() const { return tensor_.scheme.granularity != Granularity::kNone; }

  int64_t values_per_code() const { return tensor_.scheme.element.values_per_code(); }

  int64_t columns_a_scale() const {
    switch (tensor_.scheme.granularity) {
      case Granularity::kGroup: return tensor_.scheme.group_size;
      case Granularity::kBlock2d: return tensor_.scheme.block_cols;
      default: return tensor_.cols;
    }
  }

  double scale_at(int64_t index) const {
    const uint32_t code =
        numeric::unpack_code(tensor_.scales.bytes(), tensor_.scheme.scale.bits, index);
    return double{tensor_.tensor_scale} * scale_values_(code);
  }

  // A zero point is the integer its code spells, whatever binary places the element has.
  double zero_point_at(int64_t index) const {
    if (!tensor_.scheme.has_zero_point) return 0;
    return numeric::unpack_code(tensor_.zero_points.bytes(), tensor_.scheme.element.bits, index);
  }

  double code_value(int64_t col) const {
    if (values_per_code() == 1) return code_values_(codes_[static_cast<size_t>(col)]);
    const std::complex<float> unit = numeric::decode_complex(codes_[static_cast<size_t>(col / 2)]);
    return col % 2 == 0 ? unit.real() : unit.imag();
  }

  const QuantizedTensor& tensor_;
  CodeValues code_values_;
  CodeValues scale_values_;
  std::vector<uint32_t> codes_;  // Of one row.
};

}  // namespace

int64_t QuantizedTensor::size_bytes() const {
  const bool is_fitted = scheme.codebook == numeric::StandardCodebook::kFitted;
  const int64_t codebook_bytes =
      is_fitted ? static_cast<int64_t>(codebook.size() * sizeof(float)) : 0;
  const int64_t tensor_scale_bytes = scheme.has_tensor_scale ? int64_t{sizeof(float)} : 0;
  return codes.size() + scales.size() + zero_points.size() + codebook_bytes + tensor_scale_bytes;
}

Result<PartSizes> part_sizes(const Scheme& scheme, int64_t rows, int64_t cols,
                             std::string_view name) {
  ANYBIT_TRY(check_extents(scheme, rows, cols, name));
  PartSizes sizes;
  if (scheme.ggml != GgmlType::kNone) {
    const numeric::GgmlTypeTraits* traits = numeric::find_ggml_type(scheme.ggml);
    if (traits == nullptr || cols % traits->block_elements != 0) {
      return fail(ErrorCode::kCorruptData, "{}: ggml type {} cannot hold rows of {} elements", name,
                  static_cast<int>(scheme.ggml), cols);
    }
    sizes.codes_bytes = rows * (cols / traits->block_elements) * traits->block_bytes;
    return sizes;
  }
  sizes.codes_bytes =
      numeric::packed_size_bytes(numeric::num_codes(scheme, rows, cols), scheme.element.bits);
  if (scheme.element.kind == ElementKind::kCodebook) {
    sizes.codebook_values = static_cast<int64_t>(scheme.element.num_codes());
  }
  if (scheme.granularity == Granularity::kNone) return sizes;
  const int64_t num_scales = numeric::scale_shape(scheme, rows, cols).count();
  sizes.scales_bytes = numeric::packed_size_bytes(num_scales, scheme.scale.bits);
  if (scheme.has_zero_point) {
    sizes.zero_points_bytes = numeric::packed_size_bytes(num_scales, scheme.element.bits);
  }
  return sizes;
}

Status validate(const QuantizedTensor& tensor, std::string_view name) {
  const Scheme& scheme = tensor.scheme;
  ANYBIT_ASSIGN(const PartSizes sizes, part_sizes(scheme, tensor.rows, tensor.cols, name));
  ANYBIT_TRY(expect_bytes(name, "codes", sizes.codes_bytes, tensor.codes));
  ANYBIT_TRY(expect_bytes(name, "scales", sizes.scales_bytes, tensor.scales));
  ANYBIT_TRY(expect_bytes(name, "zero points", sizes.zero_points_bytes, tensor.zero_points));
  if (std::ssize(tensor.codebook) != sizes.codebook_values) {
    return fail(ErrorCode::kCorruptData, "{}: codebook: expected {} values, found {}", name,
                sizes.codebook_values, tensor.codebook.size());
  }
  if (!scheme.has_tensor_scale && tensor.tensor_scale != 1.0F) {
    return fail(ErrorCode::kCorruptData, "{}: tensor scale: expected 1 under {}, found {}", name,
                numeric::scheme_name(scheme), tensor.tensor_scale);
  }
  return {};
}

Status dequantize_rows(const QuantizedTensor& tensor, int64_t first_row, int64_t num_rows,
                       std::span<float> out) {
  ANYBIT_CHECK(first_row >= 0 && num_rows >= 0 && first_row <= tensor.rows - num_rows);
  ANYBIT_CHECK(static_cast<int64_t>(out.size()) == num_rows * tensor.cols);
  if (out.empty()) return {};
  if (tensor.scheme.ggml != GgmlType::kNone) {
    const int64_t row_bytes = tensor.codes.size() / tensor.rows;
    const std::span<const std::byte> blocks = tensor.codes.bytes().subspan(
        static_cast<size_t>(first_row * row_bytes), static_cast<size_t>(num_rows * row_bytes));
    return numeric::dequantize_ggml(tensor.scheme.ggml, blocks, out);
  }
  const bool is_plain_f32 =
      tensor.scheme.granularity == Granularity::kNone && tensor.scheme.element == numeric::kF32;
  if (is_plain_f32) {
    const auto first = static_cast<size_t>(first_row * tensor.cols) * sizeof(float);
    std::memcpy(out.data(), tensor.codes.data() + first, out.size_bytes());
    return {};
  }
  RowDecoder decoder(tensor, num_rows);
  for (int64_t row = 0; row < num_rows; ++row) {
    decoder.decode_row(first_row + row, out.subspan(static_cast<size_t>(row * tensor.cols),
                                                    static_cast<size_t>(tensor.cols)));
  }
  return {};
}

Result<std::vector<float>> dequantize(const QuantizedTensor& tensor) {
  std::vector<float> values(static_cast<size_t>(tensor.rows * tensor.cols));
  ANYBIT_TRY(dequantize_rows(tensor, 0, tensor.rows, values));
  return values;
}

int64_t slab_row_multiple(const Scheme& scheme) {
  constexpr int64_t kRowsOfWholeBytes = 8;  // Of codes or scales, whatever their width.
  const bool is_block =
      scheme.ggml == GgmlType::kNone && scheme.granularity == Granularity::kBlock2d;
  return is_block ? kRowsOfWholeBytes * scheme.block_rows : kRowsOfWholeBytes;
}

QuantizedTensor row_slab(const QuantizedTensor& tensor, int64_t first_row, int64_t num_rows) {
  const int64_t multiple = slab_row_multiple(tensor.scheme), end_row = first_row + num_rows;
  ANYBIT_CHECK(first_row >= 0 && num_rows >= 0 && end_row <= tensor.rows);
  ANYBIT_CHECK(first_row % multiple == 0 && (num_rows % multiple == 0 || end_row == tensor.rows));
  // Where the parts of the first rows end, those of the slab begin.
  const PartSizes before = part_sizes(tensor.scheme, first_row, tensor.cols, "slab").value();
  const PartSizes sizes = part_sizes(tensor.scheme, num_rows, tensor.cols, "slab").value();
  QuantizedTensor slab = tensor;
  slab.rows = num_rows;
  slab.codes = tensor.codes.slice(before.codes_bytes, sizes.codes_bytes);
  const bool has_scale_of_all = tensor.scheme.granularity == Granularity::kTensor;
  if (has_scale_of_all || tensor.scales.empty()) return slab;
  slab.scales = tensor.scales.slice(before.scales_bytes, sizes.scales_bytes);
  if (tensor.zero_points.empty()) return slab;
  slab.zero_points = tensor.zero_points.slice(before.zero_points_bytes, sizes.zero_points_bytes);
  return slab;
}

std::vector<float> decode_scales(const QuantizedTensor& tensor) {
  if (tensor.scheme.ggml != GgmlType::kNone || tensor.scheme.granularity == Granularity::kNone) {
    return {};
  }
  const int64_t count = num_scales(tensor);
  const CodeValues value_of(tensor.scheme.scale, {}, count);
  std::vector<uint32_t> codes(static_cast<size_t>(count));
  numeric::unpack_codes(tensor.scales.bytes(), tensor.scheme.scale.bits, codes);
  std::vector<float> scales(codes.size());
  std::ranges::transform(codes, scales.begin(),
                         [&](uint32_t code) { return static_cast<float>(value_of(code)); });
  return scales;
}

QuantizedTensor dense_f32(std::span<const float> values, int64_t rows, int64_t cols) {
  ANYBIT_CHECK(static_cast<int64_t>(values.size()) == rows * cols);
  QuantizedTensor tensor{.rows = rows, .cols = cols};
  tensor.codes = Buffer::copy_of(std::as_bytes(values));
  return tensor;
}

}  // namespace anybit::tensor
