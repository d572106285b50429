// Models of random weights, for measuring speed at sizes and schemes that no file here has.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string_view>

#include "anybit/base/result.h"
#include "anybit/model/weights/weight_source.h"
#include "anybit/numeric/scheme.h"

namespace anybit::model {

/// One size: a Llama with untied embeddings.
struct SyntheticModel {
  std::string_view name;  // "llama-1b"
  int64_t hidden_size;
  int64_t intermediate_size;
  int64_t num_layers;
  int64_t num_q_heads;
  int64_t num_kv_heads;
  int64_t vocab_size;
  int64_t num_experts = 0;  // 0: dense.
  int64_t num_experts_per_token = 0;
};

/// Every size.
std::span<const SyntheticModel> synthetic_models();

/// A model of that size whose matrices, embedding and output included, are all in `scheme`; a
/// router is in f32. Tensors are made when asked for, the same for the same seed.
/// Errors: kNotFound for another name, listing those known; kInvalidArgument if a matrix does not
/// fit the scheme.
Result<std::shared_ptr<const WeightSource>> synthetic_weights(std::string_view name,
                                                              const numeric::Scheme& scheme,
                                                              uint64_t seed = 0);

}  // namespace anybit::model
