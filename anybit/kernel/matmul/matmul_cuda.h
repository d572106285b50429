// Products of 16-bit activations with a weight of 1 to 8 bits on a GPU: the weight is packed and
// copied once; each product runs the kernel that fits its number of rows.
#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <span>
#include <string>

#include "anybit/kernel/matmul/weight_only_pack.h"
#include "anybit/kernel/matmul/weight_only_schedule.h"
#include "anybit/vm/backend/cuda/program.h"
#include "anybit/vm/backend/cuda/runtime/device_buffer.h"

namespace anybit::kernel {

struct CudaWeightOptions {
  numeric::ElementFormat activation = numeric::kF16;  // f16 or bf16.
  numeric::ElementFormat output = numeric::kF16;      // f16, bf16 or f32.
  std::span<const float> bias = {};                   // [n], or empty.
  const vm::cuda::CubinCache* cache = nullptr;  // Where kernels are kept; must outlive the weight.
  Threads threads = {};                         // That pack.
};

/// A weight [n, k] on a device. Movable, not copyable; may be used by several threads.
class CudaWeight {
 public:
  /// Packs and copies. Errors: as weight_only_format(), pack_weight_only() and
  /// DeviceBuffer::copy_of(); kInvalidArgument for a bias that is not [n]. Pre: validate(weight).
  static Result<CudaWeight> load(const vm::cuda::Device& device, const vm::cuda::Compiler& compiler,
                                 const tensor::QuantizedTensor& weight,
                                 const CudaWeightOptions& options);

  int64_t n() const { return shape_.n; }
  int64_t k() const { return shape_.k; }
  /// Bytes on the device: what one product of few rows reads.
  int64_t size_bytes() const;

  /// c[m, n] = a[m, k] . transpose(weight) + bias, in the order of `stream`. Both pointers are
  /// multiples of 16. Effects: the first product of a class of m (its kernel depends on m up to 64)
  /// compiles, or takes the kernel from the cache.
  /// Errors: kInvalidArgument for m < 1 or pointers that are not aligned; kUnsupported if no
  /// schedule fits; what compilation and the driver say.
  Status matmul(const vm::cuda::Stream& stream, vm::cuda::DevicePointer a, int64_t m,
                vm::cuda::DevicePointer c) const;

  /// Which kernel a product of m rows runs, and why. Errors: kUnsupported if none fits.
  Result<std::string> explain(int64_t m) const;

 private:
  struct State;
  explicit CudaWeight(std::shared_ptr<State> state, ProductShape shape)
      : state_(std::move(state)), shape_(shape) {}

  std::shared_ptr<State> state_;
  ProductShape shape_;
};

}  // namespace anybit::kernel
