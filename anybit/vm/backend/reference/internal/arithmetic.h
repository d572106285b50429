// Operators on codes of single elements: the numerics of elementwise instructions, reductions and
// atomics. Floats: the exact result rounded once to nearest even, overflow to infinity as in IEEE
// 754; every NaN that an operator makes has all bits below the sign set. Integers wrap.
#pragma once

#include <cstdint>

#include "anybit/vm/ir/operators.h"

namespace anybit::vm::reference {

using numeric::ElementFormat;

/// The bits of one element, in the low bits.
using Code = uint32_t;

/// decode_element, faster for f32, f16 and bf16.
double element_value(const ElementFormat& format, Code code);

/// `value` rounded to nearest even into f32, f16 or bf16; beyond the range, infinity.
Code float_code(const ElementFormat& format, double value);

/// The two's-complement or unsigned value of an integer code, and the code that wraps a value.
int64_t integer_value(const ElementFormat& format, Code code);
Code integer_code(const ElementFormat& format, int64_t value);

// Pre, for all: the operator takes `format` (check_operand_class).
Code apply_unary(UnaryOp op, const ElementFormat& format, Code x);
/// Errors: kInvalidArgument for an integer division by zero.
Result<Code> apply_binary(BinaryOp op, const ElementFormat& format, Code a, Code b);
bool apply_compare(CompareOp op, const ElementFormat& format, Code a, Code b);
Code apply_fma(const ElementFormat& format, Code a, Code b, Code c);
Code apply_reduce(ReduceOp op, const ElementFormat& format, Code a, Code b);
/// What leaves every value as it is: 0, 1, the greatest value (infinity) for min, the least for
/// max, all ones for and.
Code reduce_neutral(ReduceOp op, const ElementFormat& format);
Code apply_atomic(AtomicOp op, const ElementFormat& format, Code target, Code value);

}  // namespace anybit::vm::reference
