// Regex: the regular expressions of tokenizer files, run by PCRE2 with its JIT compiler. The files
// are written for Oniguruma (Ruby syntax, Unicode); their dialect is translated, and a construct
// that would mean something else is refused.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "anybit/base/result.h"

namespace anybit::model::internal {

/// A part of a text, and whether the pattern matched it.
struct Span {
  size_t begin;
  size_t end;
  bool is_match;
};

/// The working memory of matches; one thread uses it at a time.
class RegexScratch {
 public:
  RegexScratch();
  ~RegexScratch();
  RegexScratch(const RegexScratch&) = delete;
  RegexScratch& operator=(const RegexScratch&) = delete;

 private:
  friend class Regex;
  struct State;
  std::unique_ptr<State> state_;
};

/// The PCRE2 pattern that matches what `pattern` matches in Oniguruma.
/// Errors: kUnsupported naming the construct; `where` opens the message.
Result<std::string> translate_pattern(std::string_view pattern, std::string_view where);

/// An immutable compiled pattern.
class Regex {
 public:
  /// Errors: kUnsupported for a construct that PCRE2 reads differently; kCorruptData with PCRE2's
  /// reason and its position. `where` opens the message.
  static Result<Regex> compile(std::string_view pattern, std::string_view where);

  /// Appends the leftmost matches in `text` and the stretches between them, in order, covering the
  /// text. An empty match appears as an empty span. Bytes that are not UTF-8 match nothing and end
  /// the text for the pattern's assertions.
  /// Errors: kInvalidArgument if matching exceeds the backtracking limit.
  Status find_all(std::string_view text, RegexScratch& scratch, std::vector<Span>& spans) const;

 private:
  struct Code;
  explicit Regex(std::shared_ptr<const Code> code);
  Status find_in_valid(std::string_view text, size_t begin, size_t end, RegexScratch& scratch,
                       std::vector<Span>& spans, size_t& covered) const;

  std::shared_ptr<const Code> code_;
};

}  // namespace anybit::model::internal
