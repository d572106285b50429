// Tensor: a named-nothing, dense array of plain elements, as files hold them.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "anybit/base/buffer.h"
#include "anybit/base/result.h"

namespace anybit::tensor {

/// Plain element types of files: name(kF8E4M3) is "F8_E4M3", as in safetensors.
enum class DataType : uint8_t {
  kBool,
  kU8,
  kI8,
  kU16,
  kI16,
  kU32,
  kI32,
  kU64,
  kI64,
  kF16,
  kBF16,
  kF32,
  kF64,
  kF8E4M3,
  kF8E5M2,
  kF8E8M0,
};

std::string_view name(DataType type);
int64_t size_bytes(DataType type);
Result<DataType> parse_data_type(std::string_view text);

struct Tensor {
  DataType data_type = DataType::kF32;
  std::vector<int64_t> shape;  // Slowest first; empty for a scalar.
  Buffer elements;             // Little-endian, row-major, no padding.

  int64_t num_elements() const;
};

/// The elements converted to float. Floats of 16 bits and fewer, f32, bool and integers up to 24
/// significant bits are exact; the others round to nearest even.
std::vector<float> to_floats(const Tensor& tensor);

/// Converts part of the elements: [first, first + out.size()).
void to_floats(const Tensor& tensor, int64_t first, std::span<float> out);

/// An f32 tensor with a copy of `values`. Pre: shape's product is values.size().
Tensor from_floats(std::span<const float> values, std::vector<int64_t> shape);

}  // namespace anybit::tensor
