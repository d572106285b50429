#include "anybit/vm/backend/cuda/runtime/module.h"

#include <utility>

namespace anybit::vm::cuda {
namespace {

constexpr int kMaxDynamicSharedAttribute = 8;  // CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES
constexpr int kJitErrorLog = 5;                // CU_JIT_ERROR_LOG_BUFFER
constexpr int kJitErrorLogBytes = 6;           // CU_JIT_ERROR_LOG_BUFFER_SIZE_BYTES
constexpr int kClusterAttribute = 4;           // CU_LAUNCH_ATTRIBUTE_CLUSTER_DIMENSION
constexpr int kSerializationAttribute = 6;     // CU_LAUNCH_ATTRIBUTE_PROGRAMMATIC_STREAM_...

struct AttributeRow {
  int attribute;  // CUfunction_attribute
  void (*set)(KernelAttributes&, int);
};

constexpr AttributeRow kAttributes[] = {
    {0, [](KernelAttributes& a, int v) { a.max_threads_per_cta = v; }},
    {1, [](KernelAttributes& a, int v) { a.shared_bytes = v; }},
    {2, [](KernelAttributes& a, int v) { a.constant_bytes = v; }},
    {3, [](KernelAttributes& a, int v) { a.local_bytes = v; }},
    {4, [](KernelAttributes& a, int v) { a.registers = v; }},
    {6, [](KernelAttributes& a, int v) { a.binary_version = v; }},
};

std::string dim_text(const Dim3& dim) { return fmt::format("{}x{}x{}", dim.x, dim.y, dim.z); }

/// The sizes of the parameters, until the driver knows no further one.
std::vector<int64_t> read_parameters(const DriverApi& api, FunctionHandle function) {
  std::vector<int64_t> sizes;
  if (api.func_get_param_info == nullptr) return sizes;
  size_t offset = 0;
  size_t size = 0;
  while (sizes.size() <= KernelArguments::kMaxArguments &&
         api.func_get_param_info(function, sizes.size(), &offset, &size) == 0) {
    sizes.push_back(static_cast<int64_t>(size));
  }
  return sizes;
}

}  // namespace

struct Module::State {
  explicit State(const Device& on) : device(on) {}
  State(const State&) = delete;
  State& operator=(const State&) = delete;
  ~State() {
    if (handle != nullptr && device.make_current()) device.api().module_unload(handle);
  }

