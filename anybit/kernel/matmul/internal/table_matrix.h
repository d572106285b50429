// The other way to multiply by weights of few bits: no products, but tables of the sums that four
// activations can have, looked up by four weights' bits at a time, bit plane by bit plane.
// Source: Wei et al. 2024, T-MAC, section 3; Ganji et al. 2023, DeepGEMM, for the byte shuffles.
#pragma once

#include <memory>

#include "anybit/base/parallel.h"
#include "anybit/base/result.h"
#include "anybit/kernel/matmul/matmul.h"

namespace anybit::kernel::internal {

inline constexpr int64_t kTableRows = 32;   // Rows that one look-up instruction serves.
inline constexpr int kMostTablePlanes = 3;  // So many bits keep the sums of a block in 16 bits.

/// One row of activations and 32 rows of weights.
struct TableArguments {
  const std::byte* codes;          // [blocks][planes][4 pairs of steps][32 rows]: two nibbles.
  const std::byte* tables;         // [blocks][8 steps][16 low bytes, 16 high bytes]
  const float* weight_scales[2];   // Of either half of the rows: [blocks][16]
  const int16_t* biases;           // [blocks]: -center * sum of the activations.
  const float* activation_scales;  // [blocks]
  bool is_doubled;                 // A code stands for twice itself.
  int64_t num_blocks;
  float* sums;  // [32], added to as MultiplyFunction does.
};

/// Tables of all sums of subsets of four codes: entry i of a step adds the codes of i's bits.
/// codes: [blocks][32] int8; tables: [blocks][8 steps][32 bytes].
void build_tables_avx2(const std::byte* codes, int64_t num_blocks, std::byte* tables);

/// Pre: 1 <= planes <= 3.
void multiply_tables_avx2(int planes, const TableArguments& arguments);

bool may_pack_tables(const numeric::Scheme& scheme, int64_t cols);

/// Packs integer weights of at most 3 bits (2 where codes are doubled: bipolar) whose groups are
/// multiples of 32 columns. Sums equal those of the int8 kernels bit for bit.
/// Errors: kUnsupported for anything else.
Result<std::unique_ptr<PackedMatrix>> pack_tables(const tensor::QuantizedTensor& weight,
                                                  Threads threads);

}  // namespace anybit::kernel::internal
