// The 32-bit float functions of the device header: those of vm/exact_math.h, in both bodies.
#pragma once

#include "anybit/vm/backend/cuda/device/device_types.h"
#include "anybit/vm/exact_math.h"

namespace ab {

using anybit::vm::exact::abs;
using anybit::vm::exact::add;
using anybit::vm::exact::bits_float;
using anybit::vm::exact::ceil;
using anybit::vm::exact::cos;
using anybit::vm::exact::div;
using anybit::vm::exact::erf;
using anybit::vm::exact::exp;
using anybit::vm::exact::exp2;
using anybit::vm::exact::f32_to_i32_rn;
using anybit::vm::exact::f32_to_i32_rz;
using anybit::vm::exact::f32_to_i64_rn;
using anybit::vm::exact::f32_to_i64_rz;
using anybit::vm::exact::f32_to_tf32;
using anybit::vm::exact::f32_to_u32_rn;
using anybit::vm::exact::f32_to_u32_rz;
using anybit::vm::exact::float_bits;
using anybit::vm::exact::floor;
using anybit::vm::exact::fma;
using anybit::vm::exact::i32_to_f32;
using anybit::vm::exact::i64_to_f32;
using anybit::vm::exact::log;
using anybit::vm::exact::log2;
using anybit::vm::exact::max;
using anybit::vm::exact::max_nan;
using anybit::vm::exact::min;
using anybit::vm::exact::min_nan;
using anybit::vm::exact::mul;
using anybit::vm::exact::neg;
using anybit::vm::exact::rint;
using anybit::vm::exact::rsqrt;
using anybit::vm::exact::sin;
using anybit::vm::exact::sqrt;
using anybit::vm::exact::sub;
using anybit::vm::exact::tanh;
using anybit::vm::exact::trunc;
using anybit::vm::exact::u32_to_f32;

/// Whether one of the two is NaN: one instruction.
AB_FN bool is_any_nan(float a, float b) { return (a != a) | (b != b); }

}  // namespace ab
