// Products of one row of activations with panels straight from their codes: what decoding a token
// runs. No tile is written, so that the loop keeps up with memory at 1 to 4 bits a weight. The sums
// are, operation by operation, those of panel_multiply.h. Included only by panel_*.cc; everything
// here is local to the including file.
#pragma once

#include "anybit/kernel/matmul/internal/panel_unpack.h"

namespace anybit::kernel::internal {
namespace {

/// sums += float(dots) * (weight scales * activation scale), in registers.
inline void add_scaled(const CodeVector (&dots)[kParts], const float* weight_scales,
                       const float* activation_scale, SumVector (&sums)[kParts]) {
#pragma GCC unroll 4
  for (int part = 0; part < kParts; ++part) {
    const SumVector scale = SumVector::load(weight_scales + part * SumVector::kLanes) *
                            SumVector::all(activation_scale);
    sums[part] = sums[part].add_product(SumVector::from_int32(dots[part]), scale);
  }
}

inline void load_sums(const float* from, SumVector (&sums)[kParts]) {
#pragma GCC unroll 4
  for (int part = 0; part < kParts; ++part) {
    sums[part] = SumVector::load(from + part * SumVector::kLanes);
  }
}

inline void store_sums(const SumVector (&sums)[kParts], float* to) {
#pragma GCC unroll 4
  for (int part = 0; part < kParts; ++part) sums[part].store(to + part * SumVector::kLanes);
}

/// args.tile: codes.
template <CodeDecoding kDecoding, int kBits, int kLeft, Widening kWidening, int kSubblockCols>
void multiply_codes_int8(const PanelFormat& format, const MultiplyArguments& args) {
  constexpr int kSteps = kSubblockCols / kStepCols;
  constexpr int kSubblocks = kBlockCols / kSubblockCols;
  const CodeVector ones = CodeVector::all16(1);
  const std::byte* codes = args.tile;
  const std::byte* a = args.activations;
  SumVector sums[kParts];
  load_sums(args.sums, sums);
  for (int64_t b = 0; b < args.num_blocks; ++b) {
    for_constants<kSubblocks>([&](auto s) ANYBIT_INLINE_BODY {
      CodeVector dots[kParts], waiting[kParts];
      for (CodeVector& dot : dots) {
        dot = CodeVector::broadcast32(args.biases + b * kSubblocks + s);
      }
      for_constants<kSteps>([&](auto i) ANYBIT_INLINE_BODY {
        constexpr int kStep = decltype(s)::value * kSteps + decltype(i)::value;
        const CodeVector activation = CodeVector::broadcast32(a + kStep * kStepCols);
#pragma GCC unroll 4
        for (int part = 0; part < kParts; ++part) {
          const CodeVector weights = int8_step<kDecoding, kBits, kLeft, kStep>(format, codes, part);
          if constexpr (kWidening == Widening::kSubblock) {
            dots[part] = dots[part].add16(weights.multiply_pairs8(activation));
          } else if constexpr (kWidening == Widening::kOneStep) {
            dots[part] = dots[part].add_products8(weights, activation);
          } else if constexpr (kStep % 2 == 0) {
            waiting[part] = weights.multiply_pairs8(activation);
          } else {
            const CodeVector sum = waiting[part].add16(weights.multiply_pairs8(activation));
            dots[part] = dots[part].add32(sum.multiply_pairs16(ones));
          }
          dots[part].pin();
        }
      });
      if constexpr (kWidening == Widening::kSubblock) {
        for (CodeVector& dot : dots) dot = dot.multiply_pairs16(ones);
      }
      add_scaled(dots, args.weight_scales + (b * kSubblocks + s) * kPanelRows,
                 args.activation_scales + b, sums);
    });
    codes += kLineBytes * kBits;
    a += kBlockCols;
  }
  store_sums(sums, args.sums);
}

template <CodeDecoding kDecoding, int kBits, int kSubblockCols>
void multiply_codes_int16(const PanelFormat& format, const MultiplyArguments& args) {
  constexpr int kSteps = kSubblockCols / kStepCols;
  constexpr int kSubblocks = kBlockCols / kSubblockCols;
  const Int16Decoder<kDecoding, kBits> decode(format);
  const std::byte* codes = args.tile;
  const std::byte* a = args.activations;
  SumVector sums[kParts];
  load_sums(args.sums, sums);
  for (int64_t b = 0; b < args.num_blocks; ++b) {
    for_constants<kSubblocks>([&](auto s) ANYBIT_INLINE_BODY {
      CodeVector dots[kParts];
      for (CodeVector& dot : dots) dot = CodeVector::zero();
      for_constants<kSteps>([&](auto i) ANYBIT_INLINE_BODY {
        constexpr int kStep = decltype(s)::value * kSteps + decltype(i)::value;
        const CodeVector first = CodeVector::broadcast32(a + kStep * 8);
        const CodeVector second = CodeVector::broadcast32(a + kStep * 8 + 4);
#pragma GCC unroll 4
        for (int part = 0; part < kParts; ++part) {
          const Int16Step weights = int16_step<kDecoding, kBits, kStep>(decode, codes, part);
          dots[part] = dots[part].add_products16(weights.first, first);
          dots[part] = dots[part].add_products16(weights.second, second);
          dots[part].pin();
        }
      });
      add_scaled(dots, args.weight_scales + (b * kSubblocks + s) * kPanelRows,
                 args.activation_scales + b, sums);
    });
    codes += kLineBytes * kBits;
    a += kBlockCols * 2;
  }
  store_sums(sums, args.sums);
}

template <CodeDecoding kDecoding, int kBits, int kLeft, int kSubblockCols>
inline MultiplyFunction* codes_int8_widened(Widening widening) {
  switch (widening) {
    case Widening::kSubblock:
      return multiply_codes_int8<kDecoding, kBits, kLeft, Widening::kSubblock, kSubblockCols>;
    case Widening::kTwoSteps:
      return multiply_codes_int8<kDecoding, kBits, kLeft, Widening::kTwoSteps, kSubblockCols>;
    case Widening::kOneStep: break;
  }
  return multiply_codes_int8<kDecoding, kBits, kLeft, Widening::kOneStep, kSubblockCols>;
}

template <int kSubblockCols>
inline MultiplyFunction* find_codes_int8(const PanelFormat& f) {
  if (f.decoding == CodeDecoding::kTable) {
    return by_bits<2, 6>(f.bits, [&](auto b) {
      return codes_int8_widened<CodeDecoding::kTable, decltype(b)::value, 0, kSubblockCols>(
          f.widening);
    });
  }
  if (f.is_doubled) {
    return by_bits<1, 4>(f.bits, [&](auto b) {
      return codes_int8_widened<CodeDecoding::kLinear, decltype(b)::value, 1, kSubblockCols>(
          f.widening);
    });
  }
  return by_bits<1, 8>(f.bits, [&](auto b) {
    return codes_int8_widened<CodeDecoding::kLinear, decltype(b)::value, 0, kSubblockCols>(
        f.widening);
  });
}

template <int kSubblockCols>
inline MultiplyFunction* find_codes_int16(const PanelFormat& f) {
  switch (f.decoding) {
    case CodeDecoding::kLinear:
      return by_bits<7, 16>(f.bits, [](auto b) {
        return &multiply_codes_int16<CodeDecoding::kLinear, decltype(b)::value, kSubblockCols>;
      });
    case CodeDecoding::kTable:
      return by_bits < 1,
             kHasByteTables ? 8 : 7 > (f.bits, [](auto b) {
                                    return &multiply_codes_int16<CodeDecoding::kTable,
                                                                 decltype(b)::value, kSubblockCols>;
                                  });
    case CodeDecoding::kSignedTable:
      return by_bits<7, 8>(f.bits, [](auto b) {
        return &multiply_codes_int16<CodeDecoding::kSignedTable, decltype(b)::value, kSubblockCols>;
      });
    case CodeDecoding::kSplitFloat:
      return by_bits<6, 8>(f.bits, [](auto b) {
        return &multiply_codes_int16<CodeDecoding::kSplitFloat, decltype(b)::value, kSubblockCols>;
      });
    default: return nullptr;
  }
}

inline MultiplyFunction* find_vector_multiply_codes(const PanelFormat& f) {
  const bool is_16 = f.subblock_cols == 16;
  switch (f.arithmetic) {
    case Arithmetic::kInt8: return is_16 ? find_codes_int8<16>(f) : find_codes_int8<32>(f);
    case Arithmetic::kInt16: return is_16 ? find_codes_int16<16>(f) : find_codes_int16<32>(f);
    case Arithmetic::kFloat: break;
  }
  return nullptr;
}

}  // namespace
}  // namespace anybit::kernel::internal
