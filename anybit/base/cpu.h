// What the processor can do, found at run time.
#pragma once

#include <string>

namespace anybit {

/// Instruction-set extensions that kernels choose by. All false on other architectures than theirs.
struct CpuFeatures {
  bool avx2 = false;      // AVX2, FMA, F16C and BMI2 together.
  bool avx_vnni = false;  // VEX-encoded vpdpbusd.
  bool avx512 = false;    // F, BW, CD, DQ and VL together.
  bool avx512_vnni = false;
  bool avx512_vbmi = false;  // VBMI: vpermb, vpermi2b, vpmultishiftqb.
  bool avx512_bf16 = false;
  bool neon_dotprod = false;

  /// The features of the machine this runs on.
  static const CpuFeatures& host();
};

/// The processor's marketing name ("AMD EPYC 7763"), or "unknown".
std::string cpu_model_name();

}  // namespace anybit
