#include "anybit/vm/backend/run.h"

#include <array>
#include <map>

#include "anybit/vm/backend/cuda/device/device_types.h"
#include "anybit/vm/backend/cuda/emit/emit.h"
#include "anybit/vm/backend/cuda/program.h"
#include "anybit/vm/backend/cuda/runtime/device_buffer.h"
#include "anybit/vm/pass/pipeline.h"

namespace anybit::vm {
namespace {

constexpr std::array<BackendInfo, 3> kBackends = {{
    {Backend::kReference, "reference", "interprets the program thread by thread, with every check"},
    {Backend::kEmulated, "emulated", "compiles the CUDA text for this machine's CPU and runs it"},
    {Backend::kCuda, "cuda", "compiles the CUDA text with NVRTC and runs it on GPU 0"},
}};

bool is_memory(const LaunchArgument& argument) { return argument.value.index() == 1; }

Status check_arguments(const Program& program, std::span<const LaunchArgument> arguments) {
  if (arguments.size() != program.parameters.size()) {
    return fail(ErrorCode::kInvalidArgument, "{}: {} arguments, expected {}", program.name,
                arguments.size(), program.parameters.size());
  }
  for (size_t i = 0; i < arguments.size(); ++i) {
    const Variable& parameter = program.variables[program.parameters[i]];
    const ScalarType found = is_memory(arguments[i])
                                 ? ScalarType::kPointer
                                 : std::get<ScalarValue>(arguments[i].value).type;
    if (found != parameter.type) {
      return fail(ErrorCode::kInvalidArgument, "{}: argument {} is {}, expected {}", program.name,
                  parameter.name, scalar_type_name(found), scalar_type_name(parameter.type));
    }
  }
  return {};
}

/// The values of parameters; pointers as addresses.
std::map<VariableId, ScalarValue> parameter_values(const Program& program,
                                                   std::span<const LaunchArgument> arguments) {
  std::map<VariableId, ScalarValue> values;
  for (size_t i = 0; i < arguments.size(); ++i) {
    ScalarValue& value = values[program.parameters[i]];
    if (is_memory(arguments[i])) {
      const auto& memory = std::get<std::span<std::byte>>(arguments[i].value);
      value = {ScalarType::kPointer,
               static_cast<int64_t>(reinterpret_cast<intptr_t>(memory.data())), 0, memory.data()};
    } else {
      value = std::get<ScalarValue>(arguments[i].value);
    }
  }
  return values;
}

/// The tensor maps that the kernel takes after its parameters.
Result<std::vector<ab::TensorMap>> emulated_tensor_maps(
    const cuda::EmittedKernel& emitted, const std::map<VariableId, ScalarValue>& values) {
  std::vector<ab::TensorMap> maps;
  for (const cuda::TensorMapParameter& parameter : emitted.tensor_maps) {
    ANYBIT_ASSIGN(
        cuda::TensorMapValues tensor,
        cuda::evaluate_tensor_map(parameter, [&](VariableId id) { return values.at(id); }));
    EmulatedTensorMap map;
    map.pointer = reinterpret_cast<const void*>(static_cast<intptr_t>(tensor.address));
    map.extents = std::move(tensor.extents);
    map.stride_bytes = std::move(tensor.stride_bytes);
    map.box = parameter.box;
    map.element_bytes = parameter.element_bits / 8;
    map.swizzle_bytes = parameter.span_bytes;
    ANYBIT_ASSIGN(maps.emplace_back(), encode_emulated_tensor_map(map));
  }
  return maps;
}

/// Extents of the grid for these arguments.
Result<std::array<int, 3>> grid_of(const Program& program,
                                   std::span<const LaunchArgument> arguments) {
  std::array<int, 3> grid = {1, 1, 1};
  const std::map<VariableId, ScalarValue> values = parameter_values(program, arguments);
  for (size_t d = 0; d < program.grid.size(); ++d) {
    ANYBIT_ASSIGN(const ScalarValue extent,
                  evaluate(program.grid[d], [&](VariableId id) { return values.at(id); }));
    if (extent.integer <= 0 || extent.integer > INT32_MAX) {
      return fail(ErrorCode::kInvalidArgument, "{}: grid extent {} is {}, expected a positive one",
                  program.name, d, extent.integer);
    }
    grid[d] = static_cast<int>(extent.integer);
  }
  return grid;
}

Status run_emulated_program(const LoweredProgram& lowered,
                            std::span<const LaunchArgument> arguments, const RunOptions& options) {
  ANYBIT_ASSIGN(const cuda::EmittedKernel emitted,
                cuda::emit_cuda(lowered, {.architecture = options.architecture}));
  const Program& program = lowered.program;
  ANYBIT_ASSIGN(const EmulatedKernel kernel,
                compile_emulated(emitted.source, {.kernel_name = emitted.name}));
  std::string printed;
  const Status status = launch_emulated(kernel, emitted, program, arguments, &printed);
  for (size_t first = 0; options.print && first < printed.size();) {
    const size_t end = std::min(printed.find('\n', first), printed.size());
    options.print(std::string_view(printed).substr(first, end - first));
    first = end + 1;
  }
  return status;
}

Status run_cuda_program(const Program& program, std::span<const LaunchArgument> arguments) {
  ANYBIT_ASSIGN(const cuda::Device device, cuda::Device::open());
  ANYBIT_ASSIGN(const cuda::Compiler compiler, cuda::Compiler::load());
  ANYBIT_ASSIGN(const cuda::CubinCache cache, cuda::CubinCache::open_default());
  ANYBIT_ASSIGN(const cuda::Stream stream, cuda::Stream::create(device));
  ANYBIT_ASSIGN(const cuda::CudaProgram loaded,
                cuda::CudaProgram::load(device, compiler, program, &cache));
  std::vector<cuda::DeviceBuffer> buffers;
  std::vector<cuda::CudaArgument> values;
  for (const LaunchArgument& argument : arguments) {
    if (is_memory(argument)) {
      const auto& memory = std::get<std::span<std::byte>>(argument.value);
      ANYBIT_ASSIGN(cuda::DeviceBuffer buffer, cuda::DeviceBuffer::copy_of(device, memory));
      values.push_back(cuda::CudaArgument::pointer(buffer.address()));
      buffers.push_back(std::move(buffer));
    } else {
      const auto& scalar = std::get<ScalarValue>(argument.value);
      values.push_back({scalar.type, scalar.integer, scalar.real});
    }
  }
  ANYBIT_TRY(loaded.launch(stream, values));
  ANYBIT_TRY(stream.synchronize());
  size_t next = 0;
  for (const LaunchArgument& argument : arguments) {
    if (!is_memory(argument)) continue;
    ANYBIT_TRY(buffers[next++].read(std::get<std::span<std::byte>>(argument.value)));
  }
  return {};
}

}  // namespace

std::span<const BackendInfo> backends() { return kBackends; }

std::optional<Backend> find_backend(std::string_view name) {
  for (const BackendInfo& info : kBackends) {
    if (info.name == name) return info.backend;
  }
  return std::nullopt;
}

Status run_program(Backend backend, const Program& program,
                   std::span<const LaunchArgument> arguments, const RunOptions& options) {
  ANYBIT_TRY(check_arguments(program, arguments));
  ANYBIT_TRY(grid_of(program, arguments));
  if (backend == Backend::kCuda) return run_cuda_program(program, arguments);
  const bool is_emulated = backend == Backend::kEmulated;
  ANYBIT_ASSIGN(const LoweredProgram lowered,
                lower(program, {.architecture = options.architecture, .wants_code = is_emulated}));
  if (is_emulated) return run_emulated_program(lowered, arguments, options);
  ReferenceOptions reference;
  reference.print = options.print;
  return run_reference(lowered.program, arguments, reference);
}

Status launch_emulated(const EmulatedKernel& kernel, const cuda::EmittedKernel& emitted,
                       const Program& program, std::span<const LaunchArgument> arguments,
                       std::string* printed) {
  EmulatedLaunch launch;
  ANYBIT_ASSIGN(launch.grid, grid_of(program, arguments));
  launch.cluster = emitted.cluster;
  launch.block_threads = emitted.threads_per_cta;
  launch.shared_bytes = static_cast<int>(emitted.shared_bytes);
  launch.printed = printed;
  // Slots that hold the arguments; the kernel gets pointers to them.
  struct Slot {
    alignas(8) std::array<std::byte, 8> bytes{};
  };
  std::vector<Slot> slots(arguments.size());
  std::vector<void*> pointers;
  for (size_t i = 0; i < arguments.size(); ++i) {
    const auto put = [&](const auto& value) {
      std::memcpy(slots[i].bytes.data(), &value, sizeof value);
    };
    if (is_memory(arguments[i])) {
      const auto& memory = std::get<std::span<std::byte>>(arguments[i].value);
      launch.global_memory.push_back(memory);
      put(memory.data());
    } else {
      const auto& scalar = std::get<ScalarValue>(arguments[i].value);
      switch (scalar.type) {
        case ScalarType::kI32: put(static_cast<int32_t>(scalar.integer)); break;
        case ScalarType::kF32: put(scalar.real); break;
        case ScalarType::kBool: put(scalar.integer != 0); break;
        default: put(scalar.integer); break;
      }
    }
    pointers.push_back(slots[i].bytes.data());
  }
  ANYBIT_ASSIGN(std::vector<ab::TensorMap> maps,
                emulated_tensor_maps(emitted, parameter_values(program, arguments)));
  for (ab::TensorMap& map : maps) pointers.push_back(&map);
  return kernel.launch(launch, pointers.data());
}

}  // namespace anybit::vm
