// A model's weights quantized in memory, tensor by tensor as they are asked for: what a scheme
// would give, without writing a checkpoint (quantize_model.h).
#pragma once

#include <memory>

#include "anybit/base/result.h"
#include "anybit/model/weights/weight_source.h"
#include "anybit/recipe/quantize_model.h"

namespace anybit::recipe {

/// `source` under `options`: the matrices that the plan names are quantized each time they are
/// read; all else is the source's. `options.overwrite` and `options.progress` are not used.
/// Pre: source and options.method are not null.
/// Errors: those of plan_quantization(); of the result's matrix(), those of the method.
Result<std::shared_ptr<const model::WeightSource>> quantized_weights(
    std::shared_ptr<const model::WeightSource> source, const QuantizeOptions& options);

}  // namespace anybit::recipe
