#include "anybit/model/tokenizer/internal/normalizer.h"

#include "anybit/model/tokenizer/internal/byte_alphabet.h"

namespace anybit::model::internal {
namespace {

// Calls visit(character, its bytes) for each character of `text`.
template <class Visit>
void for_each_character(std::string_view text, Visit visit) {
  for (size_t position = 0; position < text.size();) {
    const Character character = decode_utf8(text, position);
    visit(character.code_point, text.substr(position, static_cast<size_t>(character.size_bytes)));
    position += static_cast<size_t>(character.size_bytes);
  }
}

class StepRunner {
 public:
  StepRunner(NormalizedText& state, RegexScratch& scratch) : state_(state), scratch_(scratch) {}

  Status operator()(const PrependStep& step) {
    if (!state_.text.empty()) state_.text.insert(0, step.text);
    return {};
  }

  Status operator()(const ReplaceStep& step) {
    spans_.clear();
    ANYBIT_TRY(step.pattern.find_all(state_.text, scratch_, spans_));
    std::string out;
    out.reserve(state_.text.size());
    bool removed_start = false;
    for (const Span& span : spans_) {
      if (span.is_match) {
        removed_start = removed_start || (span.begin == 0 && span.end > 0 && step.content.empty());
        out += step.content;
      } else {
        out.append(state_.text, span.begin, span.end - span.begin);
      }
    }
    state_.text = std::move(out);
    state_.at_start = state_.at_start && !removed_start;
    return {};
  }

  Status operator()(const StripStep& step) {
    size_t begin = 0;
    size_t end = 0;
    bool seen = false;
    size_t position = 0;
    for_each_character(state_.text, [&](int32_t code_point, std::string_view bytes) {
      position += bytes.size();
      if (is_whitespace(code_point)) return;
      if (!seen) begin = position - bytes.size();
      seen = true;
      end = position;
    });
    if (!seen) begin = end = state_.text.size();
    if (step.right) state_.text.resize(seen ? end : 0);
    if (step.left && begin > 0) {
      state_.text.erase(0, begin);
      state_.at_start = false;
    }
    return {};
  }

  Status operator()(const NormalFormStep& step) {
    state_.text = normalize_unicode(state_.text, step.form);
    return {};
  }

  Status operator()(const LowercaseStep&) {
    std::string out;
    out.reserve(state_.text.size());
    for_each_character(state_.text, [&](int32_t code_point, std::string_view bytes) {
      if (code_point == kInvalidByte) {
        out += bytes;
      } else {
        append_lowercase(out, code_point);
      }
    });
    state_.text = std::move(out);
    return {};
  }

  Status operator()(const StripAccentsStep&) {
    std::string out;
    out.reserve(state_.text.size());
    bool at_first = true;
    for_each_character(state_.text, [&](int32_t code_point, std::string_view bytes) {
      if (!is_mark(code_point)) {
        out += bytes;
      } else if (at_first) {
        state_.at_start = false;
      }
      at_first = false;
    });
    state_.text = std::move(out);
    return {};
  }

  Status operator()(const ByteAlphabetStep&) {
    state_.text = bytes_to_alphabet(state_.text);
    return {};
  }

  Status operator()(const CollapseSpacesStep&) {
    std::string out;
    for (const char c : state_.text) {
      if (c != ' ' || (!out.empty() && out.back() != ' ')) out += c;
    }
    if (!out.empty() && out.back() == ' ') out.pop_back();
    state_.text = std::move(out);
    return {};
  }

 private:
  NormalizedText& state_;
  RegexScratch& scratch_;
  std::vector<Span> spans_;
};

}  // namespace

Status Pattern::find_all(std::string_view text, RegexScratch& scratch,
                         std::vector<Span>& spans) const {
  if (regex) return regex->find_all(text, scratch, spans);
  size_t covered = 0;
  while (!literal.empty()) {
    const size_t found = text.find(literal, covered);
    if (found == std::string_view::npos) break;
    if (covered < found) spans.push_back({covered, found, false});
    covered = found + literal.size();
    spans.push_back({found, covered, true});
  }
  if (covered < text.size()) spans.push_back({covered, text.size(), false});
  return {};
}

Result<NormalizedText> normalize(const std::vector<NormalizerStep>& steps, std::string_view text,
                                 bool at_start, RegexScratch& scratch) {
  NormalizedText state{std::string(text), at_start};
  StepRunner runner(state, scratch);
  for (const NormalizerStep& step : steps) ANYBIT_TRY(std::visit(runner, step));
  return state;
}

}  // namespace anybit::model::internal
