#include <algorithm>
#include <memory>
#include <mutex>

#include "anybit/base/check.h"
#include "anybit/model/architecture/architecture.h"
#include "anybit/model/architecture/config_json.h"
#include "anybit/model/tokenizer/gguf_tokenizer.h"
#include "anybit/model/tokenizer/tokenizer_json.h"
#include "anybit/model/weights/weight_source.h"
#include "anybit/recipe/checkpoint_source.h"
#include "anybit/recipe/tensor_kind.h"
#include "anybit/tensor/io/gguf.h"

namespace anybit::recipe {
namespace {

using model::LayerWeights;
using model::ModelTensor;
using model::TensorRole;
using tensor::QuantizedTensor;

// GGUF files of the llama family hold query and key rows so that rope turns neighbours: row
// 2 i + h of a head is row h * head_dim / 2 + i of the folder's.
int64_t interleaved_row(int64_t row, int64_t head_dim) {
  const int64_t head = row / head_dim, within = row % head_dim, half = head_dim / 2;
  return head * head_dim + 2 * (within % half) + within / half;
}

// Rows in the folder's order. Every scheme of a GGUF file has rows of whole bytes.
QuantizedTensor reorder_rows(const QuantizedTensor& matrix, int64_t head_dim) {
  QuantizedTensor result = matrix;
  const auto row_bytes = static_cast<size_t>(matrix.codes.size() / matrix.rows);
  result.codes = Buffer::allocate(matrix.codes.size());
  const std::span<std::byte> out = result.codes.writable();
  for (int64_t row = 0; row < matrix.rows; ++row) {
    const auto from = static_cast<size_t>(interleaved_row(row, head_dim)) * row_bytes;
    std::ranges::copy(matrix.codes.bytes().subspan(from, row_bytes),
                      out.begin() + static_cast<ptrdiff_t>(static_cast<size_t>(row) * row_bytes));
  }
  return result;
}

std::vector<float> reorder_values(const std::vector<float>& values, int64_t head_dim) {
  std::vector<float> result(values.size());
  for (int64_t i = 0; i < std::ssize(values); ++i) {
    result[static_cast<size_t>(i)] = values[static_cast<size_t>(interleaved_row(i, head_dim))];
  }
  return result;
}

// Reads layers as the folder has them; the last one read is kept.
class GgufReader {
 public:
  explicit GgufReader(std::shared_ptr<const model::WeightSource> weights)
      : weights_(std::move(weights)),
        reorders_(weights_->config().rope.pairing == kernel::RopePairing::kInterleaved) {}

  Result<QuantizedTensor> matrix(const ModelTensor& tensor) {
    const std::lock_guard lock(mutex_);
    ANYBIT_TRY(load(tensor.layer));
    const int64_t head_dim = weights_->config().head_dim;
    const auto expert = static_cast<size_t>(std::max<int64_t>(tensor.expert, 0));
    switch (tensor.role) {
      case TensorRole::kEmbedding: return outer_.embedding;
      case TensorRole::kOutput: return outer_.output;
      case TensorRole::kQuery:
        return reorders_ ? reorder_rows(layer_.query, head_dim) : layer_.query;
      case TensorRole::kKey: return reorders_ ? reorder_rows(layer_.key, head_dim) : layer_.key;
      case TensorRole::kValue: return layer_.value;
      case TensorRole::kAttentionOutput: return layer_.output;
      case TensorRole::kRouter: return layer_.router;
      case TensorRole::kGate: return layer_.experts[expert].gate;
      case TensorRole::kUp: return layer_.experts[expert].up;
      case TensorRole::kDown: return layer_.experts[expert].down;
      default: break;
    }
    return fail(ErrorCode::kNotFound, "{}: {} is no matrix", weights_->name(), tensor.name);
  }

  Result<tensor::Tensor> vector(const ModelTensor& tensor) {
    const std::lock_guard lock(mutex_);
    ANYBIT_TRY(load(tensor.layer));
    std::vector<float> values = layer_vector(tensor);
    if (values.empty()) {
      return fail(ErrorCode::kNotFound, "{}: {} is no vector", weights_->name(), tensor.name);
    }
    // The folder's Gemma norms are stored minus one, the GGUF converter adds it.
    if (weights_->config().family == "gemma3" && is_norm(tensor.role)) {
      for (float& value : values) value -= 1;
    }
    return tensor::from_floats(values, tensor.shape);
  }

 private:
  static bool is_norm(TensorRole role) {
    return role == TensorRole::kOutputNorm || role == TensorRole::kAttentionNorm ||
           role == TensorRole::kQueryNorm || role == TensorRole::kKeyNorm ||
           role == TensorRole::kPostAttentionNorm || role == TensorRole::kMlpNorm ||
           role == TensorRole::kPostMlpNorm;
  }

