// How one head's row of a key or value is stored: the plain definition, and the parts of it that
// have a vectorised form.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "anybit/kernel/kv_cache/kv_cache.h"
#include "anybit/kernel/variant.h"

namespace anybit::kernel::internal {

/// Nearest even; overflow to infinity; NaN to the quiet NaN of its sign.
uint16_t f16_from_float(float x);
float float_from_f16(uint16_t bits);

/// Bytes of a row's codes and scales.
int64_t row_code_bytes(KvElement element, int64_t head_dim);
int64_t row_scale_bytes(KvElement element, int64_t head_dim);

/// Part of a KvPlane: `count` rows of one head, or one row.
struct KvRows {
  KvElement element = KvElement::kF16;
  int64_t head_dim = 0;
  const std::byte* codes = nullptr;   // [count, row_bytes], and 64 readable bytes after the plane.
  const std::byte* scales = nullptr;  // [count, scale_row_bytes]
  int64_t row_bytes = 0;
  int64_t scale_row_bytes = 0;
};

/// Rows of `head` from token `first` on. `capacity` is the layer's.
KvRows rows_of(const KvPlane& plane, const KvLayerShape& shape, int64_t head, int64_t first);

/// Stores one row, x [head_dim].
void encode_row(KvElement element, const float* x, int64_t head_dim, std::byte* codes,
                std::byte* scales);

/// Decodes `count` rows to out [count, out_stride]; elements from head_dim to out_stride are zero.
/// Pre: out_stride is at least head_dim, and a multiple of 16 but for the reference.
using DecodeRows = void(const KvRows& rows, int64_t count, int64_t out_stride, float* out);
DecodeRows decode_rows_reference, decode_rows_avx2, decode_rows_avx512;

/// Every implementation, best first.
std::span<const Variant<DecodeRows>> decode_rows_variants();

/// out[i] = f16_from_float(x[i]).
using EncodeF16 = void(const float* x, int64_t count, std::byte* out);
EncodeF16 encode_f16_reference, encode_f16_avx2, encode_f16_avx512;

/// Every implementation, best first.
std::span<const Variant<EncodeF16>> encode_f16_variants();

}  // namespace anybit::kernel::internal
