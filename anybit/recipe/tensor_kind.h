// What quantization makes of a tensor's role in its model.
#pragma once

#include "anybit/model/architecture/architecture.h"
#include "anybit/recipe/quantization_plan.h"

namespace anybit::recipe {

/// kVector for every role that is no matrix.
constexpr TensorKind kind_of(model::TensorRole role) {
  switch (role) {
    case model::TensorRole::kEmbedding: return TensorKind::kEmbedding;
    case model::TensorRole::kOutput: return TensorKind::kOutput;
    case model::TensorRole::kRouter: return TensorKind::kRouter;
    case model::TensorRole::kQuery:
    case model::TensorRole::kKey:
    case model::TensorRole::kValue:
    case model::TensorRole::kAttentionOutput:
    case model::TensorRole::kGate:
    case model::TensorRole::kUp:
    case model::TensorRole::kDown: return TensorKind::kLinear;
    default: return TensorKind::kVector;
  }
}

}  // namespace anybit::recipe
