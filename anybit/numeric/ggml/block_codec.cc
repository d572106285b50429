#include "anybit/numeric/ggml/block_codec.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>
#include <vector>

#include "anybit/base/check.h"
#include "anybit/numeric/ggml/internal/half.h"
#include "anybit/numeric/ggml/internal/quantize.h"
#include "anybit/numeric/ggml/internal/scale_search.h"
#include "anybit/numeric/ggml/internal/unpack.h"

namespace anybit::numeric {
namespace {

using ggml::GroupedType;
using ggml::load;
using ggml::store;

/// value = scale * lut[code] + min for one group.
void decode_group(const GroupFormat& format, const uint8_t* codes, float scale, float min,
                  float* values) {
  if (format.is_linear) {
    for (int i = 0; i < format.group_size; ++i) {
      values[i] = scale * static_cast<float>(codes[i] - format.offset) + min;
    }
    return;
  }
  const int8_t* lut = format.lut.data();
  for (int i = 0; i < format.group_size; ++i) {
    values[i] = scale * static_cast<float>(lut[codes[i]]) + min;
  }
}

/// Types without a min add -0, which changes nothing, not even the sign of a zero.
void decode_block(const GroupedType& type, const uint8_t* block, float* values) {
  std::array<uint8_t, ggml::kMaxBlockElements> codes;
  std::array<float, 4> super_scales, super_mins;
  std::array<int8_t, 16> sub_scales;
  std::array<uint8_t, 16> sub_mins;
  ggml::unpack_whole(
      type, block,
      {codes.data(), super_scales.data(), super_mins.data(), sub_scales.data(), sub_mins.data()});
  const GroupFormat& format = type.format;
  const int64_t group_size = format.group_size;
  const int64_t groups_per_super = format.super_size / group_size;
  for (int64_t group = 0; group < type.block_elements / group_size; ++group) {
    const int64_t super = group / groups_per_super;
    const float scale = super_scales[super] * static_cast<float>(sub_scales[group]);
    const float min = -(super_mins[super] * static_cast<float>(sub_mins[group]));
    decode_group(format, codes.data() + group * group_size, scale, min,
                 values + group * group_size);
  }
}

template <class T>
void convert_plain(const uint8_t* bytes, std::span<float> values) {
  for (size_t i = 0; i < values.size(); ++i) {
    values[i] = static_cast<float>(load<T>(bytes + sizeof(T) * i));
  }
}

void decode_plain(GgmlType type, const uint8_t* bytes, std::span<float> values) {
  switch (type) {
    case GgmlType::kF32: std::memcpy(values.data(), bytes, values.size_bytes()); break;
    case GgmlType::kF64: convert_plain<double>(bytes, values); break;
    case GgmlType::kI8: convert_plain<int8_t>(bytes, values); break;
    case GgmlType::kI16: convert_plain<int16_t>(bytes, values); break;
    case GgmlType::kI32: convert_plain<int32_t>(bytes, values); break;
    case GgmlType::kI64: convert_plain<int64_t>(bytes, values); break;
    case GgmlType::kF16:
      for (size_t i = 0; i < values.size(); ++i) {
        values[i] = ggml::f32_from_f16(load<uint16_t>(bytes + 2 * i));
      }
      break;
    case GgmlType::kBF16:
      for (size_t i = 0; i < values.size(); ++i) {
        values[i] = ggml::f32_from_bf16(load<uint16_t>(bytes + 2 * i));
      }
      break;
    default: ANYBIT_CHECK(false && "every plain type is listed");
  }
}

void encode_plain(GgmlType type, std::span<const float> values, uint8_t* bytes) {
  switch (type) {
    case GgmlType::kF32: std::memcpy(bytes, values.data(), values.size_bytes()); break;
    case GgmlType::kF64:
      for (size_t i = 0; i < values.size(); ++i) store<double>(bytes + 8 * i, values[i]);
      break;
    case GgmlType::kF16:
      for (size_t i = 0; i < values.size(); ++i) {
        store(bytes + 2 * i, ggml::f16_from_f32(values[i]));
      }
      break;
    case GgmlType::kBF16:
      for (size_t i = 0; i < values.size(); ++i) {
        store(bytes + 2 * i, ggml::bf16_from_f32(values[i]));
      }
      break;
    default: ANYBIT_CHECK(false && "every plain type that can_quantize is listed");
  }
}

Status check_sizes(const GgmlTypeTraits& traits, size_t num_values, size_t num_bytes) {
  const size_t num_blocks = num_values / traits.block_elements;
  if (num_values % traits.block_elements != 0 || num_blocks * traits.block_bytes != num_bytes) {
    return fail(ErrorCode::kInvalidArgument,
                "{} blocks hold {} elements in {} bytes; found {} elements and {} bytes",
                traits.name, traits.block_elements, traits.block_bytes, num_values, num_bytes);
  }
  return {};
}

Status check_finite(std::span<const float> values, std::string_view what) {
  const auto bad = std::find_if_not(values.begin(), values.end(),
                                    [](float value) { return std::isfinite(value); });
  if (bad == values.end()) return {};
  return fail(ErrorCode::kInvalidArgument, "{} {} is {}, not a finite number", what,
              bad - values.begin(), *bad);
}

/// Importance in units of the power of two next to its largest, so that no sum overflows.
std::vector<float> scaled_importance(std::span<const float> importance) {
  const float unit = ggml::unit_of(importance.data(), static_cast<int64_t>(importance.size()));
  std::vector<float> scaled(importance.size());
  std::transform(importance.begin(), importance.end(), scaled.begin(),
                 [unit](float weight) { return weight / unit; });
  return scaled;
}

Status check_importance(std::span<const float> importance, int64_t row_size) {
  if (importance.empty()) return {};
  if (static_cast<int64_t>(importance.size()) != row_size) {
    return fail(ErrorCode::kInvalidArgument, "importance has {} columns, the rows have {}",
                importance.size(), row_size);
  }
  ANYBIT_TRY(check_finite(importance, "importance"));
  const auto negative =
      std::find_if(importance.begin(), importance.end(), [](float weight) { return weight < 0; });
  if (negative == importance.end()) return {};
  return fail(ErrorCode::kInvalidArgument, "importance {} is {}, below 0",
              negative - importance.begin(), *negative);
}

}  // namespace

Status dequantize_ggml(GgmlType type, std::span<const std::byte> blocks, std::span<float> values) {
  const GgmlTypeTraits* traits = find_ggml_type(type);
  if (traits == nullptr) {
    return fail(ErrorCode::kUnsupported, "no ggml type has the id {}", static_cast<int>(type));
  }
  ANYBIT_TRY(check_sizes(*traits, values.size(), blocks.size()));
  const auto* bytes = reinterpret_cast<const uint8_t*>(blocks.data());
  const GroupedType* grouped = ggml::find_grouped_type(type);
  if (grouped == nullptr) {
    decode_plain(type, bytes, values);
    return {};
  }
  const size_t num_blocks = values.size() / traits->block_elements;
  for (size_t i = 0; i < num_blocks; ++i) {
    decode_block(*grouped, bytes + i * traits->block_bytes,
                 values.data() + i * traits->block_elements);
  }
  return {};
}

Status quantize_ggml(GgmlType type, std::span<const float> values, int64_t row_size,
                     std::span<const float> importance, std::span<std::byte> blocks) {
  const GgmlTypeTraits* traits = find_ggml_type(type);
  if (traits == nullptr) {
    return fail(ErrorCode::kUnsupported, "no ggml type has the id {}", static_cast<int>(type));
  }
  if (!traits->can_quantize) {
    return fail(ErrorCode::kUnsupported, "quantizing to {} is not supported", traits->name);
  }
  if (row_size <= 0 || row_size % traits->block_elements != 0 ||
      values.size() % static_cast<size_t>(row_size) != 0) {
    return fail(ErrorCode::kInvalidArgument,
                "{} needs rows of a multiple of {} values; found {} values in rows of {}",
                traits->name, traits->block_elements, values.size(), row_size);
  }
  ANYBIT_TRY(check_sizes(*traits, values.size(), blocks.size()));
  ANYBIT_TRY(check_importance(importance, row_size));
  ANYBIT_TRY(check_finite(values, "value"));
  auto* bytes = reinterpret_cast<uint8_t*>(blocks.data());
  if (!traits->is_block_quantized) {
    encode_plain(type, values, bytes);
    return {};
  }
  ggml::QuantizeRow* quantize_row = ggml::find_quantizer(type);
  ANYBIT_CHECK(quantize_row != nullptr);
  const std::vector<float> weights = scaled_importance(importance);
  const int64_t row_bytes = row_size / traits->block_elements * traits->block_bytes;
  const int64_t num_rows = static_cast<int64_t>(values.size()) / row_size;
  for (int64_t row = 0; row < num_rows; ++row) {
    quantize_row(values.data() + row * row_size, row_size,
                 weights.empty() ? nullptr : weights.data(), bytes + row * row_bytes);
  }
  return {};
}

}  // namespace anybit::numeric
