#include "cublas.h"

#include <dlfcn.h>

namespace anybit::bench {
namespace {

using vm::cuda::DeviceBuffer;
using vm::cuda::DevicePointer;

constexpr const char* kFiles[] = {"libcublas.so.13", "libcublas.so.12", "libcublas.so",
                                  "/usr/local/cuda/lib64/libcublas.so",
                                  "/usr/local/cuda/lib/libcublas.so"};

// cublas_api.h and library_types.h, as far as they are used here.
using Handle = void*;
constexpr int kTranspose = 1, kAsItIs = 0, kHalf = 2, kComputeF32 = 68, kDefaultAlgorithm = -1;

struct Cublas {
  int (*create)(Handle*) = nullptr;
  int (*set_stream)(Handle, vm::cuda::StreamHandle) = nullptr;
  int (*gemm)(Handle, int, int, int, int, int, const void*, DevicePointer, int, int, DevicePointer,
              int, int, const void*, DevicePointer, int, int, int, int) = nullptr;
};

Result<Cublas> load() {
  void* library = nullptr;
  for (const char* file : kFiles) {
    if ((library = dlopen(file, RTLD_NOW)) != nullptr) break;
  }
  if (library == nullptr) return fail(ErrorCode::kNotFound, "no libcublas.so");
  Cublas api;
  api.create = reinterpret_cast<decltype(api.create)>(dlsym(library, "cublasCreate_v2"));
  api.set_stream = reinterpret_cast<decltype(api.set_stream)>(dlsym(library, "cublasSetStream_v2"));
  api.gemm = reinterpret_cast<decltype(api.gemm)>(dlsym(library, "cublasGemmEx"));
  if (api.create == nullptr || api.set_stream == nullptr || api.gemm == nullptr) {
    return fail(ErrorCode::kNotFound, "libcublas.so lacks a function");
  }
  return api;
}

Status check(int status, const char* what) {
  if (status == 0) return {};
  return fail(ErrorCode::kDeviceError, "{}: cuBLAS status {}", what, status);
}

Status measure(const GpuContext& context, int64_t m, int64_t n, int64_t k, GpuRow& row) {
  ANYBIT_ASSIGN(const Cublas api, load());
  Handle handle = nullptr;
  ANYBIT_TRY(check(api.create(&handle), "cublasCreate"));
  ANYBIT_TRY(check(api.set_stream(handle, context.stream.handle()), "cublasSetStream"));
  ANYBIT_ASSIGN(const DeviceBuffer a,
                DeviceBuffer::copy_of(context.device, random_halves(m * k, 12)));
  ANYBIT_ASSIGN(const DeviceBuffer b,
                DeviceBuffer::copy_of(context.device, random_halves(n * k, 13)));
  ANYBIT_ASSIGN(const DeviceBuffer c, DeviceBuffer::allocate(context.device, 2 * m * n));
  const float one = 1, zero = 0;
  // Column-major: c^T = b . a^T.
  const auto launch = [&](int) {
    return check(api.gemm(handle, kTranspose, kAsItIs, static_cast<int>(n), static_cast<int>(m),
                          static_cast<int>(k), &one, b.address(), kHalf, static_cast<int>(k),
                          a.address(), kHalf, static_cast<int>(k), &zero, c.address(), kHalf,
                          static_cast<int>(n), kComputeF32, kDefaultAlgorithm),
                 "cublasGemmEx");
  };
  ANYBIT_TRY(launch(0));
  ANYBIT_TRY(context.stream.synchronize());
  vm::cuda::TimingOptions options;
  options.min_rotation_bytes = 0;
  ANYBIT_ASSIGN(const vm::cuda::Timing timing,
                vm::cuda::time_launches(context.stream, 1, row.bytes_moved, launch, options));
  row.microseconds = timing.median_us;
  return {};
}

}  // namespace

GpuRow cublas_row(const GpuContext& context, int64_t m, int64_t n, int64_t k) {
  GpuRow row;
  row.name = fmt::format("cuBLAS f16, m={} n={} k={}", m, n, k);
  row.bytes_moved = 2 * (m * k + n * k + m * n);
  row.operations = 2.0 * static_cast<double>(m) * static_cast<double>(n) * static_cast<double>(k);
  if (const Status status = measure(context, m, n, k, row); !status) {
    row.problem = status.error().message;
  }
  return row;
}

}  // namespace anybit::bench
