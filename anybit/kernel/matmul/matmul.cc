#include "anybit/kernel/matmul/matmul.h"

#include <fmt/format.h>

#include <array>
#include <string>

#include "anybit/kernel/matmul/internal/dequantizing_matrix.h"
#include "anybit/kernel/matmul/internal/panel_pack.h"
#include "anybit/kernel/matmul/internal/table_matrix.h"

namespace anybit::kernel {
namespace {

using numeric::Scheme;

using internal::Arithmetic;
using internal::PanelOps;

// An instruction set: its inner loops, and whether a processor has it.
struct Scalar {
  static const PanelOps& ops() { return internal::kScalarPanelOps; }
  static bool runs_on(const CpuFeatures&) { return true; }
};
#if defined(__x86_64__)
struct Avx2 {
  static const PanelOps& ops() { return internal::kAvx2PanelOps; }
  static bool runs_on(const CpuFeatures& cpu) { return cpu.avx2; }
};
struct Avx512 {
  static const PanelOps& ops() { return internal::kAvx512PanelOps; }
  static bool runs_on(const CpuFeatures& cpu) { return cpu.avx2 && cpu.avx512; }
};
struct Avx512Vnni {
  static const PanelOps& ops() { return internal::kAvx512VnniPanelOps; }
  static bool runs_on(const CpuFeatures& cpu) {
    return Avx512::runs_on(cpu) && cpu.avx512_vnni && cpu.avx512_vbmi && cpu.avx512_bf16;
  }
};
#endif

// The kernel's name is part of what it makes, so each row packs through a function of its own.
#if defined(__aarch64__)
struct Neon {
  static const PanelOps& ops() { return internal::kNeonPanelOps; }
  static bool runs_on(const CpuFeatures& cpu) { return cpu.neon_dotprod; }
};
constexpr char kInt8Neon[] = "int8_neon";
#endif

template <class Isa, Arithmetic kArithmetic, const char* kName>
Result<std::unique_ptr<PackedMatrix>> pack_with(const tensor::QuantizedTensor& weight,
                                                Threads threads) {
  return internal::pack_panels(weight, threads, kArithmetic, Isa::ops(), kName);
}

template <class Isa, Arithmetic kArithmetic, const char* kName>
constexpr MatmulKernel row(std::string_view description) {
  return {kName, description,
          [](const Scheme& scheme, int64_t, int64_t cols, const CpuFeatures& cpu) {
            return Isa::runs_on(cpu) &&
                   internal::may_pack_panels(scheme, cols, kArithmetic, Isa::ops());
          },
          pack_with<Isa, kArithmetic, kName>, kArithmetic != Arithmetic::kFloat};
}

constexpr char kInt8Avx512Vnni[] = "int8_avx512vnni", kInt16Avx512Vnni[] = "int16_avx512vnni";
constexpr char kInt8Avx512[] = "int8_avx512", kInt16Avx512[] = "int16_avx512",
               kFloatAvx512[] = "float_avx512";
constexpr char kInt8Avx2[] = "int8_avx2", kInt16Avx2[] = "int16_avx2", kFloatAvx2[] = "float_avx2";
constexpr char kInt8Scalar[] = "int8_scalar", kInt16Scalar[] = "int16_scalar",
               kFloatScalar[] = "float_scalar";
constexpr std::string_view kInt8Text =
    "integer values within a range of 127: u8 weights, int8 activations";
constexpr std::string_view kInt8VnniText =
    "integer values within a range of 255: u8 weights, int8 activations";
constexpr std::string_view kInt16Text =
    "integers of 8 to 16 bits; codebooks, floats, posits, lns of up to 8: int16 weights and "
    "activations of 12 bits";
constexpr std::string_view kFloatText = "f32, f16, bf16 and any element up to 16 bits: exact f32";

constexpr std::array kKernels = {
#if defined(__x86_64__)
    row<Avx512Vnni, Arithmetic::kInt8, kInt8Avx512Vnni>(kInt8VnniText),
    row<Avx512Vnni, Arithmetic::kInt16, kInt16Avx512Vnni>(kInt16Text),
    row<Avx512, Arithmetic::kInt8, kInt8Avx512>(kInt8Text),
    row<Avx512, Arithmetic::kInt16, kInt16Avx512>(kInt16Text),
    row<Avx512, Arithmetic::kFloat, kFloatAvx512>(kFloatText),
    row<Avx2, Arithmetic::kInt8, kInt8Avx2>(kInt8Text),
    row<Avx2, Arithmetic::kInt16, kInt16Avx2>(kInt16Text),
    row<Avx2, Arithmetic::kFloat, kFloatAvx2>(kFloatText),
    // After the multiplying kernels: it is slower on every processor measured; docs/cpu_matmul.md.
    MatmulKernel{"table_avx2", "integers of up to 3 bits: look-ups of sums of four activations",
                 [](const Scheme& scheme, int64_t, int64_t cols, const CpuFeatures& cpu) {
                   return cpu.avx2 && internal::may_pack_tables(scheme, cols);
                 },
                 internal::pack_tables, true},
#endif
#if defined(__aarch64__)
    row<Neon, Arithmetic::kInt8, kInt8Neon>(kInt8Text),
#endif
    row<Scalar, Arithmetic::kInt8, kInt8Scalar>(kInt8Text),
    row<Scalar, Arithmetic::kInt16, kInt16Scalar>(kInt16Text),
    row<Scalar, Arithmetic::kFloat, kFloatScalar>(kFloatText),
    MatmulKernel{"dequantize", "any scheme, any processor: rows decoded to f32 as they are used",
                 [](const Scheme&, int64_t, int64_t, const CpuFeatures&) { return true; },
                 internal::pack_dequantizing, false},
};

std::string kernel_names() {
  std::string names;
  for (const MatmulKernel& kernel : kKernels) {
    names += (names.empty() ? "" : ", ") + std::string(kernel.name);
  }
  return names;
}

Result<std::unique_ptr<PackedMatrix>> pack_forced(const tensor::QuantizedTensor& weight,
                                                  const PackOptions& options) {
  for (const MatmulKernel& kernel : kKernels) {
    if (kernel.name != options.kernel_name) continue;
    if (!kernel.supports(weight.scheme, weight.rows, weight.cols, options.cpu)) {
      return fail(ErrorCode::kUnsupported,
                  "kernel {} does not take scheme {} of a [{}, {}] matrix on this processor",
                  kernel.name, numeric::scheme_name(weight.scheme), weight.rows, weight.cols);
    }
    return kernel.pack(weight, options.threads);
  }
  return fail(ErrorCode::kNotFound, "no matmul kernel named {}; there are {}", options.kernel_name,
              kernel_names());
}

}  // namespace

std::span<const MatmulKernel> matmul_kernels() { return kKernels; }

Result<std::unique_ptr<PackedMatrix>> pack(const tensor::QuantizedTensor& weight,
                                           const PackOptions& options) {
  ANYBIT_TRY(tensor::validate(weight, "weight"));
  if (!options.kernel_name.empty()) return pack_forced(weight, options);
  for (const MatmulKernel& kernel : kKernels) {
    if (!kernel.supports(weight.scheme, weight.rows, weight.cols, options.cpu)) continue;
    auto packed = kernel.pack(weight, options.threads);
    // A kernel may find values it cannot hold (a NaN code, a range too wide): the next one tries.
    if (packed || packed.error().code != ErrorCode::kUnsupported) return packed;
  }
  return fail(ErrorCode::kUnsupported, "no matmul kernel takes scheme {}",
              numeric::scheme_name(weight.scheme));
}

}  // namespace anybit::kernel
