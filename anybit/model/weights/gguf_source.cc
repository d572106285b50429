// Weights in a GGUF file.
#include "anybit/model/weights/weight_source.h"

namespace anybit::model {
namespace {

class GgufSource final : public WeightSource {
 public:
  GgufSource(std::string name, ModelConfig config, std::shared_ptr<const tensor::GgufFile> file)
      : name_(std::move(name)), config_(std::move(config)), file_(std::move(file)) {
    names_ = architecture(config_.family).gguf_names;
    if (config_.is_moe()) set_split_experts();
  }

  const std::string& name() const override { return name_; }
  const ModelConfig& config() const override { return config_; }
  std::string_view name_pattern(TensorRole role) const override {
    return names_[static_cast<size_t>(role)];
  }
  bool contains(std::string_view tensor) const override { return file_->find(tensor) != nullptr; }

  Result<std::vector<int64_t>> shape(std::string_view tensor) const override {
    ANYBIT_ASSIGN(const tensor::GgufTensor* found, find(tensor));
    return found->shape;
  }

  Result<tensor::QuantizedTensor> matrix(std::string_view tensor) const override {
    ANYBIT_ASSIGN(const tensor::GgufTensor* found, find(tensor));
    return tensor::as_matrix(*found);
  }

  Result<std::vector<float>> floats(std::string_view tensor) const override {
    ANYBIT_ASSIGN(const tensor::QuantizedTensor found, matrix(tensor));
    return tensor::dequantize(found);
  }

 private:
  Result<const tensor::GgufTensor*> find(std::string_view tensor) const {
    const tensor::GgufTensor* found = file_->find(tensor);
    if (found == nullptr) {
      return fail(ErrorCode::kNotFound, "{}: no tensor {}", name_, tensor);
    }
    return found;
  }

  /// Files of early 2024 have one tensor an expert.
  void set_split_experts() {
    names_[static_cast<size_t>(TensorRole::kGate)] = "blk.{L}.ffn_gate.{E}.weight";
    names_[static_cast<size_t>(TensorRole::kUp)] = "blk.{L}.ffn_up.{E}.weight";
    names_[static_cast<size_t>(TensorRole::kDown)] = "blk.{L}.ffn_down.{E}.weight";
  }

  std::string name_;
  ModelConfig config_;
  std::shared_ptr<const tensor::GgufFile> file_;
  TensorNames names_;
};

}  // namespace

Result<std::shared_ptr<const WeightSource>> open_gguf_weights(
    std::shared_ptr<const tensor::GgufFile> file, std::string file_name) {
  ANYBIT_ASSIGN(ModelConfig config, parse_model_config(file->metadata, file_name));
  const TensorNames& names = architecture(config.family).gguf_names;
  config.has_tied_embeddings =
      file->find(names[static_cast<size_t>(TensorRole::kOutput)]) == nullptr;
  // The metadata may count tokens the tokenizer knows; the embedding has one row a token id.
  const tensor::GgufTensor* embedding =
      file->find(names[static_cast<size_t>(TensorRole::kEmbedding)]);
  if (embedding != nullptr && embedding->shape.size() == 2) {
    config.vocab_size = embedding->shape[0];
    ANYBIT_TRY(validate(config, file_name));
  }
  return std::make_shared<const GgufSource>(std::move(file_name), std::move(config),
                                            std::move(file));
}

}  // namespace anybit::model
