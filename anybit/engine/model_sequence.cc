#include "anybit/engine/model_sequence.h"

#include <algorithm>

namespace anybit::engine {

Result<ModelSequence> ModelSequence::create(const model::Model& model,
                                            const model::StateOptions& options) {
  ANYBIT_ASSIGN(model::ForwardState state, model.start(options));
  return ModelSequence(model, std::move(state));
}

Status ModelSequence::forward(std::span<const int32_t> tokens, std::span<float> last_logits) {
  ANYBIT_ASSIGN(const std::span<const float> logits, model_->forward(state_, tokens));
  if (!last_logits.empty()) std::ranges::copy(logits, last_logits.begin());
  return {};
}

}  // namespace anybit::engine
