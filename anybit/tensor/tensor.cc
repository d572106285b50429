#include "anybit/tensor/tensor.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cstring>

#include "anybit/base/check.h"
#include "anybit/base/integer.h"
#include "anybit/numeric/element_format.h"

namespace anybit::tensor {
namespace {

struct DataTypeRow {
  DataType type;
  std::string_view name;  // As in safetensors.
  int64_t size_bytes;
};

using enum DataType;

constexpr DataTypeRow kRows[] = {
    {kBool, "BOOL", 1}, {kU8, "U8", 1},          {kI8, "I8", 1},          {kU16, "U16", 2},
    {kI16, "I16", 2},   {kU32, "U32", 4},        {kI32, "I32", 4},        {kU64, "U64", 8},
    {kI64, "I64", 8},   {kF16, "F16", 2},        {kBF16, "BF16", 2},      {kF32, "F32", 4},
    {kF64, "F64", 8},   {kF8E4M3, "F8_E4M3", 1}, {kF8E5M2, "F8_E5M2", 1}, {kF8E8M0, "F8_E8M0", 1},
};

constexpr bool rows_are_in_order() {
  for (size_t i = 0; i < std::size(kRows); ++i) {
    if (static_cast<size_t>(kRows[i].type) != i) return false;
  }
  return true;
}
static_assert(rows_are_in_order());

const DataTypeRow& row_of(DataType type) {
  const auto index = static_cast<size_t>(type);
  ANYBIT_CHECK(index < std::size(kRows));
  return kRows[index];
}

// IEEE binary16 to binary32, exact: the fields move up, and 2^112 corrects the bias, which also
// turns subnormals into normal numbers.
float half_to_float(uint16_t half) {
  const uint32_t sign = uint32_t{half} >> 15 << 31;
  const uint32_t magnitude = half & 0x7fffU;
  constexpr uint32_t kInfinity = 0x7c00U;
  if (magnitude >= kInfinity) {
    return std::bit_cast<float>(sign | 0x7f800000U | (magnitude & 0x3ffU) << 13);
  }
  return std::bit_cast<float>(
      sign | std::bit_cast<uint32_t>(std::bit_cast<float>(magnitude << 13) * 0x1p112F));
}

float bfloat_to_float(uint16_t bits) { return std::bit_cast<float>(uint32_t{bits} << 16); }

// The elements of a mapped file need not be aligned, so each is copied out.
template <class Stored, class Convert>
void convert(const std::byte* source, std::span<float> out, const Convert& to_float) {
  for (size_t i = 0; i < out.size(); ++i) {
    Stored stored;
    std::memcpy(&stored, source + i * sizeof(Stored), sizeof(Stored));
    out[i] = to_float(stored);
  }
}

template <class Stored>
void convert(const std::byte* source, std::span<float> out) {
  convert<Stored>(source, out, [](Stored x) { return static_cast<float>(x); });
}

void convert_eight_bit(const numeric::ElementFormat& format, const std::byte* source,
                       std::span<float> out) {
  const std::vector<float> value_of_code = numeric::decode_table(format);
  convert<uint8_t>(source, out, [&](uint8_t code) { return value_of_code[code]; });
}

}  // namespace

std::string_view name(DataType type) { return row_of(type).name; }

int64_t size_bytes(DataType type) { return row_of(type).size_bytes; }

Result<DataType> parse_data_type(std::string_view text) {
  const auto* row = std::ranges::find(kRows, text, &DataTypeRow::name);
  if (row != std::end(kRows)) return row->type;
  std::string names;
  for (const DataTypeRow& known : kRows) {
    names += names.empty() ? "" : ", ";
    names += known.name;
  }
  return fail(ErrorCode::kUnsupported, "expected an element type out of {}; found \"{}\"", names,
              text);
}

int64_t Tensor::num_elements() const {
  const std::optional<int64_t> count = checked_num_elements(shape);
  ANYBIT_CHECK(count.has_value());
  return *count;
}

void to_floats(const Tensor& tensor, int64_t first, std::span<float> out) {
  const int64_t element_bytes = size_bytes(tensor.data_type);
  const auto count = static_cast<int64_t>(out.size());
  ANYBIT_CHECK(first >= 0 && first <= tensor.elements.size() / element_bytes - count);
  if (out.empty()) return;
  const std::byte* source = tensor.elements.data() + first * element_bytes;
  switch (tensor.data_type) {
    case kBool:
      return convert<uint8_t>(source, out, [](uint8_t x) { return x == 0 ? 0.0F : 1.0F; });
    case kU8: return convert<uint8_t>(source, out);
    case kI8: return convert<int8_t>(source, out);
    case kU16: return convert<uint16_t>(source, out);
    case kI16: return convert<int16_t>(source, out);
    case kU32: return convert<uint32_t>(source, out);
    case kI32: return convert<int32_t>(source, out);
    case kU64: return convert<uint64_t>(source, out);
    case kI64: return convert<int64_t>(source, out);
    case kF16: return convert<uint16_t>(source, out, half_to_float);
    case kBF16: return convert<uint16_t>(source, out, bfloat_to_float);
    case kF32: std::memcpy(out.data(), source, out.size_bytes()); return;
    case kF64: return convert<double>(source, out);
    case kF8E4M3: return convert_eight_bit(numeric::kE4M3, source, out);
    case kF8E5M2: return convert_eight_bit(numeric::kE5M2, source, out);
    case kF8E8M0: return convert_eight_bit(numeric::kE8M0, source, out);
  }
}

std::vector<float> to_floats(const Tensor& tensor) {
  std::vector<float> values(static_cast<size_t>(tensor.num_elements()));
  to_floats(tensor, 0, values);
  return values;
}

Tensor from_floats(std::span<const float> values, std::vector<int64_t> shape) {
  Tensor tensor{.data_type = kF32, .shape = std::move(shape)};
  ANYBIT_CHECK(tensor.num_elements() == static_cast<int64_t>(values.size()));
  tensor.elements = Buffer::copy_of(std::as_bytes(values));
  return tensor;
}

}  // namespace anybit::tensor
