#include "anybit/vm/backend/cuda/program.h"

#include <algorithm>
#include <cstdlib>
#include <map>

#include "anybit/vm/backend/cuda/device_source.h"
#include "anybit/vm/backend/cuda/runtime/tensor_map.h"
#include "anybit/vm/pass/pipeline.h"

namespace anybit::vm::cuda {
namespace {

Result<TensorMap> make_tensor_map(const Device& device, const TensorMapParameter& parameter,
                                  const std::function<ScalarValue(VariableId)>& lookup) {
  ANYBIT_ASSIGN(TensorMapValues values, evaluate_tensor_map(parameter, lookup));
  TensorBoxOptions options;
  options.address = static_cast<DevicePointer>(values.address);
  options.element_bytes = parameter.element_bits / 8;
  options.extents = std::move(values.extents);
  options.stride_bytes = std::move(values.stride_bytes);
  options.box = parameter.box;
  options.swizzle = parameter.span_bytes == 128  ? Swizzle::k128Bytes
                    : parameter.span_bytes == 64 ? Swizzle::k64Bytes
                    : parameter.span_bytes == 32 ? Swizzle::k32Bytes
                                                 : Swizzle::kNone;
  return encode_tensor_box_map(device, options);
}

}  // namespace

std::string compiler_input(const EmittedKernel& kernel) {
  return std::string(device_header_source()) + wgmma_source_for(kernel.source) + kernel.source;
}

int architecture_number(const std::string& arch) {
  const size_t digits = arch.find_first_of("0123456789");
  return digits == std::string::npos ? 0 : std::atoi(arch.c_str() + digits);
}

Result<Cubin> compile_kernel(const Compiler& compiler, const EmittedKernel& kernel,
                             const std::string& arch, const CubinCache* cache) {
  CompileOptions options;
  options.arch = arch;
  options.source_name = kernel.name + ".cu";
  const std::string source = compiler_input(kernel);
  if (cache == nullptr) return compiler.compile(source, options);
  ANYBIT_ASSIGN(CubinCache::Lookup found, cache->get_or_compile(compiler, source, options));
  return std::move(found.cubin);
}

Result<CudaProgram> CudaProgram::load(const Device& device, const Compiler& compiler,
                                      Program program, const CubinCache* cache) {
  const std::string name = program.name, arch = device.properties().architecture();
  Result<LoweredProgram> lowered =
      lower(std::move(program), {.architecture = architecture_number(arch), .wants_code = true});
  if (!lowered) return with_context(lowered.error(), name);
  Result<EmittedKernel> emitted = emit_cuda(*lowered, {.architecture = architecture_number(arch)});
  if (!emitted) return with_context(emitted.error(), name);
  ANYBIT_ASSIGN(Cubin cubin, compile_kernel(compiler, *emitted, arch, cache));
  ANYBIT_ASSIGN(Module module, Module::load(device, cubin.bytes));
  ANYBIT_ASSIGN(Kernel kernel, module.kernel(emitted->name));
  constexpr int64_t kDefaultSharedBytes = 48 * 1024;
  if (emitted->shared_bytes > kDefaultSharedBytes) {
    ANYBIT_TRY(kernel.set_dynamic_shared_bytes(emitted->shared_bytes));
  }
  return CudaProgram(std::move(*emitted), lowered->program.parameters, std::move(cubin),
                     std::move(module), std::move(kernel));
}

Result<CudaProgram::Launch> CudaProgram::prepare(std::span<const CudaArgument> arguments) const {
  if (arguments.size() != emitted_.parameters.size()) {
    return fail(ErrorCode::kInvalidArgument, "{}: {} arguments, expected {}", emitted_.name,
                arguments.size(), emitted_.parameters.size());
  }
  Launch launch;
  std::map<VariableId, ScalarValue> values;
  for (size_t i = 0; i < arguments.size(); ++i) {
    const CudaArgument& argument = arguments[i];
    if (argument.type != emitted_.parameters[i]) {
      return fail(ErrorCode::kInvalidArgument, "{}: argument {} is {}, expected {}", emitted_.name,
                  i, scalar_type_name(argument.type), scalar_type_name(emitted_.parameters[i]));
    }
    switch (argument.type) {
      case ScalarType::kPointer:
        if (argument.integer == 0 || argument.integer % 16 != 0) {
          return fail(ErrorCode::kInvalidArgument,
                      "{}: argument {} is the address {:#x}, expected a multiple of 16",
                      emitted_.name, i, static_cast<uint64_t>(argument.integer));
        }
        launch.arguments.add(static_cast<uint64_t>(argument.integer));
        break;
      case ScalarType::kI32: launch.arguments.add(static_cast<int32_t>(argument.integer)); break;
      case ScalarType::kI64: launch.arguments.add(argument.integer); break;
      case ScalarType::kF32: launch.arguments.add(argument.real); break;
      case ScalarType::kBool: launch.arguments.add(argument.integer != 0); break;
    }
    values[parameters_[i]] = {argument.type, argument.integer, argument.real, nullptr};
  }
  const auto lookup = [&](VariableId id) { return values[id]; };
  for (const TensorMapParameter& parameter : emitted_.tensor_maps) {
    const Result<TensorMap> map = make_tensor_map(kernel_.device(), parameter, lookup);
    if (!map) return with_context(map.error(), emitted_.name);
    launch.arguments.add(*map);
  }
  uint32_t* const extents[] = {&launch.shape.grid.x, &launch.shape.grid.y, &launch.shape.grid.z};
  for (size_t d = 0; d < emitted_.grid.size(); ++d) {
    ANYBIT_ASSIGN(const ScalarValue extent, evaluate(emitted_.grid[d], lookup));
    if (extent.integer <= 0 || extent.integer > INT32_MAX) {
      return fail(ErrorCode::kInvalidArgument, "{}: grid extent {} is {}, expected a positive one",
                  emitted_.name, d, extent.integer);
    }
    if (extent.integer % emitted_.cluster[d] != 0) {
      return fail(ErrorCode::kInvalidArgument,
                  "{}: grid extent {} is {}, expected a multiple of the cluster's {}",
                  emitted_.name, d, extent.integer, emitted_.cluster[d]);
    }
    *extents[d] = static_cast<uint32_t>(extent.integer);
  }
  launch.shape.cta.x = static_cast<uint32_t>(emitted_.threads_per_cta);
  launch.shape.shared_bytes = emitted_.shared_bytes;
  return launch;
}

Status CudaProgram::launch(const Stream& stream, std::span<const CudaArgument> arguments) const {
  ANYBIT_ASSIGN(const Launch prepared, prepare(arguments));
  return kernel_.launch(stream, prepared.shape, prepared.arguments);
}

}  // namespace anybit::vm::cuda
