// Weights in a Hugging Face folder.
#include <algorithm>

#include "anybit/base/check.h"
#include "anybit/model/weights/weight_source.h"
#include "anybit/tensor/io/quantized_folder.h"

namespace anybit::model {
namespace {

constexpr std::string_view kModelPrefix = "model.";

class FolderSource final : public WeightSource {
 public:
  FolderSource(std::string name, ModelConfig config, tensor::QuantizedFolder folder)
      : name_(std::move(name)), config_(std::move(config)), folder_(std::move(folder)) {
    set_names();
  }

  const std::string& name() const override { return name_; }
  const ModelConfig& config() const override { return config_; }
  std::string_view name_pattern(TensorRole role) const override {
    return names_[static_cast<size_t>(role)];
  }
  bool contains(std::string_view tensor) const override { return folder_.contains(tensor); }
  Result<std::vector<int64_t>> shape(std::string_view tensor) const override {
    return folder_.shape(tensor);
  }

  Result<tensor::QuantizedTensor> matrix(std::string_view tensor) const override {
    return folder_.matrix(tensor);
  }

  Result<std::vector<float>> floats(std::string_view tensor) const override {
    ANYBIT_ASSIGN(const tensor::Tensor found, folder_.tensor(tensor));
    return tensor::to_floats(found);
  }

 private:
  /// A text model inside a larger checkpoint has its tensors under a longer prefix.
  void set_names() {
    const TensorNames& plain = architecture(config_.family).folder_names;
    const std::string_view embedding = plain[static_cast<size_t>(TensorRole::kEmbedding)];
    const std::string_view prefixes[] = {"model.", "language_model.model.",
                                         "model.language_model."};
    std::string_view prefix = kModelPrefix;
    for (const std::string_view candidate : prefixes) {
      if (!folder_.contains(with_prefix(embedding, candidate))) continue;
      prefix = candidate;
      break;
    }
    for (size_t role = 0; role < plain.size(); ++role) {
      names_[role] = with_prefix(plain[role], prefix);
    }
    std::string& output = names_[static_cast<size_t>(TensorRole::kOutput)];
    if (!folder_.contains(output) && folder_.contains("language_model." + output)) {
      output = "language_model." + output;
    }
  }

  static std::string with_prefix(std::string_view pattern, std::string_view prefix) {
    if (!pattern.starts_with(kModelPrefix)) return std::string(pattern);
    return std::string(prefix) + std::string(pattern.substr(kModelPrefix.size()));
  }

  std::string name_;
  ModelConfig config_;
  tensor::QuantizedFolder folder_;
  std::array<std::string, kNumTensorRoles> names_;
};

}  // namespace

Result<std::shared_ptr<const WeightSource>> open_folder_weights(
    const std::filesystem::path& folder) {
  ANYBIT_ASSIGN(tensor::QuantizedFolder opened, tensor::QuantizedFolder::open(folder));
  const std::string config_name = (folder / "config.json").string();
  ANYBIT_ASSIGN(ModelConfig config, parse_model_config(opened.config_json(), config_name));
  return std::make_shared<const FolderSource>(folder.string(), std::move(config),
                                              std::move(opened));
}

}  // namespace anybit::model
