#include "gpu_case.h"

#include <atomic>
#include <thread>

#include "anybit/base/philox.h"
#include "anybit/numeric/element_format.h"
#include "anybit/vm/pass/pipeline.h"

namespace anybit::bench {

using vm::cuda::CudaArgument;
using vm::cuda::DeviceBuffer;

GpuArgument input_buffer(std::vector<std::byte> bytes) {
  GpuArgument argument;
  argument.bytes = std::move(bytes);
  argument.is_buffer = true;
  return argument;
}

GpuArgument output_buffer(int64_t size_bytes) {
  GpuArgument argument =
      input_buffer(std::vector<std::byte>(static_cast<size_t>(size_bytes), std::byte{0xff}));
  argument.is_output = true;
  return argument;
}

GpuArgument state_buffer(std::vector<std::byte> bytes) {
  GpuArgument argument = input_buffer(std::move(bytes));
  argument.is_output = true;
  return argument;
}

GpuArgument scalar_i32(int64_t value) {
  GpuArgument argument;
  argument.scalar = CudaArgument::i32(value);
  return argument;
}

GpuArgument scalar_f32(float value) {
  GpuArgument argument;
  argument.scalar = CudaArgument::f32(value);
  return argument;
}

namespace {

/// One set of device buffers with the case's contents, and its launch.
struct ArgumentSet {
  std::vector<DeviceBuffer> buffers;
  std::vector<CudaArgument> arguments;
};

Result<ArgumentSet> make_set(const GpuContext& context, const GpuCase& gpu_case) {
  ArgumentSet set;
  for (const GpuArgument& argument : gpu_case.arguments) {
    if (!argument.is_buffer) {
      set.arguments.push_back(argument.scalar);
      continue;
    }
    ANYBIT_ASSIGN(DeviceBuffer buffer, DeviceBuffer::copy_of(context.device, argument.bytes));
    set.arguments.push_back(CudaArgument::pointer(buffer.address()));
    set.buffers.push_back(std::move(buffer));
  }
  return set;
}

Status run(const GpuContext& context, const GpuCase& gpu_case, GpuRow& row) {
  if (!gpu_case.program) return tl::make_unexpected(gpu_case.program.error());
  ANYBIT_ASSIGN(const auto program, vm::cuda::CudaProgram::load(context.device, context.compiler,
                                                                *gpu_case.program, context.cache));
  row.compile_seconds = program.cubin().seconds;
  row.registers = program.kernel().attributes().registers;
  row.spill_bytes = program.kernel().attributes().local_bytes;
  std::vector<ArgumentSet> sets(1);
  ANYBIT_ASSIGN(sets[0], make_set(context, gpu_case));
  ANYBIT_TRY(program.launch(context.stream, sets[0].arguments));
  ANYBIT_TRY(context.stream.synchronize());
  std::vector<std::vector<std::byte>> contents;
  for (const DeviceBuffer& buffer : sets[0].buffers) {
    ANYBIT_ASSIGN(contents.emplace_back(), buffer.to_vector<std::byte>());
  }
  row.problem = gpu_case.check(contents);
  if (!context.wants_times || !row.problem.empty()) return {};
  int64_t set_bytes = 0;
  for (const DeviceBuffer& buffer : sets[0].buffers) set_bytes += buffer.size_bytes();
  const vm::cuda::TimingOptions options;
  const int64_t num_sets = (options.min_rotation_bytes + set_bytes - 1) / set_bytes;
  std::vector<vm::cuda::KernelArguments> launches;
  ANYBIT_ASSIGN(const auto first, program.prepare(sets[0].arguments));
  launches.push_back(first.arguments);
  for (int64_t i = 1; i < num_sets; ++i) {
    sets.emplace_back();
    ANYBIT_ASSIGN(sets.back(), make_set(context, gpu_case));
    ANYBIT_ASSIGN(const auto launch, program.prepare(sets.back().arguments));
    launches.push_back(launch.arguments);
  }
  ANYBIT_ASSIGN(const vm::cuda::Timing timing,
                vm::cuda::time_kernel(context.stream, program.kernel(), first.shape, launches,
                                      set_bytes, options));
  row.microseconds = timing.median_us;
  return {};
}

}  // namespace

void compile_cases(const GpuContext& context, const vm::cuda::CubinCache& cache,
                   const std::vector<std::function<GpuCase()>>& cases) {
  const std::string arch = context.device.properties().architecture();
  std::atomic<size_t> next = 0;
  const auto work = [&] {
    for (size_t i = next++; i < cases.size(); i = next++) {
      const GpuCase gpu_case = cases[i]();
      if (!gpu_case.program) continue;
      const auto lowered = vm::lower(*gpu_case.program, {.wants_code = true});
      if (!lowered) continue;
      const auto kernel =
          vm::cuda::emit_cuda(*lowered, {.architecture = vm::cuda::architecture_number(arch)});
      if (kernel) (void)vm::cuda::compile_kernel(context.compiler, *kernel, arch, &cache);
    }
  };
  std::vector<std::jthread> threads;
  for (unsigned t = 0; t < std::max(1U, std::thread::hardware_concurrency()); ++t) {
    threads.emplace_back(work);
  }
}

GpuRow run_case(const GpuContext& context, GpuCase gpu_case) {
  if (gpu_case.make_arguments) gpu_case.arguments = gpu_case.make_arguments();
  GpuRow row;
  row.name = gpu_case.name;
  row.bytes_moved = gpu_case.bytes_moved;
  row.operations = gpu_case.operations;
  if (const Status status = run(context, gpu_case, row); !status) {
    row.problem = status.error().message;
  }
  return row;
}

std::vector<uint16_t> random_halves(int64_t count, uint64_t seed) {
  // A pool of normal numbers, drawn from at random: drawing each anew takes minutes.
  static const std::vector<uint16_t> kPool = [] {
    std::vector<uint16_t> pool;
    const Philox normal(7);
    for (uint64_t i = 0; i < 65536; ++i) {
      pool.push_back(static_cast<uint16_t>(numeric::encode(numeric::kF16, normal.normal(i))));
    }
    return pool;
  }();
  std::vector<uint16_t> values(static_cast<size_t>(count));
  const Philox random(seed);
  for (size_t i = 0; i < values.size(); i += 4) {
    const uint64_t bits = random.bits64(i / 4);
    for (size_t j = i; j < std::min(i + 4, values.size()); ++j) {
      values[j] = kPool[bits >> (16 * (j - i)) & 0xffff];
    }
  }
  return values;
}

std::vector<std::byte> random_bytes(int64_t count, uint64_t seed) {
  std::vector<std::byte> bytes(static_cast<size_t>(count));
  const Philox random(seed);
  for (size_t i = 0; i < bytes.size(); i += 8) {
    const uint64_t word = random.bits64(i / 8);
    std::memcpy(bytes.data() + i, &word, std::min<size_t>(8, bytes.size() - i));
  }
  return bytes;
}

float half_value(uint16_t code) {
  static const std::vector<float> kValues = numeric::decode_table(numeric::kF16);
  return kValues[code];
}

}  // namespace anybit::bench
