#include <algorithm>
#include <cstdlib>
#include <cstring>

#include "tests/support/fake_cuda/fake_cuda.h"

using anybit::testing::FakeCuda;
using anybit::testing::FakeLaunch;
using namespace anybit::vm::cuda;  // NOLINT: the driver's types.

namespace anybit::vm::cuda {

struct OpaqueContext {};
struct OpaqueEvent {
  double time_us = 0;
};
struct OpaqueGraph {
  std::vector<FakeLaunch> launches;
};
struct OpaqueGraphExec {
  std::vector<FakeLaunch> launches;
};
struct OpaqueStream {
  bool is_capturing = false;
  std::vector<FakeLaunch> captured;
};
struct OpaqueFunction {
  std::string name;
};
struct OpaqueModule {
  std::vector<OpaqueFunction*> functions;
};

}  // namespace anybit::vm::cuda

namespace {

constexpr int kInvalidValue = 1;
constexpr int kOutOfMemory = 2;
constexpr int kNoDevice = 100;
constexpr int kInvalidContext = 201;
constexpr int kInvalidImage = 200;
constexpr int kNotFound = 500;

FakeCuda& state() {
  static FakeCuda fake;
  return fake;
}

OpaqueContext primary_context;
thread_local OpaqueContext* current = nullptr;
double clock_us = 0;
size_t num_replays = 0;

/// Records a call; the result it must return, 0 to go on.
int enter(const char* name, bool needs_context = true) {
  state().calls.emplace_back(name);
  const auto failure = state().failures.find(name);
  if (failure != state().failures.end()) return failure->second;
  return needs_context && current == nullptr ? kInvalidContext : 0;
}

#define ENTER(...)                             \
  if (const int result = enter(__VA_ARGS__)) { \
    return result;                             \
  }                                            \
  static_assert(true)

template <class Object>
int make(const char* kind, Object** out) {
  *out = new Object();
  ++state().live[kind];
  return 0;
}

template <class Object>
int destroy(const char* kind, Object* object) {
  delete object;
  --state().live[kind];
  return 0;
}

void run(const FakeLaunch& launch) {
  clock_us += state().us_per_launch;
  state().launches.push_back(launch);
  if (state().on_launch) state().on_launch(launch);
}

}  // namespace