  Device device;
  ModuleHandle handle = nullptr;
};

struct Kernel::State {
  std::shared_ptr<const Module::State> module;
  std::string name;
  FunctionHandle function = nullptr;
  KernelAttributes attributes;
  std::vector<int64_t> parameter_bytes;
  bool knows_parameters = false;
  int64_t max_dynamic_shared_bytes = 0;
};

Result<Module> Module::load(const Device& device, std::span<const std::byte> cubin) {
  if (cubin.empty()) return fail(ErrorCode::kCorruptData, "loading a module: the cubin is empty");
  ANYBIT_TRY(device.make_current());
  auto state = std::make_shared<State>(device);
  // The driver takes no size: the bytes end where their ELF header says, or at the NUL of PTX text.
  std::vector<std::byte> image(cubin.begin(), cubin.end());
  image.push_back(std::byte{0});
  std::array<char, 4096> log{};
  int options[] = {kJitErrorLog, kJitErrorLogBytes};
  void* values[] = {log.data(), reinterpret_cast<void*>(log.size() - 1)};
  const DriverResult result =
      device.api().module_load_data(&state->handle, image.data(), 2, options, values);
  if (result != 0) {
    state->handle = nullptr;
    Error error = driver_error(
        device.api(), result,
        fmt::format("loading a module of {} bytes on {}", cubin.size(), device.properties().name));
    if (log[0] != '\0') error.message += fmt::format("\n{}", log.data());
    return tl::make_unexpected(std::move(error));
  }
  return Module(std::move(state));
}

Result<Kernel> Module::kernel(const std::string& name) const {
  const Device& device = state_->device;
  const DriverApi& api = device.api();
  ANYBIT_TRY(device.make_current());
  auto kernel = std::make_shared<Kernel::State>();
  kernel->module = state_;
  kernel->name = name;
  ANYBIT_TRY(check_driver(api,
                          api.module_get_function(&kernel->function, state_->handle, name.c_str()),
                          fmt::format("finding the kernel '{}'", name)));
  for (const AttributeRow& row : kAttributes) {
    int value = 0;
    ANYBIT_TRY(check_driver(api, api.func_get_attribute(&value, row.attribute, kernel->function),
                            fmt::format("reading an attribute of the kernel '{}'", name)));
    row.set(kernel->attributes, value);
  }
  kernel->knows_parameters = api.func_get_param_info != nullptr;
  kernel->parameter_bytes = read_parameters(api, kernel->function);
  kernel->max_dynamic_shared_bytes =
      device.properties().shared_bytes_per_cta - kernel->attributes.shared_bytes;
  return Kernel(std::move(kernel));
}

const std::string& Kernel::name() const { return state_->name; }

const KernelAttributes& Kernel::attributes() const { return state_->attributes; }

const Device& Kernel::device() const { return state_->module->device; }

std::span<const int64_t> Kernel::parameter_bytes() const { return state_->parameter_bytes; }

Status Kernel::set_dynamic_shared_bytes(int64_t size_bytes) {
  const DeviceProperties& properties = device().properties();
  if (size_bytes < 0) {
    return fail(ErrorCode::kInvalidArgument, "kernel '{}': {} bytes of shared memory", name(),
                size_bytes);
  }
  const int64_t limit = properties.shared_bytes_per_cta_optin - attributes().shared_bytes;
  if (size_bytes > limit) {
    return fail(ErrorCode::kUnsupported,
                "kernel '{}': {} bytes of dynamic shared memory; {} allows {} beside the static {}",
                name(), size_bytes, properties.name, limit, attributes().shared_bytes);
  }
  ANYBIT_TRY(device().make_current());
  const DriverApi& api = device().api();
  ANYBIT_TRY(check_driver(
      api,
      api.func_set_attribute(state_->function, kMaxDynamicSharedAttribute,
                             static_cast<int>(size_bytes)),
      fmt::format("kernel '{}': asking for {} bytes of shared memory", name(), size_bytes)));
  state_->max_dynamic_shared_bytes = size_bytes;
  return {};
}

Result<int> Kernel::ctas_per_sm(int num_threads, int64_t dynamic_shared_bytes) const {
  ANYBIT_TRY(device().make_current());
  int ctas = 0;
  const DriverApi& api = device().api();
  ANYBIT_TRY(check_driver(api,
                          api.occupancy(&ctas, state_->function, num_threads,
                                        static_cast<size_t>(dynamic_shared_bytes)),
                          fmt::format("kernel '{}': asking how many CTAs an SM holds", name())));
  return ctas;
}

Status Kernel::check_launch(const LaunchShape& shape, const KernelArguments& arguments) const {
  const auto refuse = [&](const std::string& reason) {
    return fail(ErrorCode::kInvalidArgument, "launching '{}': {}", name(), reason);
  };
  if (shape.grid.count() == 0 || shape.cta.count() == 0 || shape.cluster.count() == 0) {
    return refuse(fmt::format("an extent of grid {}, cta {}, cluster {} is 0", dim_text(shape.grid),
                              dim_text(shape.cta), dim_text(shape.cluster)));
  }
  if (shape.cta.count() > static_cast<uint64_t>(attributes().max_threads_per_cta)) {
    return refuse(fmt::format("cta {}: expected at most {} threads", dim_text(shape.cta),
                              attributes().max_threads_per_cta));
  }
  if (shape.grid.x % shape.cluster.x != 0 || shape.grid.y % shape.cluster.y != 0 ||
      shape.grid.z % shape.cluster.z != 0) {
    return refuse(fmt::format("cluster {} does not divide grid {}", dim_text(shape.cluster),
                              dim_text(shape.grid)));
  }
  if (shape.cluster.count() > 1 && !device().properties().has_clusters) {
    return fail(ErrorCode::kUnsupported, "launching '{}': {} has no clusters", name(),
                device().properties().name);
  }
  if (shape.shared_bytes < 0 || shape.shared_bytes > state_->max_dynamic_shared_bytes) {
    return refuse(
        fmt::format("{} bytes of dynamic shared memory, {} were allowed "
                    "(set_dynamic_shared_bytes)",
                    shape.shared_bytes, state_->max_dynamic_shared_bytes));
  }
  if (!state_->knows_parameters) return {};
  const std::vector<int64_t>& expected = state_->parameter_bytes;
  if (arguments.size() != expected.size()) {
    return refuse(
        fmt::format("expected {} arguments, found {}", expected.size(), arguments.size()));
  }
  for (size_t i = 0; i < expected.size(); ++i) {
    if (static_cast<int64_t>(arguments.size_bytes(i)) != expected[i]) {
      return refuse(fmt::format("argument {}: expected {} bytes, found {}", i, expected[i],
                                arguments.size_bytes(i)));
    }
  }
  return {};
}

Status Kernel::launch(const Stream& stream, const LaunchShape& shape,
                      const KernelArguments& arguments) const {
  ANYBIT_TRY(check_launch(shape, arguments));
  ANYBIT_TRY(device().make_current());
  LaunchConfig config{{shape.grid.x, shape.grid.y, shape.grid.z},
                      {shape.cta.x, shape.cta.y, shape.cta.z},
                      static_cast<unsigned int>(shape.shared_bytes),
                      stream.handle()};
  LaunchAttribute attributes[2];
  if (shape.cluster.count() > 1) {
    attributes[config.num_attributes++] = {
        kClusterAttribute, 0, {shape.cluster.x, shape.cluster.y, shape.cluster.z}};
  }
  if (shape.overlaps_previous) {
    attributes[config.num_attributes++] = {kSerializationAttribute, 0, {1}};
  }
  if (config.num_attributes > 0) config.attributes = attributes;
  std::array<void*, KernelArguments::kMaxArguments> values{};
  for (size_t i = 0; i < arguments.size(); ++i) {
    values[i] = const_cast<std::byte*>(arguments.bytes(i));  // The driver only reads.
  }
  const DriverApi& api = device().api();
  const DriverResult result = api.launch_kernel(&config, state_->function, values.data(), nullptr);
  if (result == 0) return {};
  return tl::make_unexpected(driver_error(
      api, result,
      fmt::format("launching '{}' with grid {}, cta {}, cluster {}, {} bytes of shared memory",
                  name(), dim_text(shape.grid), dim_text(shape.cta), dim_text(shape.cluster),
                  shape.shared_bytes)));
}

}  // namespace anybit::vm::cuda
