// The plain text of every inner loop: the definition that vector kernels equal bit for bit, and the
// kernel of processors without one of their own.
#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>
#include <limits>

#include "anybit/kernel/matmul/internal/panel_ops.h"

namespace anybit::kernel::internal {
namespace {

void unpack(const PanelFormat& format, const std::byte* codes, int64_t num_blocks,
            std::byte* tile) {
  uint16_t block[kBlockSteps * kLineBytes];
  for (int64_t b = 0; b < num_blocks; ++b) {
    load_planes(codes + b * format.block_bytes(), format.bits, block);
    std::byte* out = tile + b * format.tile_block_bytes();
    for (int col = 0; col < kBlockCols; ++col) {
      for (int row = 0; row < kPanelRows; ++row) {
        const int step = col / 4;
        const uint32_t code =
            block[step * kLineBytes + place_in_step(format.arithmetic, row, col % 4)];
        switch (format.arithmetic) {
          case Arithmetic::kInt8:
            reinterpret_cast<uint8_t*>(out)[step * 64 + row * 4 + col % 4] =
                static_cast<uint8_t>(decode_uint8(format, code));
            break;
          case Arithmetic::kInt16:
            reinterpret_cast<int16_t*>(out)[col / 2 * 32 + row * 2 + col % 2] =
                static_cast<int16_t>(decode_int16(format, code));
            break;
          case Arithmetic::kFloat:
            reinterpret_cast<float*>(out)[col * 16 + row] = decode_float(format, code);
            break;
        }
      }
    }
  }
}

void copy_plain(const PanelFormat& format, const std::byte* codes, int64_t num_blocks,
                std::byte* tile) {
  std::memcpy(tile, codes, static_cast<size_t>(num_blocks * format.tile_block_bytes()));
}

// Sums of u8 x s8 products over one subblock, as the 16-bit lanes of the vector kernels have them.
int32_t dot_int8(const PanelFormat& format, const uint8_t* weights, const int8_t* a, int num_steps,
                 int32_t bias) {
  int32_t pairs[2] = {};
  for (int step = 0; step < num_steps; ++step) {
    for (int i = 0; i < 4; ++i) pairs[i / 2] += weights[step * 64 + i] * a[step * 4 + i];
  }
  if (format.widening != Widening::kSubblock) return bias + pairs[0] + pairs[1];
  const auto low = static_cast<int16_t>(bias), high = static_cast<int16_t>(bias >> 16);
  return static_cast<int16_t>(low + pairs[0]) + static_cast<int16_t>(high + pairs[1]);
}

template <int kColumns>
void multiply_int8(const PanelFormat& format, const MultiplyArguments& args) {
  const int64_t subblocks = args.num_blocks * format.subblocks_per_block();
  const int steps = format.subblock_cols / 4;
  const auto* weights = reinterpret_cast<const uint8_t*>(args.tile);
  const auto* a = reinterpret_cast<const int8_t*>(args.activations);
  for (int64_t s = 0; s < subblocks; ++s) {
    const int64_t block = s / format.subblocks_per_block();
    const int64_t first = s % format.subblocks_per_block() * format.subblock_cols;
    for (int c = 0; c < kColumns; ++c) {
      const int8_t* codes = a + (block * kColumns + c) * kBlockCols + first;
      for (int row = 0; row < kPanelRows; ++row) {
        const int32_t dot = dot_int8(format, weights + s * steps * 64 + row * 4, codes, steps,
                                     args.biases[s * kColumns + c]);
        const float scale =
            args.weight_scales[s * kPanelRows + row] * args.activation_scales[block * kColumns + c];
        float& sum = args.sums[c * kPanelRows + row];
        sum = std::fma(static_cast<float>(dot), scale, sum);
      }
    }
  }
}

template <int kColumns>
void multiply_int16(const PanelFormat& format, const MultiplyArguments& args) {
  const int64_t subblocks = args.num_blocks * format.subblocks_per_block();
  const auto* weights = reinterpret_cast<const int16_t*>(args.tile);
  const auto* a = reinterpret_cast<const int16_t*>(args.activations);
  for (int64_t s = 0; s < subblocks; ++s) {
    const int64_t block = s / format.subblocks_per_block();
    const int64_t first = s % format.subblocks_per_block() * format.subblock_cols;
    for (int c = 0; c < kColumns; ++c) {
      const int16_t* codes = a + (block * kColumns + c) * kBlockCols + first;
      for (int row = 0; row < kPanelRows; ++row) {
        int32_t dot = 0;
        for (int col = 0; col < format.subblock_cols; ++col) {
          const int64_t pair = (s * format.subblock_cols + col) / 2;
          dot += weights[pair * 32 + row * 2 + col % 2] * codes[col];
        }
        const float scale =
            args.weight_scales[s * kPanelRows + row] * args.activation_scales[block * kColumns + c];
        float& sum = args.sums[c * kPanelRows + row];
        sum = std::fma(static_cast<float>(dot), scale, sum);
      }
    }
  }
}

template <int kColumns>
void multiply_float(const PanelFormat& format, const MultiplyArguments& args) {
  const int64_t subblocks = args.num_blocks * format.subblocks_per_block();
  const auto* weights = reinterpret_cast<const float*>(args.tile);
  const auto* a = reinterpret_cast<const float*>(args.activations);
  for (int64_t s = 0; s < subblocks; ++s) {
    const int64_t block = s / format.subblocks_per_block();
    const int64_t first = s % format.subblocks_per_block() * format.subblock_cols;
    for (int c = 0; c < kColumns; ++c) {
      const float* values = a + (block * kColumns + c) * kBlockCols + first;
      for (int row = 0; row < kPanelRows; ++row) {
        float dot = 0;
        for (int col = 0; col < format.subblock_cols; ++col) {
          const float weight = weights[(s * format.subblock_cols + col) * kPanelRows + row];
          dot = std::fma(weight, values[col], dot);
        }
        float& sum = args.sums[c * kPanelRows + row];
        sum = std::fma(dot, args.weight_scales[s * kPanelRows + row], sum);
      }
    }
  }
}

UnpackFunction* find_unpack(const PanelFormat& format) {
  return format.decoding == CodeDecoding::kPlain ? copy_plain : unpack;
}

template <int kColumns>
MultiplyFunction* multiply_for(Arithmetic arithmetic) {
  switch (arithmetic) {
    case Arithmetic::kInt8: return multiply_int8<kColumns>;
    case Arithmetic::kInt16: return multiply_int16<kColumns>;
    case Arithmetic::kFloat: break;
  }
  return multiply_float<kColumns>;
}

MultiplyFunction* find_multiply(const PanelFormat& format, int columns) {
  switch (columns) {
    case 1: return multiply_for<1>(format.arithmetic);
    case 2: return multiply_for<2>(format.arithmetic);
    case 3: return multiply_for<3>(format.arithmetic);
    case 4: return multiply_for<4>(format.arithmetic);
    case 5: return multiply_for<5>(format.arithmetic);
    default: return multiply_for<6>(format.arithmetic);
  }
}

float expand_one(ScaleStorage storage, int mantissa_shift, bool has_sign, const std::byte* p) {
  const auto byte = static_cast<uint32_t>(*p);
  uint16_t half = 0;
  uint32_t word = 0;
  static const PanelFormat as_half{.arithmetic = Arithmetic::kFloat,
                                   .decoding = CodeDecoding::kHalf,
                                   .bits = 16,
                                   .exponent_bits = 5,
                                   .mantissa_bits = 10};
  std::memcpy(&half, p, scale_bytes(storage) >= 2 ? 2 : 0);
  switch (storage) {
    case ScaleStorage::kF32: std::memcpy(&word, p, 4); return std::bit_cast<float>(word);
    case ScaleStorage::kF16: return decode_float(as_half, half);
    case ScaleStorage::kBF16: return std::bit_cast<float>(uint32_t{half} << 16);
    case ScaleStorage::kE8M0:
      if (byte == 255) return std::numeric_limits<float>::quiet_NaN();
      return std::bit_cast<float>(byte == 0 ? 0x00400000u : byte << 23);
    case ScaleStorage::kByteFloat: {
      const uint32_t sign = has_sign ? byte & 128 : 0;
      return decode_float(as_half, sign << 8 | (byte - sign) << mantissa_shift);
    }
    case ScaleStorage::kInt8: return static_cast<float>(static_cast<int8_t>(byte));
    case ScaleStorage::kUint8: return static_cast<float>(byte);
    case ScaleStorage::kLowNibble: return static_cast<float>(byte & 15);
    case ScaleStorage::kHighNibble: return static_cast<float>(byte >> 4);
    case ScaleStorage::kUint16: break;
  }
  return static_cast<float>(half);
}

void add_mins(const float* mins, const float* group_sums, int64_t num_groups, int columns,
              float* sums) {
  for (int64_t g = 0; g < num_groups; ++g) {
    for (int c = 0; c < columns; ++c) {
      for (int row = 0; row < kPanelRows; ++row) {
        float& sum = sums[c * kPanelRows + row];
        sum = std::fma(mins[g * kPanelRows + row], group_sums[g * columns + c], sum);
      }
    }
  }
}

// The largest magnitude of a block, or NaN if one of its values is not finite.
float finite_amax(const float* values) {
  float amax = 0;
  for (int i = 0; i < kBlockCols; ++i) {
    if (!std::isfinite(values[i])) return std::numeric_limits<float>::quiet_NaN();
    amax = std::max(amax, std::fabs(values[i]));
  }
  return amax;
}

template <class Code>
void quantize_block(const float* values, float limit, Code* codes, float* scale,
                    int32_t* partial_sums) {
  const float amax = finite_amax(values);
  std::fill_n(partial_sums, 4, 0);
  if (!(amax >= 0x1p-100f)) {
    *scale = std::isnan(amax) ? amax : 0;
    std::fill_n(codes, kBlockCols, Code{0});
    return;
  }
  *scale = amax / limit;
  const float inv_scale = limit / amax;
  for (int i = 0; i < kBlockCols; ++i) {
    codes[i] = static_cast<Code>(std::nearbyint(values[i] * inv_scale));
    partial_sums[i / 16 * 2 + i % 4 / 2] += codes[i];
  }
}

template <class Code, int kLimit>
void quantize_row(const float* a, int64_t num_cols, const QuantizedRow& out) {
  for (int64_t b = 0; b * kBlockCols < num_cols; ++b) {
    float values[kBlockCols] = {};
    const int64_t count = std::min(kBlockCols, num_cols - b * kBlockCols);
    std::copy_n(a + b * kBlockCols, count, values);
    quantize_block(values, static_cast<float>(kLimit),
                   reinterpret_cast<Code*>(out.codes + b * out.code_stride),
                   out.scales + b * out.scale_stride, out.partial_sums + b * 4);
  }
}

MultiplyFunction* find_multiply_codes(const PanelFormat&) { return nullptr; }

}  // namespace

void expand_scales_scalar(const ExpandScalesArguments& args, float* out) {
  for (int64_t i = 0; i < args.count; ++i) {
    const int64_t group = (args.first + i) / args.ratio - args.first / args.ratio;
    for (int64_t row = 0; row < kPanelRows; ++row) {
      const std::byte* from = args.scales + (group * kPanelRows + row) * scale_bytes(args.storage);
      out[i * kPanelRows + row] =
          expand_one(args.storage, args.mantissa_shift, args.has_sign, from) * args.factor;
    }
  }
}

void expand_products_scalar(const ExpandProductsArguments& args, float* out) {
  for (int64_t i = 0; i < args.count; ++i) {
    const int64_t group = (args.first + i) / args.ratio - args.first / args.ratio;
    for (int64_t row = 0; row < kPanelRows; ++row) {
      const int64_t index = i * kPanelRows + row;
      const float number =
          expand_one(args.storage, 0, false, args.scales + index * scale_bytes(args.storage));
      out[index] = (number - args.offset) * args.outer[group * kPanelRows + row];
    }
  }
}

void add_mins_scalar(const float* mins, const float* group_sums, int64_t num_groups, int columns,
                     float* sums) {
  add_mins(mins, group_sums, num_groups, columns, sums);
}

void quantize_int8_scalar(const float* a, int64_t num_cols, const QuantizedRow& out) {
  quantize_row<int8_t, 127>(a, num_cols, out);
}

void quantize_int16_scalar(const float* a, int64_t num_cols, const QuantizedRow& out) {
  quantize_row<int16_t, 2047>(a, num_cols, out);
}

constinit const PanelOps kScalarPanelOps = {
    find_unpack,          find_multiply,          find_multiply_codes,
    expand_scales_scalar, expand_products_scalar, add_mins_scalar,
    quantize_int8_scalar, quantize_int16_scalar,  {127, true, false}};

}  // namespace anybit::kernel::internal
