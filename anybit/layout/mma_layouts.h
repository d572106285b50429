// The register fragments of NVIDIA's matrix instructions: which lane holds which element, and in
// which of its registers. A register of 32 bits holds its elements in local order, lowest bits
// first.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "anybit/base/result.h"
#include "anybit/layout/register_layout.h"

namespace anybit::layout {

/// The fragments of d = a . b + c of one mma.sync instruction, in one warp.
/// Source: PTX ISA, "Matrix Fragments for mma.m16n8k16 with floating point type", ".m16n8k32",
/// ".m16n8k8".
struct MmaFragments {
  std::string_view name;  // "m16n8k16"
  int64_t m, n, k;
  int operand_bits;  // Of an element of a and b: 16 (f16, bf16), 8 (e4m3, e5m2, s8, u8), 32 (tf32).
  RegisterLayout a;  // [m, k]
  RegisterLayout b;  // [k, n]
  RegisterLayout cd;  // [m, n], elements of 32 bits or f16.
};

/// The shapes m16n8k16 (16 bits), m16n8k32 (8 bits), m16n8k8 (tf32).
std::vector<MmaFragments> mma_fragments();

/// The accumulator [64, n] of wgmma.m64nNk*, in one warpgroup of 128 threads.
/// Source: PTX ISA, "Register Fragments for wgmma.mma_async.m64nNk16", matrix D.
/// Errors: kInvalidArgument unless n is a multiple of 8 from 8 to 256.
Result<RegisterLayout> wgmma_accumulator(int64_t n);

/// The operand A [64, 256 / operand_bits] of wgmma held in registers, in one warpgroup.
/// Source: as above, matrix A, and the sections for k = 32 and 8.
/// Errors: kInvalidArgument unless operand_bits is 16, 8 or 32.
Result<RegisterLayout> wgmma_operand_a(int operand_bits);

}  // namespace anybit::layout
