// UnigramModel: SentencePiece's unigram language model; the segmentation of highest probability.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>
#include <vector>

#include "anybit/base/result.h"
#include "anybit/model/tokenizer/internal/byte_trie.h"
#include "anybit/model/tokenizer/internal/metaspace_cuts.h"
#include "anybit/model/tokenizer/internal/token_table.h"
#include "anybit/model/tokenizer/internal/word_scratch.h"

namespace anybit::model::internal {

/// Viterbi over the pieces of a vocabulary, in f64. An unknown character scores 10 below the
/// worst piece; a run of them is one unknown token, or its bytes if all have byte tokens.
/// Source: the `tokenizers` package, Unigram; Kudo 2018.
class UnigramModel {
 public:
  /// `scores` is indexed by id; `pieces` and `words` map the same strings to ids. unknown_id may
  /// be -1.
  UnigramModel(TokenTable words, ByteTrie pieces, std::vector<double> scores, int32_t unknown_id,
               bool byte_fallback);

  /// Appends the ids of `word`. O(n · longest piece).
  /// Errors: kCorruptData if a character is unknown and the file has no unknown token.
  Status encode_word(std::string_view word, WordScratch& scratch, std::vector<int32_t>& ids) const;

  /// None: the best segmentation of a word depends on its neighbours.
  static const MetaspaceCuts* cuts() { return nullptr; }

 private:
  struct Best {
    double score;
    int32_t begin;  // Of the last piece, or -1: not reached.
    int32_t id;
  };

  Status find_best(std::string_view word, std::vector<Best>& best) const;
  void append_unknown(std::string_view run, std::vector<int32_t>& ids) const;

  TokenTable words_;
  ByteTrie pieces_;  // To ids.
  std::vector<double> scores_;
  std::array<int32_t, 256> fallback_ids_;
  double unknown_score_;
  int32_t unknown_id_;
  bool byte_fallback_;
};

}  // namespace anybit::model::internal
