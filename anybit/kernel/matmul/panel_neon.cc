// Panels on Arm processors with the dot-product extension: integer weights, int8 activations.
#if defined(__aarch64__)
#pragma GCC target("arch=armv8.2-a+dotprod")

#include <arm_neon.h>

#include "anybit/kernel/matmul/internal/panel_ops.h"

namespace anybit::kernel::internal {
namespace {

constexpr int kParts = 4;  // Vectors of 16 bytes in a line: four rows each.

// Shifts bytes left by `count`, right where it is negative.
uint8x16_t shifted(uint8x16_t bytes, int count) {
  return vshlq_u8(bytes, vdupq_n_s8(static_cast<int8_t>(count)));
}

uint8x16_t codes_at(const uint8_t* block, int bits, int left, int step, int part) {
  uint8x16_t codes = vdupq_n_u8(0);
  const uint8_t* line = block;
  int to = left;
  for (int rest = bits; rest > 0;) {
    const int plane = rest >= 4 ? 4 : rest >= 2 ? 2 : 1;
    const int steps_a_line = 8 / plane;
    const uint8x16_t bytes = vld1q_u8(line + step / steps_a_line * kLineBytes + part * 16);
    const uint8x16_t mask = vdupq_n_u8(static_cast<uint8_t>(((1 << plane) - 1) << to));
    codes = vorrq_u8(codes, vandq_u8(shifted(bytes, to - step % steps_a_line * plane), mask));
    line += kLineBytes * plane;
    to += plane;
    rest -= plane;
  }
  return codes;
}

void unpack(const PanelFormat& format, const std::byte* codes, int64_t num_blocks,
            std::byte* tile) {
  const bool is_table = format.decoding == CodeDecoding::kTable;
  const uint8x16_t table = vld1q_u8(format.table_low);
  const auto* block = reinterpret_cast<const uint8_t*>(codes);
  auto* out = reinterpret_cast<uint8_t*>(tile);
  for (int64_t b = 0; b < num_blocks; ++b) {
    for (int step = 0; step < kBlockSteps; ++step) {
      for (int part = 0; part < kParts; ++part) {
        const uint8x16_t found =
            codes_at(block, format.bits, format.is_doubled ? 1 : 0, step, part);
        vst1q_u8(out, is_table ? vqtbl1q_u8(table, found) : found);
        out += 16;
      }
    }
    block += format.block_bytes();
  }
}

template <int kColumns>
void multiply(const PanelFormat& format, const MultiplyArguments& args) {
  const int64_t subblocks = format.subblocks_per_block();
  const int steps = format.subblock_cols / 4;
  const auto* tile = reinterpret_cast<const int8_t*>(args.tile);
  const auto* a = reinterpret_cast<const int8_t*>(args.activations);
  for (int64_t i = 0; i < args.num_blocks * subblocks; ++i) {
    int32x4_t dots[kColumns][kParts];
    for (int c = 0; c < kColumns; ++c) {
      for (int part = 0; part < kParts; ++part) {
        dots[c][part] = vdupq_n_s32(args.biases[i * kColumns + c]);
      }
    }
    const int64_t block = i / subblocks;
    const int8_t* codes = a + block * kColumns * kBlockCols + i % subblocks * format.subblock_cols;
    for (int step = 0; step < steps; ++step) {
      for (int part = 0; part < kParts; ++part) {
        // Weights are at most 127, so that unsigned and signed bytes are the same.
        const int8x16_t weights = vld1q_s8(tile + step * kLineBytes + part * 16);
        for (int c = 0; c < kColumns; ++c) {
          const auto* four = reinterpret_cast<const int32_t*>(codes + c * kBlockCols + step * 4);
          dots[c][part] =
              vdotq_s32(dots[c][part], weights, vreinterpretq_s8_s32(vld1q_dup_s32(four)));
        }
      }
    }
    tile += steps * kLineBytes;
    for (int c = 0; c < kColumns; ++c) {
      const float32x4_t activation_scale =
          vdupq_n_f32(args.activation_scales[block * kColumns + c]);
      for (int part = 0; part < kParts; ++part) {
        float* sums = args.sums + c * kPanelRows + part * 4;
        const float32x4_t scale =
            vmulq_f32(vld1q_f32(args.weight_scales + i * kPanelRows + part * 4), activation_scale);
        vst1q_f32(sums, vfmaq_f32(vld1q_f32(sums), vcvtq_f32_s32(dots[c][part]), scale));
      }
    }
  }
}

UnpackFunction* find_unpack(const PanelFormat& format) {
  const bool is_narrow_table = format.decoding == CodeDecoding::kTable && format.bits <= 4;
  const bool is_linear = format.decoding == CodeDecoding::kLinear && format.bits <= 7;
  return format.arithmetic == Arithmetic::kInt8 && (is_linear || is_narrow_table) ? unpack
                                                                                  : nullptr;
}

MultiplyFunction* find_multiply(const PanelFormat&, int columns) {
  switch (columns) {
    case 1: return multiply<1>;
    case 2: return multiply<2>;
    case 3: return multiply<3>;
    case 4: return multiply<4>;
    case 5: return multiply<5>;
    default: return multiply<6>;
  }
}

MultiplyFunction* find_multiply_codes(const PanelFormat&) { return nullptr; }

}  // namespace

constinit const PanelOps kNeonPanelOps = {
    find_unpack,          find_multiply,          find_multiply_codes,
    expand_scales_scalar, expand_products_scalar, add_mins_scalar,
    quantize_int8_scalar, quantize_int16_scalar,  {127, false, false}};

}  // namespace anybit::kernel::internal
#endif
