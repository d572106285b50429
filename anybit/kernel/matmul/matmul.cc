#include "anybit/kernel/matmul/matmul.h"

#include <fmt/format.h>

#include <array>
#include <string>

#include "anybit/kernel/matmul/internal/dequantizing_matrix.h"

namespace anybit::kernel {
namespace {

using numeric::Scheme;

constexpr std::array kKernels = {
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
