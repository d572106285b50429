// How a fuzz target names its entry function, so that the same source serves libFuzzer (which wants
// one fixed name a program) and the replay test (which links all targets).
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "anybit/base/buffer.h"
#include "anybit/base/check.h"

namespace anybit::fuzz {

/// The input as a Buffer of its own memory, so that a sanitizer sees reads beyond its end.
inline Buffer buffer_of(const uint8_t* bytes, size_t size) {
  return Buffer::copy_of(std::as_bytes(std::span(bytes, size)));
}

}  // namespace anybit::fuzz

/// ANYBIT_FUZZ_TARGET(fuzz_gguf, bytes, size) { ...; return 0; }
/// The body may fail only by ANYBIT_CHECK, a sanitizer or a crash.
#ifdef ANYBIT_LIBFUZZER
#define ANYBIT_FUZZ_TARGET(name, bytes, size)                               \
  extern "C" int LLVMFuzzerTestOneInput(const uint8_t* bytes, size_t size); \
  extern "C" int LLVMFuzzerTestOneInput(const uint8_t* bytes, size_t size)
#else
#define ANYBIT_FUZZ_TARGET(name, bytes, size)  \
  namespace anybit::fuzz {                     \
  int name(const uint8_t* bytes, size_t size); \
  }                                            \
  int anybit::fuzz::name(const uint8_t* bytes, size_t size)
#endif
