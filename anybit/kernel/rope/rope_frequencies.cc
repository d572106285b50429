#include <algorithm>
#include <cmath>
#include <numbers>

#include "anybit/kernel/rope/rope.h"

namespace anybit::kernel {
namespace {

struct ScalingName {
  std::string_view name;
  RopeScaling scaling;
};

// The first name of each kind is the one that name() gives.
constexpr ScalingName kScalingNames[] = {
    {"default", RopeScaling::kNone},       {"linear", RopeScaling::kLinear},
    {"llama3", RopeScaling::kLlama3},      {"yarn", RopeScaling::kYarn},
    {"dynamic", RopeScaling::kDynamicNtk}, {"longrope", RopeScaling::kLongRope},
    {"none", RopeScaling::kNone},          {"su", RopeScaling::kLongRope},
};

Status check_positive(std::string_view field, double value) {
  if (std::isfinite(value) && value > 0) return {};
  return fail(ErrorCode::kInvalidArgument, "rope: {} is {}, expected a positive number", field,
              value);
}

Status check_factors(std::string_view field, std::span<const double> factors, int64_t num_pairs) {
  if (static_cast<int64_t>(factors.size()) != num_pairs) {
    return fail(ErrorCode::kInvalidArgument,
                "rope: {} has {} entries, expected rotary_dim / 2 = {}", field, factors.size(),
                num_pairs);
  }
  for (const double factor : factors) ANYBIT_TRY(check_positive(field, factor));
  return {};
}

Status validate(const RopeParameters& p, int64_t context_length) {
  // A head is never near this wide; the bound keeps a lying file from asking for memory.
  constexpr int64_t kMaxRotaryDim = 1 << 16;
  if (p.rotary_dim <= 0 || p.rotary_dim % 2 != 0 || p.rotary_dim > kMaxRotaryDim) {
    return fail(ErrorCode::kInvalidArgument,
                "rope: rotary_dim is {}, expected an even number from 2 to {}", p.rotary_dim,
                kMaxRotaryDim);
  }
  ANYBIT_TRY(check_positive("theta", p.theta));
  ANYBIT_TRY(check_positive("context length", static_cast<double>(context_length)));
  if (p.scaling != RopeScaling::kNone) ANYBIT_TRY(check_positive("factor", p.factor));
  const bool needs_trained_length =
      p.scaling != RopeScaling::kNone && p.scaling != RopeScaling::kLinear;
  if (needs_trained_length) {
    ANYBIT_TRY(
        check_positive("original_max_position", static_cast<double>(p.original_max_position)));
  }
  if (!std::isfinite(p.attention_factor) || p.attention_factor < 0) {
    return fail(ErrorCode::kInvalidArgument,
                "rope: attention_factor is {}, expected a positive number, or 0 for the default",
                p.attention_factor);
  }
  const int64_t num_pairs = p.rotary_dim / 2;
  if (p.scaling == RopeScaling::kLlama3) {
    ANYBIT_TRY(check_positive("low_frequency_factor", p.low_frequency_factor));
    if (!std::isfinite(p.high_frequency_factor) ||
        p.high_frequency_factor <= p.low_frequency_factor) {
      return fail(ErrorCode::kInvalidArgument,
                  "rope: high_frequency_factor is {}, expected more than low_frequency_factor, {}",
                  p.high_frequency_factor, p.low_frequency_factor);
    }
  }
  if (p.scaling == RopeScaling::kYarn) {
    ANYBIT_TRY(check_positive("beta_fast", p.beta_fast));
    ANYBIT_TRY(check_positive("beta_slow", p.beta_slow));
    if (p.theta == 1) {
      return fail(ErrorCode::kInvalidArgument, "rope: theta is 1, expected another base for yarn");
    }
    if (!std::isfinite(p.mscale) || !std::isfinite(p.mscale_all_dim)) {
      return fail(ErrorCode::kInvalidArgument,
                  "rope: mscale is {}, mscale_all_dim {}, expected "
                  "finite numbers",
                  p.mscale, p.mscale_all_dim);
    }
  }
  if (p.scaling == RopeScaling::kDynamicNtk && p.rotary_dim == 2) {
    return fail(ErrorCode::kInvalidArgument,
                "rope: rotary_dim is 2, expected at least 4 for dynamic scaling");
  }
  if (p.scaling == RopeScaling::kLongRope) {
    ANYBIT_TRY(check_factors("short_factors", p.short_factors, num_pairs));
    ANYBIT_TRY(check_factors("long_factors", p.long_factors, num_pairs));
  }
  if (!p.frequency_divisors.empty()) {
    ANYBIT_TRY(check_factors("frequency_divisors", p.frequency_divisors, num_pairs));
  }
  return {};
}

std::vector<double> unscaled(double theta, int64_t rotary_dim) {
  std::vector<double> frequencies(rotary_dim / 2);
  for (size_t i = 0; i < frequencies.size(); ++i) {
    frequencies[i] =
        std::pow(theta, -2.0 * static_cast<double>(i) / static_cast<double>(rotary_dim));
  }
  return frequencies;
}

/// Wavelengths under trained / high keep their frequency, over trained / low it is divided by
/// factor, and between them the mix is linear in trained / wavelength.
void scale_llama3(const RopeParameters& p, std::vector<double>& frequencies) {
  const auto trained = static_cast<double>(p.original_max_position);
  for (double& frequency : frequencies) {
    const double turns = trained * frequency / (2 * std::numbers::pi);
    const double kept = std::clamp(
        (turns - p.low_frequency_factor) / (p.high_frequency_factor - p.low_frequency_factor), 0.0,
        1.0);
    frequency *= kept + (1 - kept) / p.factor;
  }
}

/// The pair, as a real number, that turns `turns` times over the trained length.
double yarn_pair(const RopeParameters& p, double turns) {
  const double wavelength_ratio =
      static_cast<double>(p.original_max_position) / (turns * 2 * std::numbers::pi);
  return static_cast<double>(p.rotary_dim) * std::log(wavelength_ratio) / (2 * std::log(p.theta));
}

void scale_yarn(const RopeParameters& p, std::vector<double>& frequencies) {
  double low = yarn_pair(p, p.beta_fast), high = yarn_pair(p, p.beta_slow);
  if (p.truncates_ramp) {
    low = std::floor(low);
    high = std::ceil(high);
  }
  low = std::max(low, 0.0);
  high = std::min(high, static_cast<double>(p.rotary_dim - 1));
  if (low == high) high += 0.001;  // A step, as the authors' code has it.
  for (size_t i = 0; i < frequencies.size(); ++i) {
    const double divided = std::clamp((static_cast<double>(i) - low) / (high - low), 0.0, 1.0);
    frequencies[i] *= (1 - divided) + divided / p.factor;
  }
}

double yarn_mscale(double factor, double mscale) {
  return factor <= 1 ? 1 : 0.1 * mscale * std::log(factor) + 1;
}

double default_attention_factor(const RopeParameters& p) {
  if (p.scaling == RopeScaling::kYarn) {
    if (p.mscale != 0 && p.mscale_all_dim != 0) {
      return yarn_mscale(p.factor, p.mscale) / yarn_mscale(p.factor, p.mscale_all_dim);
    }
    return yarn_mscale(p.factor, 1);
  }
  if (p.scaling == RopeScaling::kLongRope && p.factor > 1 && p.original_max_position > 1) {
    return std::sqrt(1 +
                     std::log(p.factor) / std::log(static_cast<double>(p.original_max_position)));
  }
  return 1;
}

double dynamic_theta(const RopeParameters& p, int64_t context_length) {
  const auto trained = static_cast<double>(p.original_max_position);
  const double length = std::max(static_cast<double>(context_length), trained);
  const double exponent = static_cast<double>(p.rotary_dim) / static_cast<double>(p.rotary_dim - 2);
  return p.theta * std::pow(p.factor * length / trained - (p.factor - 1), exponent);
}

std::vector<double> scaled(const RopeParameters& p, int64_t context_length) {
  std::vector<double> frequencies = unscaled(p.theta, p.rotary_dim);
  switch (p.scaling) {
    case RopeScaling::kNone: break;
    case RopeScaling::kLinear:
      for (double& frequency : frequencies) frequency /= p.factor;
      break;
    case RopeScaling::kLlama3: scale_llama3(p, frequencies); break;
    case RopeScaling::kYarn: scale_yarn(p, frequencies); break;
    case RopeScaling::kDynamicNtk: return unscaled(dynamic_theta(p, context_length), p.rotary_dim);
    case RopeScaling::kLongRope: {
      const bool is_long = context_length > p.original_max_position;
      const std::vector<double>& divisors = is_long ? p.long_factors : p.short_factors;
      for (size_t i = 0; i < frequencies.size(); ++i) frequencies[i] /= divisors[i];
      break;
    }
  }
  return frequencies;
}

}  // namespace

std::string_view name(RopeScaling scaling) {
  for (const ScalingName& row : kScalingNames) {
    if (row.scaling == scaling) return row.name;
  }
  return "unknown";
}

Result<RopeScaling> parse_rope_scaling(std::string_view text) {
  for (const ScalingName& row : kScalingNames) {
    if (row.name == text) return row.scaling;
  }
  return fail(ErrorCode::kNotFound,
              "rope scaling \"{}\": expected default, linear, llama3, yarn, dynamic or longrope",
              text);
}

Result<RopeFrequencies> rope_frequencies(const RopeParameters& parameters, int64_t context_length) {
  ANYBIT_TRY(validate(parameters, context_length));
  RopeFrequencies result;
  result.pairing = parameters.pairing;
  result.radians_per_position = scaled(parameters, context_length);
  for (size_t i = 0; i < parameters.frequency_divisors.size(); ++i) {
    result.radians_per_position[i] /= parameters.frequency_divisors[i];
  }
  for (const double frequency : result.radians_per_position) {
    if (!std::isfinite(frequency)) {
      return fail(ErrorCode::kInvalidArgument,
                  "rope: theta {} with factor {} gives a frequency of {}", parameters.theta,
                  parameters.factor, frequency);
    }
  }
  const bool is_given =
      parameters.attention_factor != 0 &&
      (parameters.scaling == RopeScaling::kYarn || parameters.scaling == RopeScaling::kLongRope);
  result.attention_factor =
      is_given ? parameters.attention_factor : default_attention_factor(parameters);
  return result;
}

}  // namespace anybit::kernel
