#include "anybit/vm/backend/cuda/runtime/device.h"

#include <algorithm>

namespace anybit::vm::cuda {
namespace {

constexpr DriverResult kErrorNotInitialized = 3;
constexpr DriverResult kErrorNoDevice = 100;

struct AttributeRow {
  int attribute;  // CUdevice_attribute
  const char* name;
  void (*set)(DeviceProperties&, int);
};

constexpr AttributeRow kAttributes[] = {
    {75, "compute capability", [](DeviceProperties& p, int v) { p.compute_major = v; }},
    {76, "compute capability", [](DeviceProperties& p, int v) { p.compute_minor = v; }},
    {16, "multiprocessors", [](DeviceProperties& p, int v) { p.num_sms = v; }},
    {38, "L2 size", [](DeviceProperties& p, int v) { p.l2_bytes = v; }},
    {8, "shared memory", [](DeviceProperties& p, int v) { p.shared_bytes_per_cta = v; }},
    {97, "opt-in shared memory",
     [](DeviceProperties& p, int v) { p.shared_bytes_per_cta_optin = v; }},
    {81, "shared memory of an SM", [](DeviceProperties& p, int v) { p.shared_bytes_per_sm = v; }},
    {82, "registers of an SM", [](DeviceProperties& p, int v) { p.registers_per_sm = v; }},
    {1, "threads of a CTA", [](DeviceProperties& p, int v) { p.max_threads_per_cta = v; }},
    {13, "clock", [](DeviceProperties& p, int v) { p.clock_khz = v; }},
    {36, "memory clock", [](DeviceProperties& p, int v) { p.memory_clock_khz = v; }},
    {37, "memory bus", [](DeviceProperties& p, int v) { p.memory_bus_bits = v; }},
    {120, "clusters", [](DeviceProperties& p, int v) { p.has_clusters = v != 0; }},
};

Result<DriverApi> load_and_initialize(const std::filesystem::path& driver) {
  ANYBIT_ASSIGN(DriverApi api, load_driver(driver));
  const DriverResult result = api.init(0);
  if (result != 0 && result != kErrorNoDevice) {
    return tl::make_unexpected(
        driver_error(api, result, fmt::format("initializing the CUDA driver {}", api.path)));
  }
  return api;
}

Result<int> device_count(const DriverApi& api) {
  int count = 0;
  const DriverResult result = api.device_get_count(&count);
  if (result == kErrorNoDevice || result == kErrorNotInitialized) return 0;  // No device to init.
  ANYBIT_TRY(check_driver(api, result, "counting the CUDA devices"));
  return count;
}

Result<DeviceHandle> device_handle(const DriverApi& api, int ordinal) {
  DeviceHandle handle = 0;
  ANYBIT_TRY(check_driver(api, api.device_get(&handle, ordinal),
                          fmt::format("finding CUDA device {}", ordinal)));
  return handle;
}

Result<DeviceProperties> read_properties(const DriverApi& api, int ordinal) {
  ANYBIT_ASSIGN(const DeviceHandle handle, device_handle(api, ordinal));
  DeviceProperties properties;
  properties.ordinal = ordinal;
  const auto operation = [&](const char* what) {
    return fmt::format("reading the {} of CUDA device {}", what, ordinal);
  };
  char name[256] = {};
  ANYBIT_TRY(
      check_driver(api, api.device_get_name(name, sizeof(name) - 1, handle), operation("name")));
  properties.name = name;
  size_t bytes = 0;
  ANYBIT_TRY(check_driver(api, api.device_total_mem(&bytes, handle), operation("memory size")));
  properties.memory_bytes = static_cast<int64_t>(bytes);
  for (const AttributeRow& row : kAttributes) {
    int value = 0;
    ANYBIT_TRY(check_driver(api, api.device_get_attribute(&value, row.attribute, handle),
                            operation(row.name)));
    row.set(properties, value);
  }
  return properties;
}

}  // namespace

std::string DeviceProperties::architecture() const {
  constexpr int kFirstWithAccelerated = 9;  // "a": instructions of this architecture alone.
  return fmt::format("sm_{}{}{}", compute_major, compute_minor,
                     compute_major >= kFirstWithAccelerated ? "a" : "");
}

struct Device::State {
  DriverApi api;
  DeviceProperties properties;
  int driver_version = 0;
  DeviceHandle handle = 0;
  ContextHandle context = nullptr;

  State() = default;
  State(const State&) = delete;
  State& operator=(const State&) = delete;
  ~State() {
    if (context != nullptr) api.primary_ctx_release(handle);
  }
};

Result<int> Device::count(const std::filesystem::path& driver) {
  ANYBIT_ASSIGN(const DriverApi api, load_and_initialize(driver));
  return device_count(api);
}

Result<std::vector<DeviceProperties>> Device::enumerate(const std::filesystem::path& driver) {
  ANYBIT_ASSIGN(const DriverApi api, load_and_initialize(driver));
  ANYBIT_ASSIGN(const int count, device_count(api));
  std::vector<DeviceProperties> all;
  for (int ordinal = 0; ordinal < count; ++ordinal) {
    ANYBIT_ASSIGN(DeviceProperties properties, read_properties(api, ordinal));
    all.push_back(std::move(properties));
  }
  return all;
}

Result<Device> Device::open(int ordinal, const std::filesystem::path& driver) {
  auto state = std::make_shared<State>();
  ANYBIT_ASSIGN(state->api, load_and_initialize(driver));
  const DriverApi& api = state->api;
  ANYBIT_ASSIGN(const int count, device_count(api));
  if (ordinal < 0 || ordinal >= count) {
    return fail(ErrorCode::kNotFound, "no CUDA device {}: {} has {}", ordinal, api.path, count);
  }
  ANYBIT_ASSIGN(state->properties, read_properties(api, ordinal));
  ANYBIT_ASSIGN(state->handle, device_handle(api, ordinal));
  ANYBIT_TRY(check_driver(api, api.driver_get_version(&state->driver_version),
                          "reading the driver's version"));
  ANYBIT_TRY(check_driver(api, api.primary_ctx_retain(&state->context, state->handle),
                          fmt::format("opening CUDA device {}", ordinal)));
  Device device(std::move(state));
  ANYBIT_TRY(device.make_current());
  return device;
}

const DeviceProperties& Device::properties() const { return state_->properties; }

int Device::driver_version() const { return state_->driver_version; }

const DriverApi& Device::api() const { return state_->api; }

Status Device::make_current() const {
  return check_driver(api(), api().ctx_set_current(state_->context),
                      "making the device's context current");
}

Result<int64_t> Device::free_bytes() const {
  ANYBIT_TRY(make_current());
  size_t free = 0;
  size_t total = 0;
  ANYBIT_TRY(check_driver(api(), api().mem_get_info(&free, &total), "reading the free memory"));
  return static_cast<int64_t>(free);
}

Status Device::synchronize() const {
  ANYBIT_TRY(make_current());
  return check_driver(api(), api().ctx_synchronize(), "waiting for the device");
}

}  // namespace anybit::vm::cuda
