// A folder: the text of config.json, a zero byte, and a safetensors file. Whatever opens has
// matrices that decode, and its configuration prints and parses to itself.
#include "anybit/tensor/io/quantized_folder.h"

#include <algorithm>
#include <string>
#include <vector>

#include "tests/fuzz/fuzz_target.h"

namespace {

using namespace anybit;  // NOLINT(google-build-using-namespace): names of one program.

void check_config(const std::string& config) {
  const auto parsed = tensor::parse_quantization_config(config, "input");
  if (!parsed || !*parsed) return;
  const auto printed = tensor::with_quantization_config("{}", **parsed);
  ANYBIT_CHECK(printed.has_value());
  const auto again = tensor::parse_quantization_config(*printed, "printed");
  ANYBIT_CHECK(again.has_value() && *again == *parsed);
}

void decode_matrix(const tensor::QuantizedTensor& matrix) {
  if (matrix.rows == 0 || matrix.cols == 0) return;
  std::vector<float> row(static_cast<size_t>(matrix.cols));
  ANYBIT_CHECK(tensor::dequantize_rows(matrix, 0, 1, row).has_value());
  ANYBIT_CHECK(tensor::dequantize_rows(matrix, matrix.rows - 1, 1, row).has_value());
  (void)tensor::decode_scales(matrix);
}

}  // namespace

ANYBIT_FUZZ_TARGET(fuzz_quantized_folder, bytes, size) {
  const uint8_t* end = std::find(bytes, bytes + size, uint8_t{0});
  std::string config(bytes, end);
  check_config(config);
  if (end == bytes + size) return 0;
  const auto rest = static_cast<size_t>(bytes + size - (end + 1));
  auto file = tensor::Safetensors::parse(fuzz::buffer_of(end + 1, rest), "input");
  if (!file) return 0;
  const auto folder =
      tensor::QuantizedFolder::assemble(std::move(config), std::move(*file), "input");
  if (!folder) return 0;
  for (const std::string& name : folder->names()) {
    ANYBIT_CHECK(folder->contains(name) && folder->shape(name).has_value());
    const auto matrix = folder->matrix(name);
    ANYBIT_CHECK(matrix.has_value() || folder->tensor(name).has_value());
    if (matrix) decode_matrix(*matrix);
  }
  return 0;
}
