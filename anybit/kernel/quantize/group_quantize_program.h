// Quantization of rows in groups, as VM programs.
#pragma once

#include "anybit/vm/ir/program.h"

namespace anybit::kernel {

/// How a group's scale follows from its largest magnitude.
enum class GroupScaleRule : uint8_t {
  kRatio,       // amax / largest value of the element format, rounded to the scale format.
  kPowerOfTwo,  // 2^(floor(log2(amax)) - floor(log2(largest value))), as OCP MX prescribes.
};

/// A format of groups: int4_g32 with f16 scales, mxfp4 (e2m1, 32, e8m0), nvfp4 (e2m1, 16, e4m3).
struct GroupFormat {
  numeric::ElementFormat element;
  numeric::ElementFormat scale;
  int64_t group_size = 32;
  GroupScaleRule rule = GroupScaleRule::kRatio;
};

/// codes[i] = encode(x[i] / scale of its group), nearest even, saturating; a group of zeros has a
/// scale of 0 (of 2^-127 in e8m0) and codes of 0. Two-level formats divide x by their tensor scale:
/// `inv_tensor_scale` multiplies it.
/// Parameters: x: ptr f16 [n], codes: ptr [n] packed, scales: ptr [n / group_size] packed, n: i32,
/// inv_tensor_scale: f32. Pre at launch: n is a multiple of 64 * group_size. The codes of a group
/// with an infinity or NaN are unspecified.
Result<vm::Program> group_quantize_program(const GroupFormat& format);

}  // namespace anybit::kernel
