// Pipeline: everything a tokenizer file says, in the form the Tokenizer runs.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "anybit/base/result.h"
#include "anybit/model/tokenizer/internal/added_tokens.h"
#include "anybit/model/tokenizer/internal/bpe_model.h"
#include "anybit/model/tokenizer/internal/decoder.h"
#include "anybit/model/tokenizer/internal/normalizer.h"
#include "anybit/model/tokenizer/internal/pre_tokenizer.h"
#include "anybit/model/tokenizer/internal/score_model.h"
#include "anybit/model/tokenizer/internal/token_table.h"
#include "anybit/model/tokenizer/internal/unigram_model.h"

namespace anybit::model::internal {

/// Ids are below this; a table of that many entries is the most a hostile file can ask for.
inline constexpr int64_t kMaxVocabSize = int64_t{1} << 24;

using WordModel = std::variant<BpeModel, ScoreModel, UnigramModel>;

/// One id's spelling and role.
struct VocabularyEntry {
  std::string spelling;
  std::string normalized;    // What decoding starts from, where it is not the spelling.
  bool is_special = false;   // Left out under skip_special.
  bool is_verbatim = false;  // The spelling is the text itself.
};

/// The ids with a role; absent where the file gives none.
struct RoleIds {
  std::optional<int32_t> bos;
  std::optional<int32_t> eos;
  std::optional<int32_t> padding;
  std::optional<int32_t> unknown;
};

struct Pipeline {
  std::string name;
  AddedTokenMatcher raw_tokens;         // Found in the text as it is.
  AddedTokenMatcher normalized_tokens;  // Found in the normalized text.
  std::vector<NormalizerStep> normalizers;
  std::vector<PreTokenizerStep> pre_tokenizers;
  bool pieces_are_spelled = false;  // Pieces come in the byte-level alphabet; words are bytes.
  std::optional<WordModel> model;
  std::vector<int32_t> prefix_ids;  // Added around the text by add_special.
  std::vector<int32_t> suffix_ids;
  std::vector<DecoderStep> decoders;
  bool joins_with_spaces = false;           // The file has no decoder.
  std::vector<VocabularyEntry> vocabulary;  // [vocab_size]
  TokenTable spellings;                     // Of the vocabulary, and of the added tokens.
  RoleIds roles;
  std::vector<int32_t> end_ids;  // Ascending.
};

/// Fills end_ids from the roles and the vocabulary's ends of a turn.
void find_end_ids(Pipeline& pipeline);

/// The ids of `text`.
/// Errors: those of Tokenizer::encode(), without the file's name.
Result<std::vector<int32_t>> encode_text(const Pipeline& pipeline, std::string_view text,
                                         bool parse_special);

}  // namespace anybit::model::internal
