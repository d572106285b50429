// One function a type: a row of floats as blocks.
#pragma once

#include <cstdint>

#include "anybit/numeric/ggml/block_type.h"

namespace anybit::numeric::ggml {

/// Encodes `count` finite values, whole blocks. `importance`: a weight for each value's squared
/// error, or null. Scales beyond f16 saturate.
using QuantizeRow = void(const float* values, int64_t count, const float* importance,
                         uint8_t* blocks);

QuantizeRow quantize_q1_0, quantize_q2_0, quantize_q4_0, quantize_q4_1, quantize_q5_0;
QuantizeRow quantize_q5_1, quantize_q8_0, quantize_tq1_0, quantize_tq2_0;
QuantizeRow quantize_q2_k, quantize_q3_k, quantize_q4_k, quantize_q5_k, quantize_q6_k;
QuantizeRow quantize_iq4_nl, quantize_iq4_xs, quantize_mxfp4, quantize_nvfp4;

/// The function of a block-quantized type, or null.
QuantizeRow* find_quantizer(GgmlType type);

}  // namespace anybit::numeric::ggml
