// Reading whole layers: names by role, shapes checked before any element is touched.
#include <fmt/ranges.h>

#include "anybit/base/check.h"
#include "anybit/model/weights/weight_source.h"

namespace anybit::model {
namespace {

/// Reads the tensors of one layer (-1: of none) and checks their shapes.
class RoleReader {
 public:
  RoleReader(const WeightSource& source, int64_t layer) : source_(source), layer_(layer) {}

  std::string name(TensorRole role, int64_t expert = 0) const {
    return tensor_name(source_.name_pattern(role), layer_, expert);
  }

  bool contains(TensorRole role) const {
    return !source_.name_pattern(role).empty() && source_.contains(name(role));
  }

  Result<tensor::QuantizedTensor> matrix(TensorRole role, int64_t expert = 0) const {
    const std::string tensor = name(role, expert);
    const std::vector<int64_t> expected = expected_shape(source_.config(), role);
    ANYBIT_TRY(check_shape(tensor, expected));
    ANYBIT_ASSIGN(tensor::QuantizedTensor found, source_.matrix(tensor));
    ANYBIT_TRY(tensor::validate(found, source_.name() + ": " + tensor));
    return found;
  }

  Result<std::vector<float>> vector(TensorRole role, int64_t expert = 0) const {
    const std::string tensor = name(role, expert);
    ANYBIT_TRY(check_shape(tensor, expected_shape(source_.config(), role)));
    return source_.floats(tensor);
  }

  /// vector() if `is_wanted`, else empty.
  Result<std::vector<float>> vector_if(bool is_wanted, TensorRole role, int64_t expert = 0) const {
    if (!is_wanted) return std::vector<float>();
    return vector(role, expert);
  }

 private:
  Status check_shape(const std::string& tensor, const std::vector<int64_t>& expected) const {
    if (tensor.empty() || !source_.contains(tensor)) {
      return fail(ErrorCode::kNotFound, "{}: tensor {} is missing; expected shape [{}]",
                  source_.name(), tensor, fmt::join(expected, ", "));
    }
    ANYBIT_ASSIGN(const std::vector<int64_t> found, source_.shape(tensor));
    if (found == expected) return {};
    return fail(ErrorCode::kCorruptData, "{}: tensor {}: expected shape [{}], found [{}]",
                source_.name(), tensor, fmt::join(expected, ", "), fmt::join(found, ", "));
  }

