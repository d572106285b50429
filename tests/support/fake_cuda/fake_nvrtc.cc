#include <algorithm>
#include <cstring>

#include "tests/support/fake_cuda/fake_cuda.h"

using anybit::testing::FakeCuda;
using anybit::vm::cuda::NvrtcProgramHandle;

namespace anybit::vm::cuda {

struct OpaqueNvrtcProgram {
  bool is_for_ptx = false;
  bool is_compiled = false;
};

}  // namespace anybit::vm::cuda

namespace {

FakeCuda& state() { return *anybit_fake_cuda(); }

int enter(const char* name) {
  state().calls.emplace_back(name);
  const auto failure = state().failures.find(name);
  return failure == state().failures.end() ? 0 : failure->second;
}

int give(const std::string& text, size_t* size) {
  *size = text.size() + 1;
  return 0;
}

int give(const std::string& text, char* bytes) {
  std::memcpy(bytes, text.c_str(), text.size() + 1);
  return 0;
}

const std::string kCubin = "fake:k,";

}  // namespace

extern "C" {

const char* nvrtcGetErrorString(int error) {
  return error == 6 ? "NVRTC_ERROR_COMPILATION" : "NVRTC_ERROR_OF_THE_FAKE";
}
int nvrtcVersion(int* major, int* minor) {
  *major = 13;
  *minor = 7;
  return enter("nvrtcVersion");
}
int nvrtcGetNumSupportedArchs(int* count) {
  *count = static_cast<int>(state().nvrtc_architectures.size());
  return enter("nvrtcGetNumSupportedArchs");
}
int nvrtcGetSupportedArchs(int* numbers) {
  std::copy(state().nvrtc_architectures.begin(), state().nvrtc_architectures.end(), numbers);
  return enter("nvrtcGetSupportedArchs");
}
int nvrtcCreateProgram(NvrtcProgramHandle* program, const char*, const char*, int num_headers,
                       const char* const* texts, const char* const* names) {
  if (const int result = enter("nvrtcCreateProgram")) return result;
  state().nvrtc_headers.clear();
  for (int i = 0; i < num_headers; ++i) {
    state().nvrtc_headers.insert(state().nvrtc_headers.end(), {names[i], texts[i]});
  }
  *program = new anybit::vm::cuda::OpaqueNvrtcProgram();
  ++state().live["program"];
  return 0;
}
int nvrtcDestroyProgram(NvrtcProgramHandle* program) {
  delete *program;
  *program = nullptr;
  --state().live["program"];
  return enter("nvrtcDestroyProgram");
}
int nvrtcCompileProgram(NvrtcProgramHandle program, int num_options, const char* const* options) {
  state().nvrtc_options.assign(options, options + num_options);
  program->is_for_ptx = num_options > 0 && std::strstr(options[0], "compute_") != nullptr;
  if (const int result = enter("nvrtcCompileProgram")) return result;
  return program->is_for_ptx ? 0 : state().nvrtc_compile_result;
}
int nvrtcGetProgramLogSize(NvrtcProgramHandle, size_t* size) {
  if (const int result = enter("nvrtcGetProgramLogSize")) return result;
  return give(state().nvrtc_log, size);
}
int nvrtcGetProgramLog(NvrtcProgramHandle, char* log) {
  if (const int result = enter("nvrtcGetProgramLog")) return result;
  return give(state().nvrtc_log, log);
}
int nvrtcGetCUBINSize(NvrtcProgramHandle, size_t* size) {
  if (const int result = enter("nvrtcGetCUBINSize")) return result;
  *size = kCubin.size();
  return 0;
}
int nvrtcGetCUBIN(NvrtcProgramHandle, char* cubin) {
  if (const int result = enter("nvrtcGetCUBIN")) return result;
  std::memcpy(cubin, kCubin.data(), kCubin.size());
  return 0;
}
int nvrtcGetPTXSize(NvrtcProgramHandle, size_t* size) {
  if (const int result = enter("nvrtcGetPTXSize")) return result;
  return give(state().nvrtc_ptx, size);
}
int nvrtcGetPTX(NvrtcProgramHandle, char* ptx) {
  if (const int result = enter("nvrtcGetPTX")) return result;
  return give(state().nvrtc_ptx, ptx);
}

}  // extern "C"
