// The element-wise functions of a feed-forward layer, alone and gated: f(gate) * up.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

#include "anybit/base/parallel.h"
#include "anybit/base/result.h"
#include "anybit/kernel/variant.h"

namespace anybit::kernel {

enum class Activation : uint8_t {
  kSilu,      // x / (1 + exp(-x)); gated: SwiGLU.
  kGeluTanh,  // x / 2 (1 + tanh(sqrt(2 / pi) (x + 0.044715 x^3))); gated: GeGLU.
  kGelu,      // x / 2 (1 + erf(x / sqrt(2)))
  kRelu,
};

/// "silu", "gelu_pytorch_tanh", "gelu", "relu", as config.json's hidden_act has it.
std::string_view name(Activation activation);

/// Errors: kUnsupported for an unknown word. "swish" and "gelu_new", "gelu_tanh" are aliases.
Result<Activation> parse_activation(std::string_view text);

/// out = f(gate) * up, element by element.
/// Shapes: gate, up [num_rows, row_size] with `row_stride` floats from a row to the next (so that
/// both may be halves of one matrix); out [num_rows, row_size], dense.
/// Pre: row_stride >= row_size; out may be gate or up if row_stride is row_size.
/// Elements: f32. f is right to 4 ulp for kSilu, 8 for kGelu, 4 + 4 |u| for kGeluTanh with u the
/// argument of its tanh, or to 2^-120; kRelu is exact. NaN stays NaN; -inf gives NaN, 0 for kRelu.
void gated_activation(Activation activation, const float* gate, const float* up, int64_t num_rows,
                      int64_t row_size, int64_t row_stride, float* out, Threads threads);

/// out = f(x), element by element; out may be x.
void apply_activation(Activation activation, const float* x, int64_t count, float* out,
                      Threads threads);

/// Part of a row: out[i] = f(gate[i]) * up[i]; f(gate[i]) alone where `up` is null.
using GatedActivation = void(Activation activation, const float* gate, const float* up,
                             int64_t count, float* out);

/// Every implementation, best first.
std::span<const Variant<GatedActivation>> activation_variants();

}  // namespace anybit::kernel