extern "C" {

FakeCuda* anybit_fake_cuda() { return &state(); }

int cuGetErrorName(int error, const char** name) {
  if (error == 999) return kInvalidValue;
  *name = error == 700 ? "CUDA_ERROR_ILLEGAL_ADDRESS" : "CUDA_ERROR_OF_THE_FAKE";
  return 0;
}
int cuGetErrorString(int error, const char** text) {
  if (error == 999) return kInvalidValue;
  *text = "what the driver says";
  return 0;
}
int cuInit(unsigned int) {
  ENTER("cuInit", false);
  return state().num_devices == 0 ? kNoDevice : 0;
}
int cuDriverGetVersion(int* version) {
  ENTER("cuDriverGetVersion", false);
  *version = 13000;
  return 0;
}
int cuDeviceGetCount(int* count) {
  ENTER("cuDeviceGetCount", false);
  *count = state().num_devices;
  return state().num_devices == 0 ? kNoDevice : 0;
}
int cuDeviceGet(DeviceHandle* device, int ordinal) {
  ENTER("cuDeviceGet", false);
  *device = 40 + ordinal;
  return 0;
}
int cuDeviceGetName(char* name, int length, DeviceHandle) {
  ENTER("cuDeviceGetName", false);
  std::strncpy(name, "Fake GPU", static_cast<size_t>(length));
  return 0;
}
int cuDeviceGetAttribute(int* value, int attribute, DeviceHandle) {
  ENTER("cuDeviceGetAttribute", false);
  const std::map<int, int> values{{75, state().compute_major},
                                  {76, 0},
                                  {16, 132},
                                  {38, 50 << 20},
                                  {8, 48 << 10},
                                  {97, 227 << 10},
                                  {81, 228 << 10},
                                  {82, 65536},
                                  {1, 1024},
                                  {13, 1'980'000},
                                  {36, 2'619'000},
                                  {37, 5120},
                                  {120, state().compute_major >= 9}};
  const auto found = values.find(attribute);
  if (found == values.end()) return kInvalidValue;
  *value = found->second;
  return 0;
}
int cuDeviceTotalMem_v2(size_t* bytes, DeviceHandle) {
  ENTER("cuDeviceTotalMem_v2", false);
  *bytes = state().memory_bytes;
  return 0;
}
int cuDevicePrimaryCtxRetain(ContextHandle* context, DeviceHandle) {
  ENTER("cuDevicePrimaryCtxRetain", false);
  *context = &primary_context;
  ++state().live["context"];
  return 0;
}
int cuDevicePrimaryCtxRelease_v2(DeviceHandle) {
  ENTER("cuDevicePrimaryCtxRelease_v2", false);
  --state().live["context"];
  return 0;
}
int cuCtxSetCurrent(ContextHandle context) {
  ENTER("cuCtxSetCurrent", false);
  current = context;
  return 0;
}
int cuCtxSynchronize() {
  ENTER("cuCtxSynchronize");
  return 0;
}
int cuMemGetInfo_v2(size_t* free, size_t* total) {
  ENTER("cuMemGetInfo_v2");
  *free = state().memory_bytes / 2;
  *total = state().memory_bytes;
  return 0;
}
int cuMemAlloc_v2(DevicePointer* address, size_t bytes) {
  ENTER("cuMemAlloc_v2");
  if (bytes > state().memory_bytes) return kOutOfMemory;
  *address = reinterpret_cast<DevicePointer>(std::aligned_alloc(256, (bytes + 255) / 256 * 256));
  ++state().live["memory"];
  return 0;
}
int cuMemFree_v2(DevicePointer address) {
  ENTER("cuMemFree_v2");
  std::free(reinterpret_cast<void*>(address));
  --state().live["memory"];
  return 0;
}
int cuMemcpyHtoD_v2(DevicePointer to, const void* from, size_t bytes) {
  ENTER("cuMemcpyHtoD_v2");
  std::memcpy(reinterpret_cast<void*>(to), from, bytes);
  return 0;
}
int cuMemcpyDtoH_v2(void* to, DevicePointer from, size_t bytes) {
  ENTER("cuMemcpyDtoH_v2");
  std::memcpy(to, reinterpret_cast<void*>(from), bytes);
  return 0;
}
int cuMemcpyDtoD_v2(DevicePointer to, DevicePointer from, size_t bytes) {
  ENTER("cuMemcpyDtoD_v2");
  std::memmove(reinterpret_cast<void*>(to), reinterpret_cast<void*>(from), bytes);
  return 0;
}
int cuMemsetD8_v2(DevicePointer to, unsigned char value, size_t bytes) {
  ENTER("cuMemsetD8_v2");
  std::memset(reinterpret_cast<void*>(to), value, bytes);
  return 0;
}
int cuStreamCreate(StreamHandle* stream, unsigned int flags) {
  ENTER("cuStreamCreate");
  if (flags != 1) return kInvalidValue;
  return make("stream", stream);
}
int cuStreamDestroy_v2(StreamHandle stream) {
  ENTER("cuStreamDestroy_v2");
  return destroy("stream", stream);
}
int cuStreamSynchronize(StreamHandle stream) {
  ENTER("cuStreamSynchronize");
  return stream->is_capturing ? 900 : 0;
}
int cuStreamBeginCapture_v2(StreamHandle stream, int) {
  ENTER("cuStreamBeginCapture_v2");
  if (stream->is_capturing) return kInvalidValue;
  stream->is_capturing = true;
  return 0;
}
int cuStreamEndCapture(StreamHandle stream, GraphHandle* graph) {
  const bool was_capturing = std::exchange(stream->is_capturing, false);
  const std::vector<FakeLaunch> captured = std::exchange(stream->captured, {});
  ENTER("cuStreamEndCapture");
  if (!was_capturing) return kInvalidValue;
  if (state().loses_graphs) return 0;
  make("graph", graph);
  (*graph)->launches = captured;
  return 0;
}
int cuEventCreate(EventHandle* event, unsigned int) {
  ENTER("cuEventCreate");
  return make("event", event);
}
int cuEventDestroy_v2(EventHandle event) {
  ENTER("cuEventDestroy_v2");
  return destroy("event", event);
}
int cuEventRecord(EventHandle event, StreamHandle) {
  ENTER("cuEventRecord");
  event->time_us = clock_us;
  return 0;
}
int cuEventSynchronize(EventHandle) {
  ENTER("cuEventSynchronize");
  return 0;
}
int cuEventElapsedTime(float* milliseconds, EventHandle start, EventHandle end) {
  ENTER("cuEventElapsedTime");
  *milliseconds = static_cast<float>((end->time_us - start->time_us) / 1000);
  return 0;
}
int cuGraphInstantiateWithFlags(GraphExecHandle* executable, GraphHandle graph,
                                unsigned long long) {
  ENTER("cuGraphInstantiateWithFlags");
  make("graph_exec", executable);
  (*executable)->launches = graph->launches;
  return 0;
}
int cuGraphLaunch(GraphExecHandle executable, StreamHandle) {
  ENTER("cuGraphLaunch");
  for (const FakeLaunch& launch : executable->launches) run(launch);
  const std::vector<double>& extra = state().replay_extra_us;
  if (!extra.empty()) clock_us += extra[num_replays++ % extra.size()];
  return 0;
}
int cuGraphExecDestroy(GraphExecHandle executable) {
  ENTER("cuGraphExecDestroy");
  return destroy("graph_exec", executable);
}
int cuGraphDestroy(GraphHandle graph) {
  ENTER("cuGraphDestroy");
  return destroy("graph", graph);
}
// An image is "fake:" and the names of its kernels, each followed by a comma.
int cuModuleLoadDataEx(ModuleHandle* module, const void* image, unsigned int num_options,
                       int* options, void** values) {
  ENTER("cuModuleLoadDataEx");
  const std::string text(static_cast<const char*>(image));
  if (!text.starts_with("fake:")) {
    for (unsigned int i = 0; i < num_options; ++i) {
      if (options[i] == 5) std::strcpy(static_cast<char*>(values[i]), "the log of the loader");
    }
    return kInvalidImage;
  }
  make("module", module);
  size_t begin = 5;
  for (size_t end; (end = text.find(',', begin)) != std::string::npos; begin = end + 1) {
    (*module)->functions.push_back(new OpaqueFunction{text.substr(begin, end - begin)});
  }
  return 0;
}
int cuModuleUnload(ModuleHandle module) {
  ENTER("cuModuleUnload");
  for (OpaqueFunction* function : module->functions) delete function;
  return destroy("module", module);
}
int cuModuleGetFunction(FunctionHandle* function, ModuleHandle module, const char* name) {
  ENTER("cuModuleGetFunction");
  for (OpaqueFunction* candidate : module->functions) {
    if (candidate->name == name) {
      *function = candidate;
      return 0;
    }
  }
  return kNotFound;
}
int cuFuncGetAttribute(int* value, int attribute, FunctionHandle) {
  ENTER("cuFuncGetAttribute");
  const auto found = state().function_attributes.find(attribute);
  *value = found != state().function_attributes.end() ? found->second : attribute == 0 ? 1024 : 0;
  return 0;
}
int cuFuncSetAttribute(FunctionHandle, int attribute, int value) {
  ENTER("cuFuncSetAttribute");
  state().function_attributes[attribute] = value;
  return 0;
}
#ifndef ANYBIT_FAKE_CUDA_12_0
int cuFuncGetParamInfo(FunctionHandle, size_t index, size_t* offset, size_t* size) {
  ENTER("cuFuncGetParamInfo");
  if (index >= state().parameter_bytes.size()) return kInvalidValue;
  *offset = 0;
  *size = state().parameter_bytes[index];
  return 0;
}
#endif
int cuOccupancyMaxActiveBlocksPerMultiprocessor(int* ctas, FunctionHandle, int threads, size_t) {
  ENTER("cuOccupancyMaxActiveBlocksPerMultiprocessor");
  *ctas = 2048 / threads;
  return 0;
}
int cuLaunchKernelEx(const LaunchConfig* config, FunctionHandle function, void** arguments,
                     void**) {
  ENTER("cuLaunchKernelEx");
  FakeLaunch launch{function->name, *config};
  launch.attributes.assign(config->attributes, config->attributes + config->num_attributes);
  for (size_t i = 0; i < state().parameter_bytes.size(); ++i) {
    const auto* bytes = static_cast<const std::byte*>(arguments[i]);
    launch.arguments.emplace_back(bytes, bytes + state().parameter_bytes[i]);
  }
  if (config->stream->is_capturing) {
    config->stream->captured.push_back(launch);
  } else {
    run(launch);
  }
  return 0;
}
int cuTensorMapEncodeTiled(void* map, int data_type, uint32_t rank, void* address,
                           const uint64_t* extents, const uint64_t* strides, const uint32_t* box,
                           const uint32_t* element_strides, int interleave, int swizzle,
                           int promotion, int fill) {
  ENTER("cuTensorMapEncodeTiled");
  if (reinterpret_cast<uintptr_t>(map) % 64 != 0 || rank != 2) return kInvalidValue;
  std::memset(map, 0xab, 128);
  state().tensor_map = {data_type,
                        static_cast<int64_t>(reinterpret_cast<uintptr_t>(address)),
                        static_cast<int64_t>(extents[0]),
                        static_cast<int64_t>(extents[1]),
                        static_cast<int64_t>(strides[0]),
                        box[0],
                        box[1],
                        element_strides[0],
                        element_strides[1],
                        interleave,
                        swizzle,
                        promotion,
                        fill};
  return 0;
}

}  // extern "C"
