// How a test reaches the fake that the code under test has loaded, or will load.
#pragma once

#include <dlfcn.h>

#include "anybit/base/check.h"
#include "tests/support/fake_cuda/fake_cuda.h"

namespace anybit::testing {

inline FakeCuda& reset_fake_cuda(const char* path) {
  void* library = ::dlopen(path, RTLD_NOW | RTLD_LOCAL);
  ANYBIT_CHECK(library != nullptr);
  const auto state =
      reinterpret_cast<decltype(&anybit_fake_cuda)>(::dlsym(library, "anybit_fake_cuda"));
  ANYBIT_CHECK(state != nullptr);
  *state() = FakeCuda();
  return *state();
}

}  // namespace anybit::testing
