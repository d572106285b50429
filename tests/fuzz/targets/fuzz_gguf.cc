// One GGUF file: whatever opens answers every getter, and every tensor decodes.
#include "anybit/tensor/io/gguf.h"

#include <vector>

#include "tests/fuzz/fuzz_target.h"

namespace {

using namespace anybit;  // NOLINT(google-build-using-namespace): names of one program.

void ask_everything(const tensor::GgufMetadata& metadata, const std::string& key) {
  const bool answers = metadata.get_int(key).has_value() || metadata.get_float(key).has_value() ||
                       metadata.get_bool(key).has_value() || metadata.get_string(key).has_value() ||
                       metadata.get_ints(key).has_value() || metadata.get_floats(key).has_value() ||
                       metadata.get_strings(key).has_value();
  const tensor::GgufValue* value = metadata.find(key);
  ANYBIT_CHECK(value != nullptr);
  const auto* array = std::get_if<tensor::GgufArray>(&value->value);
  // Only arrays of bools and of arrays have no getter of their own.
  ANYBIT_CHECK(answers ||
               (array != nullptr && (array->element_type == tensor::GgufValueType::kBool ||
                                     array->element_type == tensor::GgufValueType::kArray)));
}

void decode_first_row(const tensor::GgufTensor& tensor) {
  const auto size = tensor::ggml_size_bytes(tensor.type, tensor.shape);
  ANYBIT_CHECK(size.has_value() && *size == tensor.blocks.size());
  const auto matrix = tensor::as_matrix(tensor);
  if (!matrix || matrix->rows == 0 || matrix->cols == 0) return;
  std::vector<float> row(static_cast<size_t>(matrix->cols));
  ANYBIT_CHECK(tensor::dequantize_rows(*matrix, matrix->rows - 1, 1, row).has_value());
}

}  // namespace

ANYBIT_FUZZ_TARGET(fuzz_gguf, bytes, size) {
  const auto file = tensor::parse_gguf(fuzz::buffer_of(bytes, size), "input");
  if (!file) {
    ANYBIT_CHECK(file.error().message.starts_with("input"));
    return 0;
  }
  for (const auto& [key, value] : file->metadata.entries()) ask_everything(file->metadata, key);
  for (const tensor::GgufTensor& tensor : file->tensors) {
    ANYBIT_CHECK(file->find(tensor.name) == &tensor);
    decode_first_row(tensor);
  }
  return 0;
}
