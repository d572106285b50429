// One npy file: whatever opens has elements that agree with its shape.
#include "anybit/tensor/io/npy.h"

#include "tests/fuzz/fuzz_target.h"

ANYBIT_FUZZ_TARGET(fuzz_npy, bytes, size) {
  using namespace anybit;  // NOLINT(google-build-using-namespace): names of one function.
  const auto tensor = tensor::parse_npy(fuzz::buffer_of(bytes, size), "input");
  if (!tensor) {
    ANYBIT_CHECK(tensor.error().message.starts_with("input"));
    return 0;
  }
  ANYBIT_CHECK(tensor->elements.size() ==
               tensor->num_elements() * tensor::size_bytes(tensor->data_type));
  ANYBIT_CHECK(static_cast<int64_t>(to_floats(*tensor).size()) == tensor->num_elements());
  return 0;
}
