// WordScratch: buffers a model reuses from word to word; one thread uses it at a time.
#pragma once

#include <cstdint>
#include <vector>

namespace anybit::model::internal {

/// A symbol of a word under merging, in a doubly linked list over an array.
struct Symbol {
  int32_t id;          // Vocabulary id, or -1 if the model merges by text.
  int32_t begin;       // First byte in the word.
  int32_t size_bytes;  // 0 once merged into the symbol before it.
  int32_t previous;    // Index, or -1.
  int32_t next;        // Index, or -1.
};

struct WordScratch {
  struct ScoredPair {
    float score;
    int32_t left;        // Index of the left symbol.
    int32_t size_bytes;  // Of both symbols when the pair was seen.
    int32_t id;          // The token they make.
  };

  std::vector<Symbol> symbols;
  std::vector<uint64_t> ranked_pairs;    // A heap of rank << 32 | left symbol.
  std::vector<ScoredPair> scored_pairs;  // A heap.
};

}  // namespace anybit::model::internal
