// Packing a model's weights for this processor, one layer at a time.
#include <fmt/format.h>

#include "anybit/model/forward/internal/parts.h"
#include "anybit/model/model.h"

namespace anybit::model {
namespace internal {
namespace {

/// Packs the weights of one source.
class Packer {
 public:
  Packer(const WeightSource& source, const ModelOptions& options)
      : source_(source),
        pack_options_{
            .kernel_name = options.kernel_name, .cpu = options.cpu, .threads = options.threads} {}

  Result<PackedLayer> layer(int64_t index) const {
    ANYBIT_ASSIGN(LayerWeights weights, read_layer(source_, index));
    PackedLayer packed;
    const LinearPart qkv[] = {
        {&weights.query, &weights.query_bias, name(TensorRole::kQuery, index)},
        {&weights.key, &weights.key_bias, name(TensorRole::kKey, index)},
        {&weights.value, &weights.value_bias, name(TensorRole::kValue, index)},
    };
    ANYBIT_ASSIGN(packed.qkv, Linear::create(qkv, pack_options_));
    ANYBIT_ASSIGN(packed.output, single(weights.output, &weights.output_bias,
                                        name(TensorRole::kAttentionOutput, index)));
    if (source_.config().is_moe()) {
      ANYBIT_ASSIGN(packed.router,
                    single(weights.router, nullptr, name(TensorRole::kRouter, index)));
    }
    for (size_t expert = 0; expert < weights.experts.size(); ++expert) {
      MlpWeights& mlp = weights.experts[expert];
      ANYBIT_ASSIGN(PackedMlp packed_mlp, pack_mlp(mlp, index, static_cast<int64_t>(expert)));
      packed.experts.push_back(std::move(packed_mlp));
      mlp = {};
    }
    packed.attention_norm = std::move(weights.attention_norm);
    packed.query_norm = std::move(weights.query_norm);
    packed.key_norm = std::move(weights.key_norm);
    packed.post_attention_norm = std::move(weights.post_attention_norm);
    packed.mlp_norm = std::move(weights.mlp_norm);
    packed.post_mlp_norm = std::move(weights.post_mlp_norm);
    return packed;
  }

  Result<Linear> single(const tensor::QuantizedTensor& weight, const std::vector<float>* bias,
                        std::string name) const {
    const LinearPart part[] = {{&weight, bias, std::move(name)}};
    return Linear::create(part, pack_options_);
  }

  std::string name(TensorRole role, int64_t layer, int64_t expert = 0) const {
    return fmt::format("{}: {}", source_.name(),
                       tensor_name(source_.name_pattern(role), layer, expert));
  }

 private:
  Result<PackedMlp> pack_mlp(const MlpWeights& mlp, int64_t layer, int64_t expert) const {
    PackedMlp packed;
    const LinearPart gate_up[] = {
        {&mlp.gate, &mlp.gate_bias, name(TensorRole::kGate, layer, expert)},
        {&mlp.up, &mlp.up_bias, name(TensorRole::kUp, layer, expert)},
    };
    ANYBIT_ASSIGN(packed.gate_up, Linear::create(gate_up, pack_options_));
    ANYBIT_ASSIGN(packed.down,
                  single(mlp.down, &mlp.down_bias, name(TensorRole::kDown, layer, expert)));
    return packed;
  }

  const WeightSource& source_;
  kernel::PackOptions pack_options_;
};

}  // namespace

int64_t PackedLayer::size_bytes() const {
  int64_t size_bytes = qkv.size_bytes() + output.size_bytes() + router.size_bytes();
  for (const PackedMlp& mlp : experts)
    size_bytes += mlp.gate_up.size_bytes() + mlp.down.size_bytes();
  for (const auto* norm :
       {&attention_norm, &query_norm, &key_norm, &post_attention_norm, &mlp_norm, &post_mlp_norm}) {
    size_bytes += static_cast<int64_t>(norm->size() * sizeof(float));
  }
  return size_bytes;
}

}  // namespace internal

Result<Model> Model::load(const WeightSource& source, const ModelOptions& options) {
  if (options.prefill_chunk < 1) {
    return fail(ErrorCode::kInvalidArgument, "prefill_chunk must be positive, found {}",
                options.prefill_chunk);
  }
  const internal::Packer packer(source, options);
  auto parts = std::make_unique<internal::ModelParts>();
  parts->config = source.config();
  parts->options = options;
  parts->options.progress = {};
  const int64_t num_layers = parts->config.num_layers;
  ANYBIT_ASSIGN(OuterWeights outer, read_outer(source));
  for (int64_t layer = 0; layer < num_layers; ++layer) {
    if (options.progress) options.progress({"load", layer, num_layers, "layers", ""});
    ANYBIT_ASSIGN(internal::PackedLayer packed, packer.layer(layer));
    parts->layers.push_back(std::move(packed));
  }
  const bool is_tied = parts->config.has_tied_embeddings;
  ANYBIT_ASSIGN(
      parts->output,
      packer.single(is_tied ? outer.embedding : outer.output, nullptr,
                    packer.name(is_tied ? TensorRole::kEmbedding : TensorRole::kOutput, -1)));
  if (options.progress) options.progress({"load", num_layers, num_layers, "layers", ""});
  parts->embedding = std::move(outer.embedding);
  parts->output_norm = std::move(outer.output_norm);
  parts->rope_divisors = std::move(outer.rope_divisors);
  return Model(std::move(parts));
}

}  // namespace anybit::model
