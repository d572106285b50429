// The matrix product of activations with stored weights, in any scheme: c = a * transpose(b).
// pack() turns the canonical tensor into the form the chosen kernel reads; matmul() runs it.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "anybit/base/cpu.h"
#include "anybit/base/parallel.h"
#include "anybit/base/result.h"
#include "anybit/tensor/quantized_tensor.h"

namespace anybit::kernel {

/// A weight in the form a kernel reads. Immutable and shareable between threads.
class PackedMatrix {
 public:
  virtual ~PackedMatrix() = default;
  virtual int64_t rows() const = 0;  // out_features
  virtual int64_t cols() const = 0;  // in_features
  /// Bytes one product must read: codes, scales and zero points as packed.
  virtual int64_t size_bytes() const = 0;
  /// The row of matmul_kernels() that made it.
  virtual std::string_view kernel_name() const = 0;

  /// c[m, rows()] = a[m, cols()] * transpose(this). Row-major, dense.
  /// The sums of one row of c do not depend on m or on the number of threads.
  /// NaN and infinity in `a` spread as in f32 arithmetic only in kernels whose activations are
  /// floats; integer kernels give NaN for a row of `a` that is not finite.
  virtual void matmul(const float* a, int64_t m, float* c, Threads threads) const = 0;
};

/// One kernel: which schemes it takes on which processor.
struct MatmulKernel {
  std::string_view name;         // "linear_avx2"
  std::string_view description;  // One line for `anybit bench matmul`.
  /// Whether the kernel can hold a tensor of this scheme and shape on this processor.
  bool (*supports)(const numeric::Scheme& scheme, int64_t rows, int64_t cols,
                   const CpuFeatures& cpu);
  Result<std::unique_ptr<PackedMatrix>> (*pack)(const tensor::QuantizedTensor& weight,
                                                Threads threads);
  bool quantizes_activations;  // To int8 per group of 32 (activation.h).
};

/// Every kernel, best first: pack() takes the first that supports the tensor.
std::span<const MatmulKernel> matmul_kernels();

/// How pack() chooses.
struct PackOptions {
  std::string kernel_name;  // Forces a kernel; empty: the best. (ANYBIT_KERNEL in the CLI.)
  CpuFeatures cpu = CpuFeatures::host();
  Threads threads = {};
};

/// Packs `weight` for the best kernel that takes it.
/// Errors: kNotFound for an unknown kernel_name, listing the names; kUnsupported if the kernel
/// asked for does not take this scheme here, saying why.
Result<std::unique_ptr<PackedMatrix>> pack(const tensor::QuantizedTensor& weight,
                                           const PackOptions& options);

/// The definition: weights by dequantize_rows(), products and sums in double, rounded once.
void matmul_reference(const tensor::QuantizedTensor& weight, const float* a, int64_t m, float* c);

}  // namespace anybit::kernel
