// SequenceModel: what the engine needs of a language model and its cache for one sequence. Models
// plug in here; tests bring small ones of their own.
#pragma once

#include <cstdint>
#include <span>

#include "anybit/base/result.h"

namespace anybit::engine {

/// A model together with the cached state of one growing sequence of tokens.
class SequenceModel {
 public:
  virtual ~SequenceModel() = default;

  virtual int64_t vocab_size() const = 0;
  /// Tokens the sequence may hold.
  virtual int64_t capacity() const = 0;
  /// Tokens the sequence holds.
  virtual int64_t length() const = 0;

  /// Appends `tokens` and computes the logits of the token after the last of them.
  /// Shapes: last_logits [vocab_size()], or empty if they are not wanted.
  /// Pre: tokens is not empty and length() + tokens.size() <= capacity().
  /// Errors: the model's own, and kInvalidArgument for an id outside the vocabulary. After an error
  /// length() is at least what it was before.
  virtual Status forward(std::span<const int32_t> tokens, std::span<float> last_logits) = 0;

  /// Forgets all but the first `length` tokens. Pre: 0 <= length <= this->length().
  virtual void truncate(int64_t length) = 0;
};

}  // namespace anybit::engine
