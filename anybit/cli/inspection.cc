#include "anybit/cli/inspection.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <memory>

#include "anybit/model/hub/hub.h"
#include "anybit/model/weights/weight_source.h"
#include "anybit/numeric/scheme.h"
#include "anybit/tensor/io/gguf.h"
#include "anybit/tensor/io/npy.h"
#include "anybit/tensor/io/quantized_folder.h"
#include "anybit/tensor/io/safetensors.h"

namespace anybit::cli {
namespace {

namespace fs = std::filesystem;

constexpr size_t kMaxValueBytes = 80;

std::string shortened(std::string text) {
  std::replace(text.begin(), text.end(), '\n', ' ');
  if (text.size() <= kMaxValueBytes) return text;
  size_t end = kMaxValueBytes;
  while (end > 0 && (text[end] & 0xC0) == 0x80) --end;
  return text.substr(0, end) + "...";
}

std::string value_text(const tensor::GgufValue& value) {
  return std::visit(
      [](const auto& held) -> std::string {
        using Held = std::decay_t<decltype(held)>;
        if constexpr (std::is_same_v<Held, std::string>) {
          return shortened(held);
        } else if constexpr (std::is_same_v<Held, tensor::GgufArray>) {
          return fmt::format("[{} x {}]", held.size(), tensor::name(held.element_type));
        } else {
          return fmt::format("{}", held);
        }
      },
      value.value);
}

InspectedTensor describe(std::string name, const tensor::Tensor& plain) {
  return {std::move(name), std::string(tensor::name(plain.data_type)), plain.shape,
          plain.elements.size()};
}

void take_config(Inspection& inspection,
                 const Result<std::shared_ptr<const model::WeightSource>>& source) {
  if (source) {
    inspection.config = (*source)->config();
  } else {
    inspection.config_problem = source.error().message;
  }
}

Result<Inspection> inspect_gguf(const fs::path& path) {
  ANYBIT_ASSIGN(tensor::GgufFile opened, tensor::open_gguf(path));
  const auto file = std::make_shared<const tensor::GgufFile>(std::move(opened));
  Inspection made{path.string(), fmt::format("gguf v{}", file->version), {}, {}, {}, {}, {}};
  for (const auto& [key, value] : file->metadata.entries()) {
    made.metadata.emplace_back(shortened(key), value_text(value));
  }
  for (const tensor::GgufTensor& tensor : file->tensors) {
    const auto* row = numeric::find_ggml_type(tensor.type);
    made.tensors.push_back({tensor.name, row == nullptr ? "?" : std::string(row->name),
                            tensor.shape, tensor.blocks.size()});
  }
  take_config(made, model::open_gguf_weights(file, path.string()));
  return made;
}

Result<Inspection> inspect_safetensors(const fs::path& path) {
  ANYBIT_ASSIGN(const tensor::Safetensors file, tensor::Safetensors::open(path));
  Inspection made{path.string(), "safetensors", {}, {}, {}, {}, {}};
  for (const auto& [key, value] : file.metadata()) {
    made.metadata.emplace_back(shortened(key), shortened(value));
  }
  for (const auto& [name, tensor] : file.tensors()) made.tensors.push_back(describe(name, tensor));
  return made;
}

Result<Inspection> inspect_npy(const fs::path& path) {
  ANYBIT_ASSIGN(const tensor::Tensor array, tensor::read_npy(path));
  Inspection made{path.string(), "npy", {}, {}, {}, {}, {}};
  made.tensors.push_back(describe(path.filename().string(), array));
  return made;
}

Result<Inspection> inspect_folder(const fs::path& path) {
  ANYBIT_ASSIGN(const tensor::QuantizedFolder folder, tensor::QuantizedFolder::open(path));
  Inspection made{path.string(), "folder", {}, {}, {}, {}, {}};
  const auto& quantization = folder.quantization();
  if (quantization) made.quantization_scheme = numeric::scheme_name(quantization->scheme);
  for (const std::string& name : folder.names()) {
    if (quantization && quantization->tensors.contains(name)) {
      ANYBIT_ASSIGN(const tensor::QuantizedTensor matrix, folder.matrix(name));
      ANYBIT_ASSIGN(std::vector<int64_t> shape, folder.shape(name));
      made.tensors.push_back(
          {name, numeric::scheme_name(matrix.scheme), std::move(shape), matrix.size_bytes()});
    } else {
      ANYBIT_ASSIGN(const tensor::Tensor plain, folder.tensor(name));
      made.tensors.push_back(describe(name, plain));
    }
  }
  take_config(made, model::open_folder_weights(path));
  return made;
}

}  // namespace

int64_t InspectedTensor::num_elements() const {
  int64_t product = 1;
  for (const int64_t extent : shape) product *= extent;
  return product;
}

double InspectedTensor::bits_per_element() const {
  const int64_t count = num_elements();
  return count == 0 ? 0 : 8.0 * static_cast<double>(size_bytes) / static_cast<double>(count);
}

int64_t Inspection::num_elements() const {
  int64_t sum = 0;
  for (const InspectedTensor& tensor : tensors) sum += tensor.num_elements();
  return sum;
}

int64_t Inspection::size_bytes() const {
  int64_t sum = 0;
  for (const InspectedTensor& tensor : tensors) sum += tensor.size_bytes;
  return sum;
}

Result<Inspection> inspect(const std::string& name) {
  fs::path path = name;
  if (name.starts_with(model::kHubScheme)) {
    ANYBIT_ASSIGN(const model::HubName hub_name, model::parse_hub_name(name));
    ANYBIT_ASSIGN(path, model::find_hub_model(hub_name, model::HubOptions::from_environment()));
  }
  std::error_code error;
  const fs::file_status status = fs::status(path, error);
  if (!fs::exists(status)) return fail(ErrorCode::kNotFound, "{}: no such file or folder", name);
  if (fs::is_directory(status)) return inspect_folder(path);
  if (path.extension() == ".gguf") return inspect_gguf(path);
  if (path.extension() == ".safetensors") return inspect_safetensors(path);
  if (path.extension() == ".npy") return inspect_npy(path);
  return fail(ErrorCode::kInvalidArgument,
              "{}: expected a folder, or a file named .gguf, .safetensors or .npy", name);
}

}  // namespace anybit::cli
