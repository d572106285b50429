// Quantized tensors with random contents under any scheme, for tests and benchmarks of everything
// that reads them.
#pragma once

#include <cstdint>

#include "anybit/numeric/scheme.h"
#include "anybit/tensor/quantized_tensor.h"

namespace anybit::tensor {

/// One scheme string of every element kind, granularity, scale format and option: what a test of
/// "all schemes" walks.
inline constexpr const char* kSampledSchemes[] = {
    "int4_g128",
    "int4_channel",
    "int8_tensor",
    "int3_g32_sbf16",
    "int1_g64",
    "int16_channel",
    "uint4_g64_asym",
    "uint3_channel_asym",
    "uint8_tensor_asym",
    "uint2_g32_se4m3_asym_ts",
    "uint5_b16x32_asym",
    "int8_b128x128",
    "int8f6_g16_sf32",
    "int7_g33",
    "e2m1_g16_se4m3_ts",
    "e2m1_g32_se8m0",
    "e3m2_channel",
    "e2m3_g32_sue5m3",
    "e4m3_tensor",
    "e5m2_b32x32_se8m0",
    "e1m1_g7",
    "ue4m3_channel",
    "e8m7_tensor",
    "e5m10_g64",
    "posit8_1_g64",
    "posit5_2_channel",
    "posit16_1",
    "lns8_3_g32",
    "lns4_1_tensor",
    "binary_g128",
    "binary_channel",
    "ternary_g64",
    "ternary_tensor",
    "bipolar3_g32",
    "bipolar2_channel_sf16",
    "codebook4_channel",
    "codebook3_g64",
    "codebook2_b16x16",
    "complex2_g64",
    "complex2_channel",
    "nf4",
    "nf4_channel",
    "mxfp4",
    "mxfp6_e3m2",
    "mxfp6_e2m3",
    "mxfp8_e4m3",
    "mxfp8_e5m2",
    "mxint8",
    "nvfp4",
    "nvint4",
    "f32",
    "f16",
    "bf16",
    "tf32",
    "e4m3",
    "e8m0",
    "e3m2",
    "int8",
    "q4_0",
    "q4_1",
    "q5_0",
    "q5_1",
    "q8_0",
    "q2_k",
    "q3_k",
    "q4_k",
    "q5_k",
    "q6_k",
    "iq4_nl",
    "tq2_0",
};

/// Uniformly random codes, scale codes (of finite values) and zero points; codebooks ascend.
/// ggml blocks are random bytes. The same arguments give the same bytes.
/// Pre: check_fits().
QuantizedTensor random_quantized_tensor(const numeric::Scheme& scheme, int64_t rows, int64_t cols,
                                        uint64_t seed);

}  // namespace anybit::tensor
