// Random programs of the tile VM on a GPU against the reference backend, bit for bit.
#include <atomic>
#include <cstdio>
#include <mutex>
#include <optional>
#include <thread>

#include "gpu_parts.h"
#include "tests/vm/program_fuzz.h"

namespace anybit::bench {
namespace {

using namespace vm::testing;

/// A program that has been run on the reference and compiled for the device.
struct Prepared {
  uint64_t seed = 0;
  FuzzProgram fuzz;
  FuzzBuffers expected;
  std::optional<vm::cuda::CudaProgram> program;
  std::string problem;
  bool is_refused = false;  // By code generation, with a reason.
};

Status prepare(const GpuContext& context, Prepared& prepared) {
  // Tensor cores add in an order of their own: operands whose sums are exact in every order.
  ANYBIT_ASSIGN(prepared.fuzz, generate_program(prepared.seed, {.exact_dots = true}));
  ANYBIT_ASSIGN(const vm::Program lowered, lower_with(prepared.fuzz.program, OptionalPasses::kAll));
  ANYBIT_ASSIGN(prepared.expected, run_on_reference(prepared.fuzz, lowered));
  auto loaded =
      vm::cuda::CudaProgram::load(context.device, context.compiler, prepared.fuzz.program);
  if (!loaded && loaded.error().code == ErrorCode::kUnsupported) {
    prepared.is_refused = true;
    return {};
  }
  ANYBIT_TRY(loaded);
  prepared.program = std::move(*loaded);
  return {};
}

Status launch(const GpuContext& context, const Prepared& prepared, std::string& difference) {
  std::vector<vm::cuda::DeviceBuffer> buffers;
  std::vector<vm::cuda::CudaArgument> arguments;
  for (const FuzzArgument& argument : prepared.fuzz.arguments) {
    if (!argument.is_buffer) {
      arguments.push_back({argument.scalar.type, argument.scalar.integer, argument.scalar.real});
      continue;
    }
    // Never empty: a launch takes no null pointer.
    std::vector<std::byte> contents = argument.contents;
    contents.resize(std::max<size_t>(contents.size(), 16));
    ANYBIT_ASSIGN(auto buffer, vm::cuda::DeviceBuffer::copy_of(context.device, contents));
    arguments.push_back(vm::cuda::CudaArgument::pointer(buffer.address()));
    buffers.push_back(std::move(buffer));
  }
  ANYBIT_TRY(prepared.program->launch(context.stream, arguments));
  ANYBIT_TRY(context.stream.synchronize());
  FuzzBuffers found;
  for (size_t i = 0; i < buffers.size(); ++i) {
    ANYBIT_ASSIGN(found.emplace_back(), buffers[i].to_vector<std::byte>());
    found.back().resize(prepared.expected[i].size());
  }
  difference = compare_buffers(prepared.fuzz, prepared.expected, found);
  return {};
}

}  // namespace

FuzzSummary fuzz_on_gpu(const GpuContext& context, uint64_t first_seed, uint64_t num_seeds) {
  std::vector<Prepared> all(num_seeds);
  std::atomic<size_t> next = 0;
  {
    std::vector<std::jthread> threads;
    for (unsigned t = 0; t < std::max(1U, std::thread::hardware_concurrency()); ++t) {
      threads.emplace_back([&] {
        for (size_t i = next++; i < all.size(); i = next++) {
          all[i].seed = first_seed + i;
          if (const Status status = prepare(context, all[i]); !status) {
            all[i].problem = status.error().message;
          }
        }
      });
    }
  }
  FuzzSummary summary;
  for (Prepared& prepared : all) {
    ++summary.programs;
    summary.refused += prepared.is_refused ? 1 : 0;
    if (prepared.program) {
      if (const Status status = launch(context, prepared, prepared.problem); !status) {
        prepared.problem = "launch: " + status.error().message;
      }
    }
    if (prepared.problem.empty()) continue;
    summary.problems.push_back(fmt::format("seed {}: {}", prepared.seed, prepared.problem));
    std::printf("%s\n", summary.problems.back().c_str());
    std::fflush(stdout);
    // After a fault no launch on this device succeeds.
    if (prepared.problem.starts_with("launch: ")) break;
  }
  return summary;
}

}  // namespace anybit::bench
