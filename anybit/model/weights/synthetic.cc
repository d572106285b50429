#include "anybit/model/weights/synthetic.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <unordered_map>

#include "anybit/base/philox.h"
#include "anybit/kernel/matmul/random_weight.h"
#include "anybit/numeric/packing.h"

namespace anybit::model {
namespace {

constexpr SyntheticModel kModels[] = {
    {"tiny", 256, 768, 4, 4, 2, 4096},           {"tiny-moe", 256, 512, 4, 4, 2, 4096, 8, 2},
    {"llama-1b", 2048, 8192, 16, 32, 8, 32000},  {"llama-3b", 3072, 8192, 28, 24, 8, 32000},
    {"llama-8b", 4096, 14336, 32, 32, 8, 32000},
};
constexpr int64_t kMaxPositions = 8192;
constexpr int64_t kPatternCodes = 1 << 16;
constexpr double kWeightDeviation = 0.02;

ModelConfig make_config(const SyntheticModel& model) {
  ModelConfig config;
  config.family = model.num_experts > 0 ? "mixtral" : "llama";
  config.hidden_size = model.hidden_size;
  config.intermediate_size = model.intermediate_size;
  config.num_layers = model.num_layers;
  config.num_q_heads = model.num_q_heads;
  config.num_kv_heads = model.num_kv_heads;
  config.head_dim = model.hidden_size / model.num_q_heads;
  config.vocab_size = model.vocab_size;
  config.max_positions = kMaxPositions;
  config.num_experts = model.num_experts;
  config.num_experts_per_token = model.num_experts_per_token;
  config.attention_scale = static_cast<float>(1 / std::sqrt(static_cast<double>(config.head_dim)));
  config.norm_eps = 1e-5f;
  config.rope.rotary_dim = config.head_dim;
  config.sliding_rope = config.rope;
  config.is_sliding_layer.assign(static_cast<size_t>(config.num_layers), false);
  return config;
}

/// Normal values of weights' size, encoded; a pattern of 2^16 codes repeats.
tensor::QuantizedTensor random_elements(const numeric::Scheme& scheme, int64_t rows, int64_t cols,
                                        uint64_t seed) {
  const Philox random(seed);
  std::vector<uint32_t> codes(static_cast<size_t>(kPatternCodes));
  for (size_t i = 0; i < codes.size(); ++i) {
    codes[i] = numeric::encode(scheme.element, kWeightDeviation * random.normal(i));
  }
  std::vector<std::byte> pattern(
      static_cast<size_t>(numeric::packed_size_bytes(kPatternCodes, scheme.element.bits)));
  numeric::pack_codes(codes, scheme.element.bits, pattern);
  tensor::QuantizedTensor matrix{.scheme = scheme, .rows = rows, .cols = cols};
  matrix.codes = Buffer::allocate(numeric::packed_size_bytes(rows * cols, scheme.element.bits));
  std::span<std::byte> bytes = matrix.codes.writable();
  for (size_t at = 0; at < bytes.size(); at += pattern.size()) {
    std::memcpy(bytes.data() + at, pattern.data(), std::min(pattern.size(), bytes.size() - at));
  }
  return matrix;
}

bool is_unscaled_number(const numeric::Scheme& scheme) {
  return scheme.granularity == numeric::Granularity::kNone &&
         scheme.ggml == numeric::GgmlType::kNone &&
         scheme.element.kind != numeric::ElementKind::kComplex &&
         scheme.element.kind != numeric::ElementKind::kCodebook;
}

class SyntheticSource final : public WeightSource {
 public:
  SyntheticSource(std::string name, const SyntheticModel& model, const numeric::Scheme& scheme,
                  uint64_t seed)
      : name_(std::move(name)), config_(make_config(model)), scheme_(scheme), seed_(seed) {
    for (ModelTensor& tensor : model_tensors(config_)) {
      index_of_.emplace(tensor.name, tensors_.size());
      tensors_.push_back(std::move(tensor));
    }
  }

  const std::string& name() const override { return name_; }
  const ModelConfig& config() const override { return config_; }
  std::string_view name_pattern(TensorRole role) const override {
    return architecture(config_.family).folder_names[static_cast<size_t>(role)];
  }
  bool contains(std::string_view tensor) const override {
    return index_of_.contains(std::string(tensor));
  }

  Result<std::vector<int64_t>> shape(std::string_view tensor) const override {
    ANYBIT_ASSIGN(const size_t index, find(tensor));
    return tensors_[index].shape;
  }

  Result<tensor::QuantizedTensor> matrix(std::string_view tensor) const override {
    ANYBIT_ASSIGN(const size_t index, find(tensor));
    const ModelTensor& found = tensors_[index];
    if (found.shape.size() != 2) {
      return fail(ErrorCode::kUnsupported, "{}: {} is not a matrix", name_, tensor);
    }
    const int64_t rows = found.shape[0], cols = found.shape[1];
    const numeric::Scheme scheme =
        found.role == TensorRole::kRouter ? numeric::Scheme{.element = numeric::kF32} : scheme_;
    const uint64_t seed = seed_ << 32 | index;
    ANYBIT_TRY(numeric::check_fits(scheme, rows, cols));
    if (is_unscaled_number(scheme)) return random_elements(scheme, rows, cols, seed);
    return kernel::random_weight(scheme, rows, cols, seed);
  }

  /// Norm weights: all ones.
  Result<std::vector<float>> floats(std::string_view tensor) const override {
    ANYBIT_ASSIGN(const size_t index, find(tensor));
    return std::vector<float>(static_cast<size_t>(tensors_[index].shape.front()), 1.0f);
  }

 private:
  Result<size_t> find(std::string_view tensor) const {
    const auto found = index_of_.find(std::string(tensor));
    if (found == index_of_.end()) {
      return fail(ErrorCode::kNotFound, "{}: no tensor {}", name_, tensor);
    }
    return found->second;
  }

  std::string name_;
  ModelConfig config_;
  numeric::Scheme scheme_;
  uint64_t seed_;
  std::vector<ModelTensor> tensors_;
  std::unordered_map<std::string, size_t> index_of_;
};

}  // namespace

std::span<const SyntheticModel> synthetic_models() { return kModels; }

Result<std::shared_ptr<const WeightSource>> synthetic_weights(std::string_view name,
                                                              const numeric::Scheme& scheme,
                                                              uint64_t seed) {
  const auto* found = std::ranges::find(kModels, name, &SyntheticModel::name);
  if (found == std::end(kModels)) {
    std::string names;
    for (const SyntheticModel& model : kModels) {
      names += names.empty() ? "" : ", ";
      names += model.name;
    }
    return fail(ErrorCode::kNotFound, "no synthetic model \"{}\"; known: {}", name, names);
  }
  auto source = std::make_shared<const SyntheticSource>(
      fmt::format("{} ({})", name, numeric::scheme_name(scheme)), *found, scheme, seed);
  for (const ModelTensor& tensor : model_tensors(source->config())) {
    if (tensor.shape.size() != 2 || tensor.role == TensorRole::kRouter) continue;
    const Status fits = numeric::check_fits(scheme, tensor.shape[0], tensor.shape[1]);
    if (!fits) return with_context(fits.error(), tensor.name);
  }
  return source;
}

}  // namespace anybit::model
