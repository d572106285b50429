// ByteTrie: byte strings to values, walked a byte at a time.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "anybit/model/tokenizer/internal/token_table.h"

namespace anybit::model::internal {

class ByteTrie {
 public:
  static constexpr int32_t kRoot = 0;

  /// Maps `bytes` to `value`; the last insertion of a string wins. Pre: value >= 0.
  void insert(std::string_view bytes, int32_t value) {
    int32_t node = kRoot;
    for (const char c : bytes) {
      int32_t next = child(node, static_cast<uint8_t>(c));
      if (next < 0) {
        next = static_cast<int32_t>(values_.size());
        edges_.insert(node, static_cast<uint8_t>(c), {0, next});
        values_.push_back(-1);
      }
      node = next;
    }
    values_[node] = value;
  }

  /// The node `byte` leads to from `node`, or -1.
  int32_t child(int32_t node, uint8_t byte) const { return edges_.find(node, byte).merged_id; }

  /// The value of the string that ends at `node`, or -1.
  int32_t value(int32_t node) const { return values_[node]; }

 private:
  MergeTable edges_;  // (node, byte) to the next node.
  std::vector<int32_t> values_ = {-1};
};

}  // namespace anybit::model::internal