  const WeightSource& source_;
  int64_t layer_;
};

Status read_attention(const RoleReader& reader, const ModelConfig& config, LayerWeights& layer) {
  ANYBIT_ASSIGN(layer.attention_norm, reader.vector(TensorRole::kAttentionNorm));
  ANYBIT_ASSIGN(layer.query, reader.matrix(TensorRole::kQuery));
  ANYBIT_ASSIGN(layer.key, reader.matrix(TensorRole::kKey));
  ANYBIT_ASSIGN(layer.value, reader.matrix(TensorRole::kValue));
  ANYBIT_ASSIGN(layer.query_bias, reader.vector_if(config.has_qkv_bias, TensorRole::kQueryBias));
  ANYBIT_ASSIGN(layer.key_bias, reader.vector_if(config.has_qkv_bias, TensorRole::kKeyBias));
  ANYBIT_ASSIGN(layer.value_bias, reader.vector_if(config.has_qkv_bias, TensorRole::kValueBias));
  ANYBIT_ASSIGN(layer.query_norm, reader.vector_if(config.has_qk_norm, TensorRole::kQueryNorm));
  ANYBIT_ASSIGN(layer.key_norm, reader.vector_if(config.has_qk_norm, TensorRole::kKeyNorm));
  ANYBIT_ASSIGN(layer.output, reader.matrix(TensorRole::kAttentionOutput));
  ANYBIT_ASSIGN(layer.output_bias, reader.vector_if(config.has_attention_output_bias,
                                                    TensorRole::kAttentionOutputBias));
  ANYBIT_ASSIGN(layer.post_attention_norm,
                reader.vector_if(config.has_post_norms, TensorRole::kPostAttentionNorm));
  return {};
}

Result<MlpWeights> read_mlp(const RoleReader& reader, const ModelConfig& config, int64_t expert) {
  MlpWeights mlp;
  ANYBIT_ASSIGN(mlp.gate, reader.matrix(TensorRole::kGate, expert));
  ANYBIT_ASSIGN(mlp.up, reader.matrix(TensorRole::kUp, expert));
  ANYBIT_ASSIGN(mlp.down, reader.matrix(TensorRole::kDown, expert));
  const bool has_bias = config.has_mlp_bias;
  ANYBIT_ASSIGN(mlp.gate_bias, reader.vector_if(has_bias, TensorRole::kGateBias, expert));
  ANYBIT_ASSIGN(mlp.up_bias, reader.vector_if(has_bias, TensorRole::kUpBias, expert));
  ANYBIT_ASSIGN(mlp.down_bias, reader.vector_if(has_bias, TensorRole::kDownBias, expert));
  return mlp;
}

/// Experts stored as one tensor of three extents a role.
Result<std::vector<MlpWeights>> read_stacked_experts(const RoleReader& reader,
                                                     const ModelConfig& config) {
  ANYBIT_ASSIGN(const tensor::QuantizedTensor gates, reader.matrix(TensorRole::kGateExperts));
  ANYBIT_ASSIGN(const tensor::QuantizedTensor ups, reader.matrix(TensorRole::kUpExperts));
  ANYBIT_ASSIGN(const tensor::QuantizedTensor downs, reader.matrix(TensorRole::kDownExperts));
  std::vector<MlpWeights> experts(static_cast<size_t>(config.num_experts));
  for (int64_t expert = 0; expert < config.num_experts; ++expert) {
    MlpWeights& mlp = experts[static_cast<size_t>(expert)];
    const int64_t rows = config.intermediate_size;
    ANYBIT_ASSIGN(mlp.gate, slice_rows(gates, expert * rows, rows));
    ANYBIT_ASSIGN(mlp.up, slice_rows(ups, expert * rows, rows));
    ANYBIT_ASSIGN(mlp.down, slice_rows(downs, expert * config.hidden_size, config.hidden_size));
  }
  return experts;
}

}  // namespace

Result<LayerWeights> read_layer(const WeightSource& source, int64_t layer_index) {
  const ModelConfig& config = source.config();
  const RoleReader reader(source, layer_index);
  LayerWeights layer;
  ANYBIT_TRY(read_attention(reader, config, layer));
  ANYBIT_ASSIGN(layer.mlp_norm, reader.vector(TensorRole::kMlpNorm));
  ANYBIT_ASSIGN(layer.post_mlp_norm,
                reader.vector_if(config.has_post_norms, TensorRole::kPostMlpNorm));
  if (config.is_moe()) {
    ANYBIT_ASSIGN(layer.router, reader.matrix(TensorRole::kRouter));
    if (reader.contains(TensorRole::kGateExperts)) {
      ANYBIT_ASSIGN(layer.experts, read_stacked_experts(reader, config));
      return layer;
    }
  }
  for (int64_t expert = 0; expert < std::max<int64_t>(config.num_experts, 1); ++expert) {
    ANYBIT_ASSIGN(MlpWeights mlp, read_mlp(reader, config, expert));
    layer.experts.push_back(std::move(mlp));
  }
  return layer;
}

Result<OuterWeights> read_outer(const WeightSource& source) {
  const RoleReader reader(source, -1);
  OuterWeights outer;
  ANYBIT_ASSIGN(outer.embedding, reader.matrix(TensorRole::kEmbedding));
  ANYBIT_ASSIGN(outer.output_norm, reader.vector(TensorRole::kOutputNorm));
  if (!source.config().has_tied_embeddings) {
    ANYBIT_ASSIGN(outer.output, reader.matrix(TensorRole::kOutput));
  }
  if (reader.contains(TensorRole::kRopeDivisors)) {
    ANYBIT_ASSIGN(const std::vector<float> divisors, reader.vector(TensorRole::kRopeDivisors));
    outer.rope_divisors.assign(divisors.begin(), divisors.end());
  }
  return outer;
}

Result<tensor::QuantizedTensor> slice_rows(const tensor::QuantizedTensor& matrix, int64_t first,
                                           int64_t count) {
  ANYBIT_CHECK(first >= 0 && count >= 0 && first + count <= matrix.rows && matrix.rows > 0);
  const bool has_own_scales = matrix.scheme.granularity != numeric::Granularity::kNone;
  const int64_t row_bytes = matrix.codes.size() / matrix.rows;
  if (has_own_scales || matrix.codes.size() % matrix.rows != 0 ||
      (matrix.scheme.ggml == numeric::GgmlType::kNone && matrix.scheme.element.bits % 8 != 0)) {
    return fail(ErrorCode::kUnsupported, "rows of a {} tensor cannot be read in part",
                numeric::scheme_name(matrix.scheme));
  }
  tensor::QuantizedTensor rows = matrix;
  rows.rows = count;
  rows.codes = matrix.codes.slice(first * row_bytes, count * row_bytes);
  return rows;
}

}  // namespace anybit::model
