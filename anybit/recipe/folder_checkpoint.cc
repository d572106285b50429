#include <algorithm>
#include <map>
#include <memory>

#include "anybit/base/file.h"
#include "anybit/model/architecture/architecture.h"
#include "anybit/model/weights/weight_source.h"
#include "anybit/recipe/checkpoint_source.h"
#include "anybit/recipe/tensor_kind.h"
#include "anybit/tensor/io/quantized_folder.h"

namespace anybit::recipe {
namespace {

namespace fs = std::filesystem;

constexpr int64_t kMaxSideFileBytes = int64_t{64} << 20;

// The names that the family gives its tensors, with the folder's own prefix.
std::map<std::string, std::pair<TensorKind, int64_t>> known_tensors(
    const model::WeightSource& source) {
  std::map<std::string, std::pair<TensorKind, int64_t>> known;
  for (const model::ModelTensor& tensor : model::model_tensors(source.config())) {
    const std::string name =
        model::tensor_name(source.name_pattern(tensor.role), tensor.layer, tensor.expert);
    known[name] = {kind_of(tensor.role), tensor.layer};
  }
  return known;
}

// Tokenizer and settings; not weights, not what quantization writes itself.
bool is_side_file(const fs::directory_entry& entry) {
  const fs::path& path = entry.path();
  const std::string name = path.filename().string(), extension = path.extension().string();
  const bool is_text = extension == ".json" || extension == ".jinja" || extension == ".txt" ||
                       extension == ".model" || name.starts_with("LICENSE");
  return entry.is_regular_file() && is_text && name != "config.json" &&
         name != "quantization_report.json" && !name.ends_with(".index.json");
}

Result<std::vector<std::pair<std::string, std::string>>> read_side_files(const fs::path& folder) {
  std::vector<std::pair<std::string, std::string>> files;
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(folder, error)) {
    if (!is_side_file(entry)) continue;
    ANYBIT_ASSIGN(std::string text, read_text_file(entry.path(), kMaxSideFileBytes));
    files.emplace_back(entry.path().filename().string(), std::move(text));
  }
  std::ranges::sort(files);
  return files;
}

}  // namespace

Result<CheckpointSource> open_folder_checkpoint(const model::OpenedModel& opened) {
  const fs::path& folder = opened.path;
  ANYBIT_ASSIGN(tensor::QuantizedFolder parts, tensor::QuantizedFolder::open(folder));
  const auto shared = std::make_shared<const tensor::QuantizedFolder>(std::move(parts));
  const auto known = known_tensors(*opened.weights);

  CheckpointSource source;
  source.description = opened.name;
  source.config_json = shared->config_json();
  for (const std::string& name : shared->names()) {
    ANYBIT_ASSIGN(std::vector<int64_t> shape, shared->shape(name));
    const auto found = known.find(name);
    const bool is_matrix = shape.size() == 2;
    TensorSummary summary{name, std::move(shape), TensorKind::kVector, -1};
    if (found != known.end() && is_matrix) summary.kind = found->second.first;
    if (found != known.end()) summary.layer = found->second.second;
    source.tensors.push_back(std::move(summary));
  }
  std::ranges::stable_sort(source.tensors, {}, &TensorSummary::layer);
  std::vector<std::string> names;
  for (const TensorSummary& summary : source.tensors) names.push_back(summary.name);
  source.matrix = [shared, names](size_t index) { return shared->matrix(names[index]); };
  source.vector = [shared, names](size_t index) { return shared->tensor(names[index]); };
  ANYBIT_ASSIGN(source.files, read_side_files(folder));
  return source;
}

}  // namespace anybit::recipe
