// Model: a decoder ready to run. Weights packed for this processor; a ForwardState holds what one
// sequence adds. What makes tokens of text, and chooses the next one, is left to tokenizer/ and
// kernel/sampling.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "anybit/base/cpu.h"
#include "anybit/base/parallel.h"
#include "anybit/base/progress.h"
#include "anybit/base/result.h"
#include "anybit/kernel/kv_cache/kv_cache.h"
#include "anybit/model/config.h"
#include "anybit/model/weights/weight_source.h"

namespace anybit::model {

namespace internal {
struct ModelParts;
struct StateParts;
}  // namespace internal

struct ModelOptions {
  std::string kernel_name;  // Forces a matrix kernel (kernel::PackOptions); empty: the best.
  CpuFeatures cpu = CpuFeatures::host();
  Threads threads;
  int64_t prefill_chunk = 256;  // Most tokens one pass takes; bounds scratch memory.
  ProgressSink progress;        // Task "load", in layers.
};

struct StateOptions {
  /// Tokens; 0: the model's max_positions, at most 4096. Also the context length that rope scaling
  /// of the kinds "dynamic" and "longrope" is set for.
  int64_t capacity = 0;
  kernel::KvElement kv_element = kernel::KvElement::kF16;
};

/// Whose logits a pass returns.
enum class LogitsOf : uint8_t { kLastToken, kAllTokens };

/// The keys and values of one sequence, and scratch memory. Not for two threads at once.
class ForwardState {
 public:
  ForwardState(ForwardState&&) noexcept;
  ForwardState& operator=(ForwardState&&) noexcept;
  ~ForwardState();

  /// Tokens in the context so far.
  int64_t length() const;
  int64_t capacity() const;
  /// Forgets all but the first `length` tokens: rejected guesses, another continuation.
  /// Pre: 0 <= length <= this->length().
  void truncate(int64_t length);
  /// Bytes of keys and values reserved, for all of capacity.
  int64_t kv_bytes() const;

 private:
  friend class Model;
  explicit ForwardState(std::unique_ptr<internal::StateParts> parts);
  std::unique_ptr<internal::StateParts> parts_;
};

/// Immutable and shareable between threads; each sequence has its own ForwardState.
class Model {
 public:
  /// Visits logits[vocab_size] of the token after tokens[index]; valid during the call.
  using LogitsVisitor = std::function<Status(int64_t index, std::span<const float> logits)>;

  /// Packs the weights, one layer at a time. `source` is not kept, but a mapped embedding is.
  /// Errors: those of read_layer(), read_outer() and kernel::pack(), naming the tensor.
  static Result<Model> load(const WeightSource& source, const ModelOptions& options);

  Model(Model&&) noexcept;
  Model& operator=(Model&&) noexcept;
  ~Model();

  const ModelConfig& config() const;

  /// An empty context. Errors: kInvalidArgument for a negative capacity; kOutOfMemory.
  Result<ForwardState> start(const StateOptions& options = {}) const;

  /// Appends `tokens` to the context: prefill for many, decode for one, verification of guesses
  /// for a few with kAllTokens. A token's logits do not depend on how many come in one call.
  /// Shapes: logits [vocab_size] of the last token, or [num_tokens, vocab_size]; they stay valid
  /// until the state is used again.
  /// Errors: kInvalidArgument for no tokens or an id outside the vocabulary; kOutOfMemory if the
  /// context would exceed the capacity. After an error the context is as before.
  Result<std::span<const float>> forward(ForwardState& state, std::span<const int32_t> tokens,
                                         LogitsOf logits_of = LogitsOf::kLastToken) const;

  /// forward() that visits the logits of tokens [first, tokens.size()) in order, in memory that
  /// does not grow with their number. Errors: as above; the visitor's.
  Status visit_logits(ForwardState& state, std::span<const int32_t> tokens, int64_t first,
                      const LogitsVisitor& visit) const;

  /// Bytes of all weights as packed, and the part that decoding one token reads (with experts:
  /// the chosen ones; of the embedding: one row; keys and values not counted).
  int64_t weight_bytes() const;
  int64_t weight_bytes_per_token() const;

  /// Names of the matrix kernels in use, comma separated: "linear_avx2, panel_avx2".
  std::string kernel_names() const;

 private:
  explicit Model(std::unique_ptr<const internal::ModelParts> parts);
  std::unique_ptr<const internal::ModelParts> parts_;
};

}  // namespace anybit::model
