// Which scheme each tensor of a model gets.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "anybit/base/result.h"
#include "anybit/numeric/scheme.h"

namespace anybit::recipe {

/// What a tensor does in its model.
enum class TensorKind : uint8_t {
  kLinear,     // A matrix of a decoder layer: [out_features, in_features].
  kEmbedding,  // [vocab_size, hidden_size], rows looked up; also the output matrix when tied.
  kOutput,     // [vocab_size, hidden_size], multiplied.
  kRouter,     // The gate of a mixture of experts: small, and decides for the rest.
  kVector,     // Norm weights, biases: everything that is no matrix.
};

/// One tensor of the model to be quantized.
struct TensorSummary {
  std::string name;
  std::vector<int64_t> shape;  // Slowest first.
  TensorKind kind = TensorKind::kVector;
  int64_t layer = -1;  // -1: outside the layers.
};

/// `--keep REGEX=SCHEME`: the scheme of the tensors whose name the pattern matches anywhere.
struct KeepRule {
  std::string pattern;                    // ECMAScript regular expression.
  std::optional<numeric::Scheme> scheme;  // Nothing: left as it is ("REGEX=keep").
};

struct PlanOptions {
  numeric::Scheme scheme;
  /// Of kEmbedding and kOutput. Nothing: `scheme` if it takes 8 bits a weight or more, else
  /// int8_g32 (embeddings are the most sensitive matrices, and every token reads one row only).
  std::optional<numeric::Scheme> embedding_scheme;
  std::vector<KeepRule> keep;  // The first that matches decides, before all else.
};

/// The scheme a tensor will be stored in; nothing: stored as it is.
struct PlannedTensor {
  TensorSummary tensor;
  std::optional<numeric::Scheme> scheme;
};

/// Parses "REGEX=SCHEME" (the last '=' divides); "REGEX=keep" leaves the tensors alone.
/// Errors: kInvalidArgument naming the part that does not parse.
Result<KeepRule> parse_keep_rule(std::string_view text);

/// The plan for all tensors, in their order. Vectors and routers stay as they are unless a rule
/// names them.
/// Errors: kInvalidArgument naming the tensor whose shape its scheme does not fit (and how to give
/// it another), a rule that matches nothing, or a rule that names a tensor which is no matrix.
Result<std::vector<PlannedTensor>> plan_quantization(std::span<const TensorSummary> tensors,
                                                     const PlanOptions& options);

}  // namespace anybit::recipe
