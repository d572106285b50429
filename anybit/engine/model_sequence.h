// ModelSequence: one sequence of a model::Model, as a session takes it.
#pragma once

#include <cstdint>
#include <span>
#include <utility>

#include "anybit/base/result.h"
#include "anybit/engine/sequence_model.h"
#include "anybit/model/model.h"

namespace anybit::engine {

class ModelSequence final : public SequenceModel {
 public:
  /// An empty sequence. `model` must outlive it; several sequences may share it.
  /// Errors: those of Model::start().
  static Result<ModelSequence> create(const model::Model& model,
                                      const model::StateOptions& options = {});

  int64_t vocab_size() const override { return model_->config().vocab_size; }
  int64_t capacity() const override { return state_.capacity(); }
  int64_t length() const override { return state_.length(); }
  Status forward(std::span<const int32_t> tokens, std::span<float> last_logits) override;
  void truncate(int64_t length) override { state_.truncate(length); }

  /// Bytes of keys and values reserved, for all of capacity.
  int64_t kv_bytes() const { return state_.kv_bytes(); }

 private:
  ModelSequence(const model::Model& model, model::ForwardState state)
      : model_(&model), state_(std::move(state)) {}

  const model::Model* model_;
  model::ForwardState state_;
};

}  // namespace anybit::engine
