// Rotary position embedding: turns pairs of elements of a query or key by angles that grow with the
// token's position. Frequencies are chosen once a model, angles once a forward pass, and applied in
// every layer.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "anybit/base/parallel.h"
#include "anybit/base/result.h"
#include "anybit/kernel/variant.h"

namespace anybit::kernel {

/// Which elements of a head make pair i.
enum class RopePairing : uint8_t {
  kHalves,       // (i, i + rotary_dim / 2): Hugging Face checkpoints, GGUF's "neox".
  kInterleaved,  // (2 i, 2 i + 1): the original paper, GGUF files of the llama family.
};

/// How frequencies are stretched beyond the length a model was trained on.
enum class RopeScaling : uint8_t {
  kNone,
  kLinear,      // All by 1 / factor.
  kLlama3,      // Low frequencies by 1 / factor, high ones kept, between them interpolated.
  kYarn,        // Likewise on a ramp of dimensions, and attention gets a temperature.
  kDynamicNtk,  // theta grows with the context length.
  kLongRope,    // One factor a pair, from a short or a long list.
};

/// The word config.json uses: "linear", "llama3", "yarn", "dynamic", "longrope"; kNone: "default".
std::string_view name(RopeScaling scaling);

/// Errors: kNotFound for a word that name() never gives; "none" and "su" (an alias of longrope) too
/// are read.
Result<RopeScaling> parse_rope_scaling(std::string_view text);

struct RopeParameters {
  RopePairing pairing = RopePairing::kHalves;
  int64_t rotary_dim = 0;  // Leading elements of a head that turn: head_dim, or an even part of it.
  double theta = 10000;    // Frequency of pair i: theta^(-2 i / rotary_dim), before scaling.

  RopeScaling scaling = RopeScaling::kNone;
  double factor = 1;                  // All kinds but kNone; context length / trained length.
  int64_t original_max_position = 0;  // kLlama3, kYarn, kDynamicNtk, kLongRope: trained length.
  double low_frequency_factor = 1;    // kLlama3
  double high_frequency_factor = 4;   // kLlama3
  double beta_fast = 32;              // kYarn: turns over the trained length above which a
  double beta_slow = 1;               // frequency is kept, and under which it is divided by factor.
  bool truncates_ramp = true;         // kYarn: ramp ends at whole dimensions.
  double attention_factor = 0;        // kYarn, kLongRope: multiplies cos and sin; 0: the paper's.
  double mscale = 0;                  // kYarn as DeepSeek has it; 0: not given.
  double mscale_all_dim = 0;
  std::vector<double> short_factors;  // kLongRope: [rotary_dim / 2] each.
  std::vector<double> long_factors;

  /// Divides the scaled frequencies, [rotary_dim / 2]; empty: ones. GGUF's rope_freqs.weight, which
  /// already holds Llama 3's scaling.
  std::vector<double> frequency_divisors;
};

/// What RopeParameters come to for one context length.
struct RopeFrequencies {
  RopePairing pairing = RopePairing::kHalves;
  std::vector<double> radians_per_position;  // [rotary_dim / 2]
  double attention_factor = 1;               // Multiplies cos and sin.

  int64_t rotary_dim() const { return 2 * static_cast<int64_t>(radians_per_position.size()); }
};

/// Chooses the frequencies. `context_length` decides between kLongRope's lists and sets
/// kDynamicNtk's theta; it is fixed for as long as keys stay in a cache. Errors: kInvalidArgument
/// naming the field and its value if rotary_dim is not even and positive, a number is not finite or
/// out of range, or a list does not have rotary_dim / 2 entries. Source: Su et al. 2021 (RoFormer);
/// Peng et al. 2023 (YaRN), section 3; Ding et al. 2024 (LongRoPE); Llama 3.1's release for
/// kLlama3.
Result<RopeFrequencies> rope_frequencies(const RopeParameters& parameters, int64_t context_length);

/// Cosines and sines of a run of tokens, times attention_factor; computed in double, rounded once.
struct RopeAngles {
  RopePairing pairing = RopePairing::kHalves;
  int64_t num_tokens = 0;
  int64_t num_pairs = 0;       // rotary_dim / 2
  std::vector<float> cosines;  // [num_tokens, num_pairs]
  std::vector<float> sines;    // [num_tokens, num_pairs]
};

/// The angles of positions first_position, first_position + 1, ...
RopeAngles rope_angles(const RopeFrequencies& frequencies, int64_t first_position,
                       int64_t num_tokens);

/// Turns every head of every token in place; elements from rotary_dim on stay.
/// Shapes: x [num_tokens, num_heads, head_dim] with `token_stride` floats from a token to the next.
/// Pre: head_dim >= rotary_dim; token_stride >= num_heads * head_dim.
void apply_rope(const RopeAngles& angles, float* x, int64_t num_heads, int64_t head_dim,
                int64_t token_stride, Threads threads);

/// The heads of one token: x [num_heads, head_dim]; cosines, sines [num_pairs].
using RopeToken = void(RopePairing pairing, const float* cosines, const float* sines,
                       int64_t num_pairs, float* x, int64_t num_heads, int64_t head_dim);

/// Every implementation, best first.
std::span<const Variant<RopeToken>> rope_variants();

}  // namespace anybit::kernel
