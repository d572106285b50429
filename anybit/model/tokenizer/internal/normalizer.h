// Normalizer: the steps that rewrite a text before it is split into words.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "anybit/base/result.h"
#include "anybit/model/tokenizer/internal/regex.h"
#include "anybit/model/tokenizer/internal/unicode.h"

namespace anybit::model::internal {

/// A literal string or a regular expression.
struct Pattern {
  std::string literal;  // Used if there is no regex.
  std::optional<Regex> regex;

  /// As Regex::find_all(); an empty literal matches nothing.
  Status find_all(std::string_view text, RegexScratch& scratch, std::vector<Span>& spans) const;
};

/// Puts `text` before a text that is not empty.
struct PrependStep {
  std::string text;
};

/// Replaces every match of `pattern` by `content`.
struct ReplaceStep {
  Pattern pattern;
  std::string content;
};

/// Removes white space from the ends.
struct StripStep {
  bool left;
  bool right;
};

/// Unicode normalization.
struct NormalFormStep {
  NormalForm form;
};

/// Lower case, character by character.
struct LowercaseStep {};

/// Removes combining marks.
struct StripAccentsStep {};

/// Writes every byte as its character of the byte-level alphabet.
struct ByteAlphabetStep {};

/// Removes spaces from the ends and leaves one of each run, as SentencePiece's
/// remove_extra_whitespaces.
struct CollapseSpacesStep {};

using NormalizerStep =
    std::variant<PrependStep, ReplaceStep, StripStep, NormalFormStep, LowercaseStep,
                 StripAccentsStep, ByteAlphabetStep, CollapseSpacesStep>;

/// A normalized text, and whether it still begins where the text it came from began.
struct NormalizedText {
  std::string text;
  bool at_start;
};

/// Runs the steps in order.
/// Errors: those of Regex::find_all().
Result<NormalizedText> normalize(const std::vector<NormalizerStep>& steps, std::string_view text,
                                 bool at_start, RegexScratch& scratch);

}  // namespace anybit::model::internal
