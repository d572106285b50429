// The transcendental functions of `unary` in f32. One place, so that every backend's are the same.
#pragma once

#include <cmath>

namespace anybit::vm::reference {

inline float exact_exp(float x) { return static_cast<float>(std::exp(static_cast<double>(x))); }
inline float exact_exp2(float x) { return static_cast<float>(std::exp2(static_cast<double>(x))); }
inline float exact_log(float x) { return static_cast<float>(std::log(static_cast<double>(x))); }
inline float exact_log2(float x) { return static_cast<float>(std::log2(static_cast<double>(x))); }
inline float exact_sin(float x) { return static_cast<float>(std::sin(static_cast<double>(x))); }
inline float exact_cos(float x) { return static_cast<float>(std::cos(static_cast<double>(x))); }
inline float exact_tanh(float x) { return static_cast<float>(std::tanh(static_cast<double>(x))); }
inline float exact_erf(float x) { return static_cast<float>(std::erf(static_cast<double>(x))); }

}  // namespace anybit::vm::reference
