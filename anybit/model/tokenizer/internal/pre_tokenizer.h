// PreTokenizer: the steps that split a normalized text into words. Merges never cross a word.
#pragma once

#include <cstdint>
#include <deque>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "anybit/base/result.h"
#include "anybit/model/tokenizer/internal/normalizer.h"
#include "anybit/model/tokenizer/internal/regex.h"

namespace anybit::model::internal {

/// What becomes of a delimiter. "the-final--countdown" split at '-':
enum class SplitBehavior : uint8_t {
  kRemoved,             // the final countdown
  kIsolated,            // the - final - - countdown
  kMergedWithPrevious,  // the- final- - countdown
  kMergedWithNext,      // the -final - -countdown
  kContiguous,          // the - final -- countdown
};

/// Splits at the matches of a pattern; `invert` exchanges matches and the rest.
struct SplitStep {
  Pattern pattern;
  SplitBehavior behavior;
  bool invert;
};

/// Sets of characters a text is split at.
enum class CharacterSet : uint8_t { kNumeric, kPunctuation, kWhitespace };

/// Splits at every character of a set.
struct CharacterSplitStep {
  CharacterSet set;
  SplitBehavior behavior;
};

/// Optionally puts a space before each piece that has none, splits by `pattern` if there is one,
/// and, if spell_out, writes the bytes in the byte-level alphabet for the steps that follow.
struct ByteLevelStep {
  bool add_prefix_space;
  std::optional<Regex> pattern;
  bool spell_out;
};

/// Which pieces get a replacement character before them.
enum class PrependScheme : uint8_t { kFirst, kNever, kAlways };

/// Writes spaces as `replacement` and optionally splits before each.
struct MetaspaceStep {
  std::string replacement;
  PrependScheme prepend_scheme;
  bool split;
};

using PreTokenizerStep = std::variant<SplitStep, CharacterSplitStep, ByteLevelStep, MetaspaceStep>;

/// A piece of text, and whether it begins where the whole text began.
struct Piece {
  std::string_view text;
  bool at_start;
};

/// Owns texts whose views must outlive the step that made them.
using TextStore = std::deque<std::string>;

/// Runs the steps in order on `piece`. Post: no piece is empty.
/// Errors: those of Regex::find_all().
Result<std::vector<Piece>> pre_tokenize(const std::vector<PreTokenizerStep>& steps, Piece piece,
                                        TextStore& store, RegexScratch& scratch);

}  // namespace anybit::model::internal
