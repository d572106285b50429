// Element access for elementwise instructions: which local place of an operand goes with a place of
// the result.
#pragma once

#include "anybit/vm/backend/cuda/emit/internal/emitter.h"
#include "anybit/vm/ir/operators.h"

namespace anybit::vm::cuda {

/// For each local place of `result`, that of the operand element it needs (broadcast included).
/// Pre: the operand is laid out as broadcast_operand(result) says.
std::vector<int64_t> operand_places(const layout::RegisterLayout& result,
                                    const layout::RegisterLayout& operand);

/// True if the places are 0, 1, 2, ...
bool is_identity(const std::vector<int64_t>& places);

/// A u32 expression of the code of `element` for a value expression: float for floats, int or u32
/// for integers, 0 or 1 for bool. The upper bits of a narrow code may be set.
std::string encode_number(const numeric::ElementFormat& element, const std::string& value);

/// "f16" or "bf16". Pre: one of them.
std::string half_name(const numeric::ElementFormat& element);

/// Combination of two values (floats; ints) under a reduction operator, as an expression.
std::string combine_numbers(ReduceOp op, const numeric::ElementFormat& element,
                            const std::string& a, const std::string& b);

}  // namespace anybit::vm::cuda
