// ScoreModel: SentencePiece's BPE, which merges the neighbours that form the piece of highest
// score.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "anybit/base/result.h"
#include "anybit/model/tokenizer/internal/metaspace_cuts.h"
#include "anybit/model/tokenizer/internal/token_table.h"
#include "anybit/model/tokenizer/internal/word_scratch.h"

namespace anybit::model::internal {

/// A piece that merging may produce.
struct ScoredPiece {
  int32_t id;
  float score;
  bool is_unused;  // May be a step on the way, but is taken apart again in the result.
};

/// Splits a text into pieces; characters that are no piece become their byte tokens, or the unknown
/// token if there are none.
/// Source: SentencePiece, bpe_model.cc.
class ScoreModel {
 public:
  /// `pieces` is indexed by id, with id -1 where merging may not produce that token.
  ScoreModel(TokenTable words, std::vector<ScoredPiece> pieces,
             std::array<int32_t, 256> fallback_ids, int32_t unknown_id, const MetaspaceCuts& cuts);

  /// Appends the ids of `word`. O(n log n).
  /// Errors: kCorruptData if a character has neither a piece nor byte tokens nor an unknown token.
  Status encode_word(std::string_view word, WordScratch& scratch, std::vector<int32_t>& ids) const;

  /// Where a text may be cut into words.
  const MetaspaceCuts* cuts() const { return &cuts_; }

 private:
  using SplitPoints =
      std::unordered_map<int32_t, int32_t>;  // Unused piece to its left part's size.

  void push_pair(std::string_view word, WordScratch& scratch, int32_t left,
                 SplitPoints& split_points) const;
  void merge(std::string_view word, WordScratch& scratch, SplitPoints& split_points) const;
  Status append_ids(std::string_view piece, const SplitPoints& split_points,
                    std::vector<int32_t>& ids) const;

  TokenTable words_;
  std::vector<ScoredPiece> pieces_;
  std::array<int32_t, 256> fallback_ids_;
  int32_t unknown_id_;
  MetaspaceCuts cuts_;
};

}  // namespace anybit::model::internal