  std::vector<float> layer_vector(const ModelTensor& tensor) const {
    const int64_t head_dim = weights_->config().head_dim;
    const auto expert = static_cast<size_t>(std::max<int64_t>(tensor.expert, 0));
    switch (tensor.role) {
      case TensorRole::kOutputNorm: return outer_.output_norm;
      case TensorRole::kAttentionNorm: return layer_.attention_norm;
      case TensorRole::kQueryBias:
        return reorders_ ? reorder_values(layer_.query_bias, head_dim) : layer_.query_bias;
      case TensorRole::kKeyBias:
        return reorders_ ? reorder_values(layer_.key_bias, head_dim) : layer_.key_bias;
      case TensorRole::kValueBias: return layer_.value_bias;
      case TensorRole::kAttentionOutputBias: return layer_.output_bias;
      case TensorRole::kQueryNorm: return layer_.query_norm;
      case TensorRole::kKeyNorm: return layer_.key_norm;
      case TensorRole::kPostAttentionNorm: return layer_.post_attention_norm;
      case TensorRole::kMlpNorm: return layer_.mlp_norm;
      case TensorRole::kPostMlpNorm: return layer_.post_mlp_norm;
      case TensorRole::kGateBias: return layer_.experts[expert].gate_bias;
      case TensorRole::kUpBias: return layer_.experts[expert].up_bias;
      case TensorRole::kDownBias: return layer_.experts[expert].down_bias;
      default: return {};
    }
  }

  Status load(int64_t layer) {
    if (layer < 0) {
      if (outer_.embedding.rows == 0) {
        ANYBIT_ASSIGN(outer_, model::read_outer(*weights_));
      }
      return {};
    }
    if (layer == loaded_layer_) return {};
    ANYBIT_ASSIGN(layer_, model::read_layer(*weights_, layer));
    loaded_layer_ = layer;
    return {};
  }

  std::shared_ptr<const model::WeightSource> weights_;
  bool reorders_;
  std::mutex mutex_;
  model::OuterWeights outer_;
  LayerWeights layer_;
  int64_t loaded_layer_ = -1;
};

// The config a folder needs: its family's own conventions instead of GGUF's.
Result<model::ModelConfig> folder_config(const model::WeightSource& weights) {
  model::ModelConfig config = weights.config();
  if (config.family == "llama" && config.is_moe()) config.family = "mixtral";
  if (config.family == "llama" && config.sliding_window > 0) config.family = "mistral";
  config.rope.pairing = kernel::RopePairing::kHalves;
  config.sliding_rope.pairing = kernel::RopePairing::kHalves;
  ANYBIT_ASSIGN(const model::OuterWeights outer, model::read_outer(weights));
  config.rope.frequency_divisors = outer.rope_divisors;
  return config;
}

Result<std::vector<std::pair<std::string, std::string>>> tokenizer_files(
    const tensor::GgufMetadata& metadata) {
  ANYBIT_ASSIGN(const model::TokenizerData data, model::read_tokenizer_data(metadata));
  ANYBIT_ASSIGN(const std::string chat_template,
                metadata.get_string_or("tokenizer.chat_template", ""));
  ANYBIT_ASSIGN(std::string tokenizer, model::tokenizer_json(data));
  ANYBIT_ASSIGN(std::string config, model::tokenizer_config_json(data, chat_template));
  return std::vector<std::pair<std::string, std::string>>{
      {"tokenizer.json", std::move(tokenizer)}, {"tokenizer_config.json", std::move(config)}};
}

}  // namespace

Result<CheckpointSource> open_gguf_checkpoint(const model::OpenedModel& opened) {
  const auto& weights = opened.weights;
  ANYBIT_ASSIGN(const model::ModelConfig config, folder_config(*weights));

  CheckpointSource source;
  source.description = opened.name;
  source.config_json = model::model_config_json(config);
  const auto tensors = std::make_shared<std::vector<ModelTensor>>(model::model_tensors(config));
  std::ranges::stable_sort(*tensors, {}, &ModelTensor::layer);
  for (const ModelTensor& tensor : *tensors) {
    source.tensors.push_back({tensor.name, tensor.shape, kind_of(tensor.role), tensor.layer});
  }
  const auto reader = std::make_shared<GgufReader>(weights);
  source.matrix = [tensors, reader](size_t index) { return reader->matrix((*tensors)[index]); };
  source.vector = [tensors, reader](size_t index) { return reader->vector((*tensors)[index]); };
  ANYBIT_ASSIGN(source.files, tokenizer_files(opened.gguf->metadata));
  return source;
}

Result<CheckpointSource> open_checkpoint(std::string_view name, const ProgressSink& progress) {
  ANYBIT_ASSIGN(const model::OpenedModel opened, model::open_model(name, progress));
  return opened.gguf ? open_gguf_checkpoint(opened) : open_folder_checkpoint(opened);
}

}  // namespace anybit::recipe
