// What one rendering may spend, so that no template can hang the process or fill its memory.
#pragma once

#include <cstdint>

#include "anybit/base/result.h"

namespace anybit::model::jinja {

class Budget {
 public:
  Budget(int64_t max_steps, int64_t max_bytes)
      : steps_left_(max_steps),
        bytes_left_(max_bytes),
        max_steps_(max_steps),
        max_bytes_(max_bytes) {}

  /// Accounts for work that takes `count` basic steps. Pre: count >= 0.
  /// Errors: kInvalidArgument once the template has used more than it may.
  Status spend_steps(int64_t count) {
    if (bytes_left_ < 0) return spend_bytes(0);
    if (count > steps_left_) {
      return fail(ErrorCode::kInvalidArgument, "the template takes more than {} steps", max_steps_);
    }
    steps_left_ -= count;
    return {};
  }

  /// Accounts for `count` bytes of results, before they are made. Pre: count >= 0.
  Status spend_bytes(int64_t count) {
    if (count > bytes_left_) {
      return fail(ErrorCode::kInvalidArgument, "the template makes more than {} bytes", max_bytes_);
    }
    bytes_left_ -= count;
    return {};
  }

  /// Accounts for bytes already made; if they were too many, the next spend fails.
  void debit_bytes(int64_t count) { bytes_left_ -= count; }

  /// spend_bytes() and as many steps: for work linear in its result.
  Status spend_text(size_t num_bytes) {
    ANYBIT_TRY(spend_steps(static_cast<int64_t>(num_bytes / 16) + 1));
    return spend_bytes(static_cast<int64_t>(num_bytes));
  }

  /// A collection of `num_items` values.
  Status spend_items(size_t num_items) {
    constexpr int64_t kBytesPerItem = 32;
    ANYBIT_TRY(spend_steps(static_cast<int64_t>(num_items) + 1));
    return spend_bytes(static_cast<int64_t>(num_items) * kBytesPerItem);
  }

 private:
  int64_t steps_left_;
  int64_t bytes_left_;
  int64_t max_steps_;
  int64_t max_bytes_;
};

}  // namespace anybit::model::jinja
