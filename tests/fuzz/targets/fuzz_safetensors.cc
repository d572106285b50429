// One safetensors file: whatever opens has tensors whose bytes agree with their shapes.
#include "anybit/tensor/io/safetensors.h"

#include "tests/fuzz/fuzz_target.h"

ANYBIT_FUZZ_TARGET(fuzz_safetensors, bytes, size) {
  using namespace anybit;  // NOLINT(google-build-using-namespace): names of one function.
  const auto file = tensor::Safetensors::parse(fuzz::buffer_of(bytes, size), "input");
  if (!file) {
    ANYBIT_CHECK(file.error().message.starts_with("input"));
    return 0;
  }
  for (const auto& [name, tensor] : file->tensors()) {
    ANYBIT_CHECK(file->find(name) == &tensor);
    ANYBIT_CHECK(tensor.elements.size() ==
                 tensor.num_elements() * tensor::size_bytes(tensor.data_type));
    ANYBIT_CHECK(static_cast<int64_t>(to_floats(tensor).size()) == tensor.num_elements());
  }
  return 0;
}
