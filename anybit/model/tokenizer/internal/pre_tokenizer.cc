#include "anybit/model/tokenizer/internal/pre_tokenizer.h"

#include <algorithm>

#include "anybit/model/tokenizer/internal/byte_alphabet.h"
#include "anybit/model/tokenizer/internal/unicode.h"

namespace anybit::model::internal {
namespace {

bool contains(CharacterSet set, int32_t code_point) {
  switch (set) {
    case CharacterSet::kNumeric: return is_numeric(code_point);
    case CharacterSet::kPunctuation: return is_punctuation(code_point);
    case CharacterSet::kWhitespace: break;
  }
  return is_whitespace(code_point);
}

// Joins neighbours of equal kind; a first delimiter is a piece like any other.
void join_contiguous(std::vector<Span>& spans) {
  size_t count = 0;
  for (const Span& span : spans) {
    if (count > 0 && spans[count - 1].is_match == span.is_match) {
      spans[count - 1].end = span.end;
    } else {
      spans[count++] = span;
    }
  }
  spans.resize(count);
}

// A delimiter that follows no delimiter joins the piece before it.
void merge_with_previous(std::vector<Span>& spans) {
  size_t count = 0;
  bool previous_match = false;
  for (const Span& span : spans) {
    if (span.is_match && !previous_match && count > 0) {
      spans[count - 1].end = span.end;
    } else {
      spans[count++] = span;
    }
    previous_match = span.is_match;
  }
  spans.resize(count);
}

// The mirror image: a delimiter that precedes no delimiter joins the piece after it.
void merge_with_next(std::vector<Span>& spans) {
  size_t count = 0;
  bool next_match = false;
  for (size_t i = spans.size(); i-- > 0;) {
    const Span span = spans[i];
    if (span.is_match && !next_match && count > 0) {
      spans[spans.size() - count].begin = span.begin;
    } else {
      spans[spans.size() - ++count] = span;
    }
    next_match = span.is_match;
  }
  spans.erase(spans.begin(), spans.end() - static_cast<ptrdiff_t>(count));
}

void apply_behavior(SplitBehavior behavior, std::vector<Span>& spans) {
  switch (behavior) {
    case SplitBehavior::kRemoved:
      std::erase_if(spans, [](const Span& span) { return span.is_match; });
      break;
    case SplitBehavior::kIsolated: break;
    case SplitBehavior::kMergedWithPrevious: merge_with_previous(spans); break;
    case SplitBehavior::kMergedWithNext: merge_with_next(spans); break;
    case SplitBehavior::kContiguous: join_contiguous(spans); break;
  }
}

class StepRunner {
 public:
  StepRunner(std::vector<Piece> pieces, TextStore& store, RegexScratch& scratch)
      : pieces_(std::move(pieces)), store_(store), scratch_(scratch) {}

  std::vector<Piece> take() { return std::move(pieces_); }

  Status operator()(const SplitStep& step) {
    for (const Piece& piece : pieces_) {
      spans_.clear();
      ANYBIT_TRY(step.pattern.find_all(piece.text, scratch_, spans_));
      if (step.invert) {
        for (Span& span : spans_) span.is_match = !span.is_match;
      }
      apply_behavior(step.behavior, spans_);
      emit(piece);
    }
    return finish();
  }

  Status operator()(const CharacterSplitStep& step) {
    for (const Piece& piece : pieces_) {
      find_characters(piece.text, step.set);
      apply_behavior(step.behavior, spans_);
      emit(piece);
    }
    return finish();
  }

  Status operator()(const ByteLevelStep& step) {
    for (Piece piece : pieces_) {
      if (step.add_prefix_space && !piece.text.starts_with(' ')) {
        piece.text = store_.emplace_back(" " + std::string(piece.text));
      }
      spans_.clear();
      if (step.pattern) {
        ANYBIT_TRY(step.pattern->find_all(piece.text, scratch_, spans_));
      } else {
        spans_.push_back({0, piece.text.size(), false});
      }
      emit(piece);
    }
    if (step.spell_out) {
      for (Piece& piece : next_) piece.text = store_.emplace_back(bytes_to_alphabet(piece.text));
    }
    return finish();
  }

  Status operator()(const MetaspaceStep& step) {
    for (Piece piece : pieces_) {
      std::string text;
      for (const char c : piece.text) {
        if (c == ' ') {
          text += step.replacement;
        } else {
          text += c;
        }
      }
      const bool prepends = step.prepend_scheme == PrependScheme::kAlways ||
                            (step.prepend_scheme == PrependScheme::kFirst && piece.at_start);
      if (prepends && !text.starts_with(step.replacement)) text.insert(0, step.replacement);
      piece.text = store_.emplace_back(std::move(text));
      spans_.clear();
      if (step.split) {
        const Pattern pattern{step.replacement, std::nullopt};
        ANYBIT_TRY(pattern.find_all(piece.text, scratch_, spans_));
        merge_with_next(spans_);
      } else {
        spans_.push_back({0, piece.text.size(), false});
      }
      emit(piece);
    }
    return finish();
  }

 private:
  void find_characters(std::string_view text, CharacterSet set) {
    spans_.clear();
    size_t covered = 0;
    for (size_t position = 0; position < text.size();) {
      const Character character = decode_utf8(text, position);
      const size_t end = position + static_cast<size_t>(character.size_bytes);
      if (contains(set, character.code_point)) {
        if (covered < position) spans_.push_back({covered, position, false});
        spans_.push_back({position, end, true});
        covered = end;
      }
      position = end;
    }
    if (covered < text.size()) spans_.push_back({covered, text.size(), false});
  }

  void emit(const Piece& piece) {
    for (const Span& span : spans_) {
      if (span.begin == span.end) continue;
      next_.push_back({piece.text.substr(span.begin, span.end - span.begin),
                       piece.at_start && span.begin == 0});
    }
  }

  Status finish() {
    pieces_.swap(next_);
    next_.clear();
    return {};
  }

  std::vector<Piece> pieces_;
  std::vector<Piece> next_;
  std::vector<Span> spans_;
  TextStore& store_;
  RegexScratch& scratch_;
};

}  // namespace

Result<std::vector<Piece>> pre_tokenize(const std::vector<PreTokenizerStep>& steps, Piece piece,
                                        TextStore& store, RegexScratch& scratch) {
  std::vector<Piece> pieces;
  if (!piece.text.empty()) pieces.push_back(piece);
  StepRunner runner(std::move(pieces), store, scratch);
  for (const PreTokenizerStep& step : steps) ANYBIT_TRY(std::visit(runner, step));
  return runner.take();
}

}  // namespace anybit::model::internal
