// Decoding of stored rows for whatever FloatVector is in the including file.
#pragma once

#include "anybit/kernel/internal/float_vector.h"
#include "anybit/kernel/kv_cache/internal/kv_rows.h"

namespace anybit::kernel {
namespace {

// What decode_row needs of an element: kLanes floats from the codes of elements i, i + 1, ...
struct F32Codes {
  static FloatVector load(const std::byte* codes, const std::byte*, int64_t i) {
    return FloatVector::load(reinterpret_cast<const float*>(codes) + i);
  }
};

struct F16Codes {
  static FloatVector load(const std::byte* codes, const std::byte*, int64_t i) {
    return FloatVector::load_f16(codes + 2 * i);
  }
};

struct Bf16Codes {
  static FloatVector load(const std::byte* codes, const std::byte*, int64_t i) {
    return FloatVector::load_bf16(codes + 2 * i);
  }
};

struct Int8Codes {
  static FloatVector load(const std::byte* codes, const std::byte* scales, int64_t i) {
    const float scale = *reinterpret_cast<const float*>(scales);
    return FloatVector::load_int8(codes + i) * FloatVector::all(scale);
  }
};

struct Int4Codes {
  static FloatVector load(const std::byte* codes, const std::byte* scales, int64_t i) {
    const auto* half = reinterpret_cast<const uint16_t*>(scales) + i / kKvGroupSize;
    return FloatVector::load_int4(codes + i / 2) * FloatVector::all(_cvtsh_ss(*half));
  }
};

template <class Codes>
void decode_rows_of(const internal::KvRows& rows, int64_t count, int64_t out_stride, float* out) {
  constexpr int64_t kLanes = FloatVector::kLanes;
  for (int64_t row = 0; row < count; ++row) {
    const std::byte* codes = rows.codes + row * rows.row_bytes;
    const std::byte* scales = rows.scales + row * rows.scale_row_bytes;
    float* floats = out + row * out_stride;
    int64_t i = 0;
    for (; i + kLanes <= rows.head_dim; i += kLanes) {
      Codes::load(codes, scales, i).store(floats + i);
    }
    for (; i < out_stride; i += kLanes) {
      const FloatVector zero = FloatVector::all(0);
      const int64_t rest = rows.head_dim - i;
      (rest <= 0 ? zero : Codes::load(codes, scales, i).keep_first(rest, zero)).store(floats + i);
    }
  }
}

inline void decode_rows_vector(const internal::KvRows& rows, int64_t count, int64_t out_stride,
                               float* out) {
  switch (rows.element) {
    case KvElement::kF32: return decode_rows_of<F32Codes>(rows, count, out_stride, out);
    case KvElement::kF16: return decode_rows_of<F16Codes>(rows, count, out_stride, out);
    case KvElement::kBf16: return decode_rows_of<Bf16Codes>(rows, count, out_stride, out);
    case KvElement::kInt8: return decode_rows_of<Int8Codes>(rows, count, out_stride, out);
    case KvElement::kInt4: return decode_rows_of<Int4Codes>(rows, count, out_stride, out);
  }
}

inline void encode_f16_vector(const float* x, int64_t count, std::byte* out) {
  constexpr int64_t kLanes = FloatVector::kLanes;
  int64_t i = 0;
  for (; i + kLanes <= count; i += kLanes) FloatVector::load(x + i).store_f16(out + 2 * i);
  for (; i < count; ++i) {
    const uint16_t bits = _cvtss_sh(x[i], _MM_FROUND_TO_NEAREST_INT);
    __builtin_memcpy(out + 2 * i, &bits, 2);
  }
}

}  // namespace
}  // namespace anybit::kernel
