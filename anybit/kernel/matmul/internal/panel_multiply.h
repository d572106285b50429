// Products of tiles and activations, one text for AVX2 and AVX-512. Included only by panel_*.cc;
// everything here is local to the including file.
#pragma once

#include "anybit/kernel/matmul/internal/code_vector.h"
#include "anybit/kernel/matmul/internal/panel_ops.h"

namespace anybit::kernel::internal {
namespace {

/// sums[c] += float(dot) * (weight scale * activation scale) for one part of the rows.
template <int kColumns>
inline void add_scaled(const CodeVector* dots, const float* weight_scales,
                       const float* activation_scales, float* sums) {
  const SumVector weight_scale = SumVector::load(weight_scales);
#pragma GCC unroll 8
  for (int c = 0; c < kColumns; ++c) {
    const SumVector scale = weight_scale * SumVector::all(activation_scales + c);
    SumVector::load(sums + c * kPanelRows)
        .add_product(SumVector::from_int32(dots[c]), scale)
        .store(sums + c * kPanelRows);
  }
}

/// Sums of kSteps steps in 16 bits, starting from the biases; widened at the end.
template <int kColumns, int kSteps>
inline void dot_in_int16(const std::byte* tile, const std::byte* a, const int32_t* biases,
                         CodeVector (&dots)[kParts][kColumns]) {
#pragma GCC unroll 8
  for (int c = 0; c < kColumns; ++c) {
    const CodeVector bias = CodeVector::broadcast32(biases + c);
    for (int part = 0; part < kParts; ++part) dots[part][c] = bias;
  }
#pragma GCC unroll 8
  for (int step = 0; step < kSteps; ++step) {
    CodeVector weights[kParts];
    for (int part = 0; part < kParts; ++part) {
      weights[part] = CodeVector::load(tile + step * kLineBytes + part * CodeVector::kBytes);
    }
#pragma GCC unroll 8
    for (int c = 0; c < kColumns; ++c) {
      const CodeVector codes = CodeVector::broadcast32(a + c * kBlockCols + step * kStepCols);
      for (int part = 0; part < kParts; ++part) {
        dots[part][c] = dots[part][c].add16(weights[part].multiply_pairs8(codes));
        dots[part][c].pin();
      }
    }
  }
  const CodeVector ones = CodeVector::all16(1);
#pragma GCC unroll 8
  for (int c = 0; c < kColumns; ++c) {
    for (int part = 0; part < kParts; ++part) {
      dots[part][c] = dots[part][c].multiply_pairs16(ones);
    }
  }
}

/// The same for weights too large to sum more than kRun steps in 16 bits.
template <int kColumns, int kSteps, int kRun>
inline void dot_in_int32(const std::byte* tile, const std::byte* a, const int32_t* biases,
                         CodeVector (&dots)[kParts][kColumns]) {
  const CodeVector ones = CodeVector::all16(1);
#pragma GCC unroll 8
  for (int c = 0; c < kColumns; ++c) {
    const CodeVector bias = CodeVector::broadcast32(biases + c);
    for (int part = 0; part < kParts; ++part) dots[part][c] = bias;
  }
#pragma GCC unroll 8
  for (int step = 0; step < kSteps; step += kRun) {
    CodeVector weights[kRun][kParts];
    for (int run = 0; run < kRun; ++run) {
      for (int part = 0; part < kParts; ++part) {
        weights[run][part] =
            CodeVector::load(tile + (step + run) * kLineBytes + part * CodeVector::kBytes);
      }
    }
#pragma GCC unroll 8
    for (int c = 0; c < kColumns; ++c) {
      CodeVector codes[kRun];
      for (int run = 0; run < kRun; ++run) {
        codes[run] = CodeVector::broadcast32(a + c * kBlockCols + (step + run) * kStepCols);
      }
      for (int part = 0; part < kParts; ++part) {
        if constexpr (kRun == 1) {
          dots[part][c] = dots[part][c].add_products8(weights[0][part], codes[0]);
        } else {
          const CodeVector sum = weights[0][part].multiply_pairs8(codes[0]).add16(
              weights[1][part].multiply_pairs8(codes[1]));
          dots[part][c] = dots[part][c].add32(sum.multiply_pairs16(ones));
        }
        dots[part][c].pin();
      }
    }
  }
}

template <int kColumns, Widening kWidening, int kSubblockCols>
void multiply_int8(const PanelFormat&, const MultiplyArguments& args) {
  constexpr int kSteps = kSubblockCols / kStepCols;
  constexpr int kSubblocks = kBlockCols / kSubblockCols;
  const std::byte* tile = args.tile;
  const std::byte* a = args.activations;
  const float* weight_scales = args.weight_scales;
  const int32_t* biases = args.biases;
  for (int64_t b = 0; b < args.num_blocks; ++b) {
    for (int s = 0; s < kSubblocks; ++s) {
      CodeVector dots[kParts][kColumns];
      if constexpr (kWidening == Widening::kSubblock) {
        dot_in_int16<kColumns, kSteps>(tile, a + s * kSubblockCols, biases, dots);
      } else {
        dot_in_int32<kColumns, kSteps, kWidening == Widening::kTwoSteps ? 2 : 1>(
            tile, a + s * kSubblockCols, biases, dots);
      }
      for (int part = 0; part < kParts; ++part) {
        add_scaled<kColumns>(dots[part], weight_scales + part * SumVector::kLanes,
                             args.activation_scales + b * kColumns,
                             args.sums + part * SumVector::kLanes);
      }
      tile += kSteps * kLineBytes;
      weight_scales += kPanelRows;
      biases += kColumns;
    }
    a += kColumns * kBlockCols;
  }
}

template <int kColumns, int kSubblockCols>
void multiply_int16(const PanelFormat&, const MultiplyArguments& args) {
  constexpr int kPairs = kSubblockCols / 2;
  constexpr int kSubblocks = kBlockCols / kSubblockCols;
  const std::byte* tile = args.tile;
  const std::byte* a = args.activations;
  const float* weight_scales = args.weight_scales;
  for (int64_t b = 0; b < args.num_blocks; ++b) {
    for (int s = 0; s < kSubblocks; ++s) {
      CodeVector dots[kParts][kColumns];
#pragma GCC unroll 8
      for (int c = 0; c < kColumns; ++c) {
        for (int part = 0; part < kParts; ++part) dots[part][c] = CodeVector::zero();
      }
#pragma GCC unroll 16
      for (int pair = 0; pair < kPairs; ++pair) {
        CodeVector weights[kParts];
        for (int part = 0; part < kParts; ++part) {
          weights[part] = CodeVector::load(tile + pair * kLineBytes + part * CodeVector::kBytes);
        }
#pragma GCC unroll 8
        for (int c = 0; c < kColumns; ++c) {
          const CodeVector codes =
              CodeVector::broadcast32(a + (c * kBlockCols + s * kSubblockCols) * 2 + pair * 4);
          for (int part = 0; part < kParts; ++part) {
            dots[part][c] = dots[part][c].add_products16(weights[part], codes);
            dots[part][c].pin();
          }
        }
      }
      for (int part = 0; part < kParts; ++part) {
        add_scaled<kColumns>(dots[part], weight_scales + part * SumVector::kLanes,
                             args.activation_scales + b * kColumns,
                             args.sums + part * SumVector::kLanes);
      }
      tile += kPairs * kLineBytes;
      weight_scales += kPanelRows;
    }
    a += kColumns * kBlockCols * 2;
  }
}

template <int kColumns, int kSubblockCols>
void multiply_float(const PanelFormat&, const MultiplyArguments& args) {
  constexpr int kSubblocks = kBlockCols / kSubblockCols;
  const auto* tile = reinterpret_cast<const float*>(args.tile);
  const auto* a = reinterpret_cast<const float*>(args.activations);
  const float* weight_scales = args.weight_scales;
  for (int64_t b = 0; b < args.num_blocks; ++b) {
    for (int s = 0; s < kSubblocks; ++s) {
      SumVector dots[kParts][kColumns];
#pragma GCC unroll 8
      for (int c = 0; c < kColumns; ++c) {
        for (int part = 0; part < kParts; ++part) dots[part][c] = SumVector::zero();
      }
#pragma GCC unroll 4
      for (int col = 0; col < kSubblockCols; ++col) {
        SumVector weights[kParts];
        for (int part = 0; part < kParts; ++part) {
          weights[part] = SumVector::load(tile + col * kPanelRows + part * SumVector::kLanes);
        }
#pragma GCC unroll 8
        for (int c = 0; c < kColumns; ++c) {
          const SumVector value = SumVector::all(a + c * kBlockCols + s * kSubblockCols + col);
          for (int part = 0; part < kParts; ++part) {
            dots[part][c] = dots[part][c].add_product(weights[part], value);
          }
        }
      }
      for (int part = 0; part < kParts; ++part) {
        const SumVector scale = SumVector::load(weight_scales + part * SumVector::kLanes);
#pragma GCC unroll 8
        for (int c = 0; c < kColumns; ++c) {
          float* sum = args.sums + c * kPanelRows + part * SumVector::kLanes;
          SumVector::load(sum).add_product(dots[part][c], scale).store(sum);
        }
      }
      tile += kSubblockCols * kPanelRows;
      weight_scales += kPanelRows;
    }
    a += kColumns * kBlockCols;
  }
}

template <int kColumns, int kSubblockCols>
inline MultiplyFunction* multiply_with(const PanelFormat& format) {
  switch (format.arithmetic) {
    case Arithmetic::kInt8: break;
    case Arithmetic::kInt16: return multiply_int16<kColumns, kSubblockCols>;
    case Arithmetic::kFloat: return multiply_float<kColumns, kSubblockCols>;
  }
  switch (format.widening) {
    case Widening::kSubblock: return multiply_int8<kColumns, Widening::kSubblock, kSubblockCols>;
    case Widening::kTwoSteps: return multiply_int8<kColumns, Widening::kTwoSteps, kSubblockCols>;
    case Widening::kOneStep: break;
  }
  return multiply_int8<kColumns, Widening::kOneStep, kSubblockCols>;
}

template <int kColumns>
inline MultiplyFunction* multiply_of(const PanelFormat& format) {
  return format.subblock_cols == 16 ? multiply_with<kColumns, 16>(format)
                                    : multiply_with<kColumns, 32>(format);
}

inline MultiplyFunction* find_vector_multiply(const PanelFormat& format, int columns) {
  switch (columns) {
    case 1: return multiply_of<1>(format);
    case 2: return multiply_of<2>(format);
    case 3: return multiply_of<3>(format);
    case 4: return multiply_of<4>(format);
    case 5: return multiply_of<5>(format);
    default: return multiply_of<6>(format);
  }
}

}  // namespace
}  // namespace anybit::kernel::internal
