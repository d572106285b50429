// One measurement on a GPU: a VM program, its buffers, a check of its outputs, and a time.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "anybit/vm/backend/cuda/program.h"
#include "anybit/vm/backend/cuda/runtime/device_buffer.h"
#include "anybit/vm/backend/cuda/runtime/timing.h"

namespace anybit::bench {

/// A launch argument: a buffer with its initial bytes, or a scalar.
struct GpuArgument {
  std::vector<std::byte> bytes = {};  // Of a buffer; what is written starts as 0xff.
  bool is_output = false;
  vm::cuda::CudaArgument scalar = {};
  bool is_buffer = false;
};
GpuArgument input_buffer(std::vector<std::byte> bytes);
GpuArgument output_buffer(int64_t size_bytes);
/// A buffer that is read and written.
GpuArgument state_buffer(std::vector<std::byte> bytes);
GpuArgument scalar_i32(int64_t value);
GpuArgument scalar_f32(float value);

struct GpuCase {
  std::string name;
  Result<vm::Program> program;
  std::vector<GpuArgument> arguments;
  /// Says what is wrong with the outputs (the buffers in argument order); empty: nothing.
  std::function<std::string(const std::vector<std::vector<std::byte>>& buffers)> check;
  int64_t bytes_moved = 0;  // The floor of a memory-bound case: bytes that must move.
  double operations = 0;    // Of a compute-bound one.
  /// If set, makes `arguments` once the case is to run: large ones take seconds to fill.
  std::function<std::vector<GpuArgument>()> make_arguments = nullptr;
};

struct GpuRow {
  std::string name;
  std::string problem;  // Empty: right.
  double microseconds = 0;
  int64_t bytes_moved = 0;
  double operations = 0;
  int registers = 0;
  int64_t spill_bytes = 0;
  double compile_seconds = 0;
};

struct GpuContext {
  vm::cuda::Device device;
  vm::cuda::Compiler compiler;
  vm::cuda::Stream stream;
  bool wants_times = true;
  const vm::cuda::CubinCache* cache = nullptr;
};

/// Compiles the programs of cases into `cache`, on every core. What does not compile is left to
/// run_case() to report.
void compile_cases(const GpuContext& context, const vm::cuda::CubinCache& cache,
                   const std::vector<std::function<GpuCase()>>& cases);

/// Builds, runs once, checks, and times. Whatever fails becomes the row's problem.
GpuRow run_case(const GpuContext& context, GpuCase gpu_case);

/// Every case: memory-bound kernels, casts of every format, matrix products.
std::vector<std::function<GpuCase()>> memory_cases();
std::vector<std::function<GpuCase()>> cast_cases(bool exhaustive);
std::vector<std::function<GpuCase()>> matmul_cases();  // On mma.
std::vector<std::function<GpuCase()>> wgmma_cases();

/// Elements of a buffer. Pre: the size fits.
template <class T>
std::vector<T> elements_of(const std::vector<std::byte>& bytes) {
  std::vector<T> elements(bytes.size() / sizeof(T));
  std::memcpy(elements.data(), bytes.data(), elements.size() * sizeof(T));
  return elements;
}
template <class T>
std::vector<std::byte> bytes_of(const std::vector<T>& elements) {
  std::vector<std::byte> bytes(elements.size() * sizeof(T));
  std::memcpy(bytes.data(), elements.data(), bytes.size());
  return bytes;
}

/// `count` normal numbers as f16.
std::vector<uint16_t> random_halves(int64_t count, uint64_t seed);
std::vector<std::byte> random_bytes(int64_t count, uint64_t seed);
float half_value(uint16_t code);

}  // namespace anybit::bench
