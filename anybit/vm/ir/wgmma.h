// How a wgmma instruction is carried out: the steps that a warpgroup multiplies at once, which of
// them each warpgroup does, and how operands must lie in shared memory. Layout inference, the
// shared-memory plan and code generation all read this.
#pragma once

#include <span>
#include <string_view>

#include "anybit/layout/shared_layout.h"
#include "anybit/vm/ir/instruction_info.h"

namespace anybit::vm {

inline constexpr int64_t kWgmmaRows = 64;  // m of every step.

/// One row for each element of the operands.
struct WgmmaAtom {
  numeric::ElementFormat element;
  int64_t k = 16;                // Of a step: 32 bytes.
  std::string_view function;     // Of the device header, without _rs.
  bool may_be_mn_major = false;  // Whether m or n may run contiguously in shared memory.
};
std::span<const WgmmaAtom> wgmma_atoms();
/// Null: there is none for this element.
const WgmmaAtom* find_wgmma_atom(const numeric::ElementFormat& element);

/// Errors: kInvalidArgument unless whole warpgroups execute the instruction.
Status check_whole_warpgroups(const InstructionView& view);

/// Operands of the instruction, by index.
enum : size_t { kWgmmaSum, kWgmmaA, kWgmmaB };

struct WgmmaPlan {
  const WgmmaAtom* atom = nullptr;
  int64_t n = 0;                 // Of a step.
  layout::RegisterLayout tiles;  // [m / 64, n of the sum / n of a step], over warpgroups.
  layout::RegisterLayout a;      // What a has to be if it is in registers. [m, k]
};

/// The plan of the wgmma in `view` under a sum of layout `sum`: the widest step that divides it.
/// Errors: kInvalidArgument if `sum` is no product of wgmma accumulators over whole warpgroups.
Result<WgmmaPlan> plan_wgmma(const InstructionView& view, const layout::RegisterLayout& sum);

/// The layout that inference gives to the sum: warpgroups share the rows; rows that do not divide
/// among them leave the rest of the warpgroups to share the columns.
/// Errors: kInvalidArgument if the warpgroups cannot share the tile.
Result<layout::RegisterLayout> default_wgmma_sum(const InstructionView& view);

/// An operand in shared memory as the tensor cores read it.
/// Source: PTX ISA, "Asynchronous Warpgroup Level Matrix Shared Memory Layout".
struct WgmmaOperand {
  bool is_mn_major = false;
  int64_t line_bytes = 0;   // 32, 64 or 128: a line of k (of m or n if is_mn_major).
  layout::Swizzle swizzle;  // Of element indices. Lines of 8 that follow each other make an atom.
  int64_t atom_bytes() const { return 8 * line_bytes; }
};

/// How an operand with these strides (elements; of m or n, and of k) is read; `rows` of it in one
/// step, `k` in all.
/// Errors: kUnsupported, with the reason, if lines are not contiguous, of another length, or do not
/// hold a whole step.
Result<WgmmaOperand> wgmma_operand(const WgmmaAtom& atom, int64_t row_stride, int64_t k_stride,
                                   int64_t rows, int64_t k);

}  // namespace anybit::vm
