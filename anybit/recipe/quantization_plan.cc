#include "anybit/recipe/quantization_plan.h"

#include <regex>

#include "anybit/base/integer.h"

namespace anybit::recipe {
namespace {

constexpr double kEmbeddingBits = 8;
constexpr std::string_view kDefaultEmbeddingScheme = "int8_g32";

struct CompiledRule {
  const KeepRule* rule;
  std::regex pattern;
  bool has_matched = false;
};

Result<std::regex> compile(const std::string& pattern) {
  try {
    return std::regex(pattern, std::regex::ECMAScript | std::regex::optimize);
  } catch (const std::regex_error& error) {
    return fail(ErrorCode::kInvalidArgument, "\"{}\" is not a regular expression: {}", pattern,
                error.what());
  }
}

Result<numeric::Scheme> embedding_scheme(const PlanOptions& options, int64_t rows, int64_t cols) {
  if (options.embedding_scheme) return *options.embedding_scheme;
  if (numeric::bits_per_weight(options.scheme, rows, cols) >= kEmbeddingBits) {
    return options.scheme;
  }
  return numeric::parse_scheme(kDefaultEmbeddingScheme);
}

Result<std::optional<numeric::Scheme>> scheme_by_kind(const TensorSummary& tensor,
                                                      const PlanOptions& options) {
  switch (tensor.kind) {
    case TensorKind::kVector:
    case TensorKind::kRouter: return std::nullopt;
    case TensorKind::kLinear: return options.scheme;
    case TensorKind::kEmbedding:
    case TensorKind::kOutput: {
      ANYBIT_ASSIGN(const numeric::Scheme scheme,
                    embedding_scheme(options, tensor.shape[0], tensor.shape[1]));
      return scheme;
    }
  }
  return std::nullopt;
}

Status check_fits(const PlannedTensor& planned) {
  const TensorSummary& tensor = planned.tensor;
  if (tensor.shape.size() != 2) {
    return fail(ErrorCode::kInvalidArgument,
                "{}: expected a matrix to store as {}, found {} extents", tensor.name,
                numeric::scheme_name(*planned.scheme), tensor.shape.size());
  }
  if (auto fits = numeric::check_fits(*planned.scheme, tensor.shape[0], tensor.shape[1]); !fits) {
    return fail(ErrorCode::kInvalidArgument,
                "{}: {}; give it another scheme with --keep 'REGEX=SCHEME'", tensor.name,
                fits.error().message);
  }
  return {};
}

}  // namespace

Result<KeepRule> parse_keep_rule(std::string_view text) {
  const size_t divider = text.rfind('=');
  if (divider == std::string_view::npos || divider == 0) {
    return fail(ErrorCode::kInvalidArgument, "expected REGEX=SCHEME, found \"{}\"", text);
  }
  KeepRule rule{std::string(text.substr(0, divider)), std::nullopt};
  ANYBIT_ASSIGN([[maybe_unused]] const std::regex checked, compile(rule.pattern));
  const std::string_view scheme = text.substr(divider + 1);
  if (scheme == "keep") return rule;
  ANYBIT_ASSIGN(rule.scheme, numeric::parse_scheme(scheme));
  return rule;
}

Result<std::vector<PlannedTensor>> plan_quantization(std::span<const TensorSummary> tensors,
                                                     const PlanOptions& options) {
  std::vector<CompiledRule> rules;
  for (const KeepRule& rule : options.keep) {
    ANYBIT_ASSIGN(std::regex pattern, compile(rule.pattern));
    rules.push_back({&rule, std::move(pattern)});
  }
  std::vector<PlannedTensor> plan;
  for (const TensorSummary& tensor : tensors) {
    PlannedTensor planned{tensor, std::nullopt};
    CompiledRule* decisive = nullptr;
    for (CompiledRule& rule : rules) {
      if (!std::regex_search(tensor.name, rule.pattern)) continue;
      rule.has_matched = true;
      if (decisive == nullptr) decisive = &rule;
    }
    if (decisive != nullptr) {
      planned.scheme = decisive->rule->scheme;
    } else {
      ANYBIT_ASSIGN(planned.scheme, scheme_by_kind(tensor, options));
    }
    if (planned.scheme) ANYBIT_TRY(check_fits(planned));
    plan.push_back(std::move(planned));
  }
  for (const CompiledRule& rule : rules) {
    if (!rule.has_matched) {
      return fail(ErrorCode::kInvalidArgument, "--keep '{}' matches no tensor of the model",
                  rule.rule->pattern);
    }
  }
  return plan;
}

}  // namespace anybit::recipe
