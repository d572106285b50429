#include "anybit/model/model.h"

#include <algorithm>

#include "anybit/base/check.h"
#include "anybit/model/forward/internal/parts.h"

namespace anybit::model {
namespace {

constexpr int64_t kDefaultCapacity = 4096;
constexpr int64_t kLogitsBytes = int64_t{16} << 20;  // Of one visit_logits() batch.

Status check_tokens(const ModelConfig& config, const internal::StateParts& state,
                    std::span<const int32_t> tokens) {
  if (tokens.empty()) {
    return fail(ErrorCode::kInvalidArgument, "a forward pass needs at least one token");
  }
  for (const int32_t token : tokens) {
    if (token < 0 || token >= config.vocab_size) {
      return fail(ErrorCode::kInvalidArgument, "token id {} is outside the vocabulary of {}", token,
                  config.vocab_size);
    }
  }
  const int64_t length = state.cache.length(), capacity = state.cache.capacity();
  if (static_cast<int64_t>(tokens.size()) > capacity - length) {
    return fail(ErrorCode::kOutOfMemory,
                "{} tokens after {} exceed the context's capacity of {} tokens", tokens.size(),
                length, capacity);
  }
  return {};
}

/// Called for each chunk: tokens [first, first + count) of the whole, of which the last
/// num_wanted have rows in scratch.normed.
using ChunkVisitor = std::function<Status(int64_t first, int64_t count, int64_t num_wanted)>;

/// Runs `tokens` in chunks. After an error the cache is as before.
Status run_chunks(const internal::ModelParts& model, internal::StateParts& state,
                  std::span<const int32_t> tokens, int64_t first_wanted,
                  const ChunkVisitor& visit) {
  ANYBIT_TRY(check_tokens(model.config, state, tokens));
  const int64_t length = state.cache.length();
  const auto num_tokens = static_cast<int64_t>(tokens.size());
  for (int64_t first = 0; first < num_tokens; first += model.options.prefill_chunk) {
    const int64_t count = std::min(model.options.prefill_chunk, num_tokens - first);
    const int64_t skipped = std::clamp<int64_t>(first_wanted - first, 0, count);
    Status status = internal::run_layers(
        model, state, tokens.subspan(static_cast<size_t>(first), static_cast<size_t>(count)),
        skipped);
    if (status) status = visit(first, count, count - skipped);
    if (!status) {
      state.cache.truncate(length);
      return status;
    }
  }
  return {};
}

}  // namespace

ForwardState::ForwardState(std::unique_ptr<internal::StateParts> parts)
    : parts_(std::move(parts)) {}
ForwardState::ForwardState(ForwardState&&) noexcept = default;
ForwardState& ForwardState::operator=(ForwardState&&) noexcept = default;
ForwardState::~ForwardState() = default;

int64_t ForwardState::length() const { return parts_->cache.length(); }
int64_t ForwardState::capacity() const { return parts_->cache.capacity(); }
void ForwardState::truncate(int64_t length) { parts_->cache.truncate(length); }
int64_t ForwardState::kv_bytes() const { return parts_->cache.size_bytes(); }

Model::Model(std::unique_ptr<const internal::ModelParts> parts) : parts_(std::move(parts)) {}
Model::Model(Model&&) noexcept = default;
Model& Model::operator=(Model&&) noexcept = default;
Model::~Model() = default;

const ModelConfig& Model::config() const { return parts_->config; }

Result<ForwardState> Model::start(const StateOptions& options) const {
  const ModelConfig& config = parts_->config;
  if (options.capacity < 0) {
    return fail(ErrorCode::kInvalidArgument, "a context's capacity must be positive, found {}",
                options.capacity);
  }
  const int64_t capacity =
      options.capacity > 0 ? options.capacity : std::min(config.max_positions, kDefaultCapacity);
  ANYBIT_ASSIGN(kernel::KvCache cache,
                kernel::KvCache::create(config.num_layers, {.num_kv_heads = config.num_kv_heads,
                                                            .head_dim = config.head_dim,
                                                            .capacity = capacity,
                                                            .element = options.kv_element}));
  kernel::RopeParameters rope = config.rope;
  rope.frequency_divisors = parts_->rope_divisors;
  ANYBIT_ASSIGN(auto frequencies, kernel::rope_frequencies(rope, capacity));
  ANYBIT_ASSIGN(auto sliding, kernel::rope_frequencies(config.sliding_rope, capacity));
  return ForwardState(std::make_unique<internal::StateParts>(
      internal::StateParts{std::move(cache), std::move(frequencies), std::move(sliding), {}}));
}

Result<std::span<const float>> Model::forward(ForwardState& state, std::span<const int32_t> tokens,
                                              LogitsOf logits_of) const {
  const auto num_tokens = static_cast<int64_t>(tokens.size());
  if (logits_of == LogitsOf::kLastToken) {
    std::span<const float> logits;
    ANYBIT_TRY(run_chunks(*parts_, *state.parts_, tokens, num_tokens - 1,
                          [&](int64_t, int64_t, int64_t num_wanted) -> Status {
                            if (num_wanted > 0) {
                              logits = compute_logits(*parts_, *state.parts_, 0, num_wanted);
                            }
                            return {};
                          }));
    return logits;
  }
  if (num_tokens <= parts_->options.prefill_chunk) {
    std::span<const float> logits;
    ANYBIT_TRY(run_chunks(*parts_, *state.parts_, tokens, 0,
                          [&](int64_t, int64_t count, int64_t) -> Status {
                            logits = compute_logits(*parts_, *state.parts_, 0, count);
                            return {};
                          }));
    return logits;
  }
  std::vector<float> all;
  all.reserve(static_cast<size_t>(num_tokens * parts_->config.vocab_size));
  ANYBIT_TRY(visit_logits(state, tokens, 0, [&](int64_t, std::span<const float> logits) -> Status {
    all.insert(all.end(), logits.begin(), logits.end());
    return {};
  }));
  state.parts_->scratch.logits = std::move(all);
  return std::span<const float>(state.parts_->scratch.logits);
}

Status Model::visit_logits(ForwardState& state, std::span<const int32_t> tokens, int64_t first,
                           const LogitsVisitor& visit) const {
  if (first < 0 || first > static_cast<int64_t>(tokens.size())) {
    return fail(ErrorCode::kInvalidArgument, "logits from token {} of {} tokens were asked for",
                first, tokens.size());
  }
  const int64_t vocab_size = parts_->config.vocab_size;
  const int64_t batch =
      std::max<int64_t>(1, kLogitsBytes / (vocab_size * static_cast<int64_t>(sizeof(float))));
  return run_chunks(*parts_, *state.parts_, tokens, first,
                    [&](int64_t first_token, int64_t count, int64_t num_wanted) -> Status {
                      for (int64_t row = 0; row < num_wanted; row += batch) {
                        const int64_t num_rows = std::min(batch, num_wanted - row);
                        const auto logits = compute_logits(*parts_, *state.parts_, row, num_rows);
                        for (int64_t i = 0; i < num_rows; ++i) {
                          ANYBIT_TRY(visit(first_token + count - num_wanted + row + i,
                                           logits.subspan(static_cast<size_t>(i * vocab_size),
                                                          static_cast<size_t>(vocab_size))));
                        }
                      }
                      return {};
                    });
}

int64_t Model::weight_bytes() const {
  int64_t size_bytes = parts_->output.size_bytes() + parts_->embedding.size_bytes();
  for (const internal::PackedLayer& layer : parts_->layers) size_bytes += layer.size_bytes();
  return size_bytes;
}

int64_t Model::weight_bytes_per_token() const {
  const ModelConfig& config = parts_->config;
  int64_t size_bytes =
      parts_->output.size_bytes() + parts_->embedding.size_bytes() / config.vocab_size;
  for (const internal::PackedLayer& layer : parts_->layers) {
    size_bytes += layer.size_bytes();
    if (!config.is_moe()) continue;
    const internal::PackedMlp& expert = layer.experts.front();
    size_bytes -= (config.num_experts - config.num_experts_per_token) *
                  (expert.gate_up.size_bytes() + expert.down.size_bytes());
  }
  return size_bytes;
}

std::string Model::kernel_names() const {
  std::vector<std::string> names;
  for (const internal::PackedLayer& layer : parts_->layers) {
    layer.qkv.collect_kernel_names(names);
    layer.output.collect_kernel_names(names);
    layer.router.collect_kernel_names(names);
    for (const internal::PackedMlp& mlp : layer.experts) {
      mlp.gate_up.collect_kernel_names(names);
      mlp.down.collect_kernel_names(names);
    }
  }
  parts_->output.collect_kernel_names(names);
  std::string joined;
  for (const std::string& name : names) joined += (joined.empty() ? "" : ", ") + name;
  return joined;
}

}  // namespace anybit::model
