// BpeModel: byte pair encoding by ranked merges, over bytes or over characters.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <memory>
#include <string_view>
#include <vector>

#include "anybit/base/result.h"
#include "anybit/model/tokenizer/internal/metaspace_cuts.h"
#include "anybit/model/tokenizer/internal/token_table.h"
#include "anybit/model/tokenizer/internal/word_scratch.h"

namespace anybit::model::internal {

/// What a BpeModel does at the edges of its vocabulary.
struct BpeOptions {
  bool is_byte_level = false;  // Symbols begin as bytes, not as characters.
  bool ignore_merges = false;  // A word that is a token is that token, reachable or not.
  bool byte_fallback = false;  // An unknown character becomes its "<0x..>" tokens, if it can.
  bool fuse_unknown = false;   // A run of unknown characters is one unknown token.
};

/// Splits a word into tokens: repeatedly merges the pair of lowest rank, leftmost first.
/// Source: the `tokenizers` package, BPE; Sennrich et al. 2016, section 3.2.
class BpeModel {
 public:
  /// No unknown token: unknown characters vanish. kMissing: the file names one it does not have.
  static constexpr int32_t kNoUnknown = -1;
  static constexpr int32_t kMissingUnknown = -2;

  /// `spellings` maps the vocabulary's own spelling to ids; `words` maps what encode_word() is
  /// given: raw bytes if byte-level, else the same spelling.
  BpeModel(BpeOptions options, const TokenTable& spellings, TokenTable words, MergeTable merges,
           int32_t unknown_id, int64_t vocab_size, const MetaspaceCuts& cuts);

  /// Appends the ids of `word`. O(n log n).
  /// Errors: kCorruptData if it needs an unknown token the file names but lacks.
  Status encode_word(std::string_view word, WordScratch& scratch, std::vector<int32_t>& ids) const;

  /// Where a text may be cut into words.
  const MetaspaceCuts* cuts() const { return &cuts_; }

 private:
  enum Reach : uint8_t { kUnknownReach, kReachable, kUnreachable };

  Status append_symbols(std::string_view word, std::vector<Symbol>& symbols) const;
  bool append_fallback(std::string_view unit, std::vector<Symbol>& symbols) const;
  void merge_short(std::vector<Symbol>& symbols) const;
  void merge_long(WordScratch& scratch) const;
  void push_pair(const std::vector<Symbol>& symbols, int32_t left,
                 std::vector<uint64_t>& heap) const;

  BpeOptions options_;
  TokenTable words_;
  MergeTable merges_;
  int32_t unknown_id_;
  MetaspaceCuts cuts_;
  std::array<int32_t, 256> byte_ids_;      // Of the one-byte words, or -1.
  std::array<int32_t, 256> fallback_ids_;  // Of "<0x00>" ... "<0xFF>", or -1.
  // Whether the merges turn the token's bytes into the token; found out when first asked. A pure
  // function of the model, so a race writes the same value.
  std::unique_ptr<std::atomic<uint8_t>[]> reach_;  // [vocab_size]
};

/// The ids of "<0x00>" to "<0xFF>", -1 where absent.
std::array<int32_t, 256> find_fallback_ids(const TokenTable& spellings);

}  // namespace anybit::model::internal
