#include "anybit/recipe/quantized_weights.h"

#include <algorithm>
#include <functional>
#include <numeric>
#include <unordered_map>

#include "anybit/base/check.h"
#include "anybit/recipe/tensor_kind.h"

namespace anybit::recipe {
namespace {

using model::TensorRole;

bool is_stacked_experts(TensorRole role) {
  return role == TensorRole::kGateExperts || role == TensorRole::kUpExperts ||
         role == TensorRole::kDownExperts;
}

// The matrices that `source` stores, each once; stacked experts as one matrix.
Result<std::vector<TensorSummary>> matrices_of(const model::WeightSource& source) {
  const model::ModelConfig& config = source.config();
  std::vector<TensorSummary> found;
  for (int index = 0; index < model::kNumTensorRoles; ++index) {
    const auto role = static_cast<TensorRole>(index);
    const TensorKind kind = is_stacked_experts(role) ? TensorKind::kLinear : kind_of(role);
    const std::string_view pattern = source.name_pattern(role);
    if (kind == TensorKind::kVector || pattern.empty()) continue;
    const int64_t num_layers = pattern.find("{L}") != pattern.npos ? config.num_layers : 1;
    const int64_t num_experts = pattern.find("{E}") != pattern.npos ? config.num_experts : 1;
    for (int64_t layer = 0; layer < num_layers; ++layer) {
      for (int64_t expert = 0; expert < num_experts; ++expert) {
        TensorSummary tensor{model::tensor_name(pattern, layer, expert), {}, kind, layer};
        if (!source.contains(tensor.name)) continue;
        ANYBIT_ASSIGN(const std::vector<int64_t> shape, source.shape(tensor.name));
        if (shape.size() < 2) continue;
        tensor.shape = {
            std::accumulate(shape.begin(), shape.end() - 1, int64_t{1}, std::multiplies<>()),
            shape.back()};
        found.push_back(std::move(tensor));
      }
    }
  }
  return found;
}

class QuantizedWeights final : public model::WeightSource {
 public:
  QuantizedWeights(std::shared_ptr<const model::WeightSource> source, const quant::Method* method,
                   const quant::MethodOptions& method_options)
      : source_(std::move(source)), method_(method), method_options_(method_options) {}

  void store(const std::string& tensor, const numeric::Scheme& scheme) {
    scheme_of_.insert_or_assign(tensor, scheme);
  }

  const std::string& name() const override { return source_->name(); }
  const model::ModelConfig& config() const override { return source_->config(); }
  std::string_view name_pattern(TensorRole role) const override {
    return source_->name_pattern(role);
  }
  bool contains(std::string_view tensor) const override { return source_->contains(tensor); }
  Result<std::vector<int64_t>> shape(std::string_view tensor) const override {
    return source_->shape(tensor);
  }

  Result<tensor::QuantizedTensor> matrix(std::string_view tensor) const override {
    ANYBIT_ASSIGN(tensor::QuantizedTensor stored, source_->matrix(tensor));
    const auto found = scheme_of_.find(std::string(tensor));
    if (found == scheme_of_.end()) return stored;
    ANYBIT_ASSIGN(const std::vector<float> values, tensor::dequantize(stored));
    return method_->quantize(
        {.values = values, .rows = stored.rows, .cols = stored.cols, .name = tensor}, found->second,
        method_options_);
  }

  Result<std::vector<float>> floats(std::string_view tensor) const override {
    if (!scheme_of_.contains(std::string(tensor))) return source_->floats(tensor);
    ANYBIT_ASSIGN(const tensor::QuantizedTensor stored, matrix(tensor));
    return tensor::dequantize(stored);
  }

 private:
  std::shared_ptr<const model::WeightSource> source_;
  const quant::Method* method_;
  quant::MethodOptions method_options_;
  std::unordered_map<std::string, numeric::Scheme> scheme_of_;
};

}  // namespace

Result<std::shared_ptr<const model::WeightSource>> quantized_weights(
    std::shared_ptr<const model::WeightSource> source, const QuantizeOptions& options) {
  ANYBIT_CHECK(source != nullptr && options.method != nullptr);
  ANYBIT_ASSIGN(const std::vector<TensorSummary> matrices, matrices_of(*source));
  ANYBIT_ASSIGN(const auto plan, plan_quantization(matrices, options.plan));
  auto weights =
      std::make_shared<QuantizedWeights>(std::move(source), options.method, options.method_options);
  for (const PlannedTensor& planned : plan) {
    if (planned.scheme) weights->store(planned.tensor.name, *planned.scheme);
  }
  return weights;
}

}  // namespace anybit::recipe
