#include "anybit/model/tokenizer/internal/decoder.h"

#include <optional>

#include "anybit/model/tokenizer/internal/byte_alphabet.h"

namespace anybit::model::internal {
namespace {

std::optional<int> hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  return std::nullopt;
}

std::optional<char> fallback_byte(std::string_view spelling) {
  if (spelling.size() != 6 || !spelling.starts_with("<0x") || spelling[5] != '>') {
    return std::nullopt;
  }
  const std::optional<int> high = hex_digit(spelling[3]);
  const std::optional<int> low = hex_digit(spelling[4]);
  if (!high || !low) return std::nullopt;
  return static_cast<char>(*high * 16 + *low);
}

std::string replace_all(std::string_view text, std::string_view from, std::string_view to) {
  std::string out;
  size_t covered = 0;
  for (size_t found = text.find(from); found != std::string_view::npos;
       found = text.find(from, covered)) {
    out += text.substr(covered, found - covered);
    out += to;
    covered = found + from.size();
  }
  out += text.substr(covered);
  return out;
}

class StepRunner {
 public:
  StepRunner(std::vector<TokenText>& tokens, bool in_middle)
      : tokens_(tokens), in_middle_(in_middle) {}

  Status operator()(const ByteLevelDecodeStep&) {
    for (TokenText& token : tokens_) {
      if (token.is_verbatim) continue;
      std::optional<std::string> bytes = alphabet_to_bytes(token.text);
      if (bytes) token.text = std::move(*bytes);
    }
    return (*this)(FuseStep{});
  }

  Status operator()(const ByteFallbackStep&) {
    for (TokenText& token : tokens_) {
      const std::optional<char> byte = token.is_verbatim ? std::nullopt : fallback_byte(token.text);
      if (byte) token.text.assign(1, *byte);
    }
    return {};
  }

  Status operator()(const FuseStep&) {
    std::string all;
    for (const TokenText& token : tokens_) all += token.text;
    tokens_.assign(1, {std::move(all), false});
    return {};
  }

  Status operator()(const ReplaceStep& step) {
    RegexScratch scratch;
    std::vector<Span> spans;
    for (TokenText& token : tokens_) {
      if (token.is_verbatim) continue;
      spans.clear();
      ANYBIT_TRY(step.pattern.find_all(token.text, scratch, spans));
      std::string out;
      for (const Span& span : spans) {
        if (span.is_match) {
          out += step.content;
        } else {
          out.append(token.text, span.begin, span.end - span.begin);
        }
      }
      token.text = std::move(out);
    }
    return {};
  }

  Status operator()(const StripTokenStep& step) {
    if (in_middle_) return {};
    for (TokenText& token : tokens_) {
      if (token.is_verbatim) continue;
      std::string_view text = token.text;
      for (int64_t i = 0; i < step.start && text.starts_with(step.character); ++i) {
        text.remove_prefix(step.character.size());
      }
      for (int64_t i = 0; i < step.stop && text.ends_with(step.character); ++i) {
        text.remove_suffix(step.character.size());
      }
      token.text = std::string(text);
    }
    return {};
  }

  Status operator()(const MetaspaceDecodeStep& step) {
    bool is_first = !in_middle_;
    for (TokenText& token : tokens_) {
      const bool drops = is_first && step.drop_first;
      is_first = false;
      if (!token.is_verbatim)
        token.text = replace_all(token.text, step.replacement, drops ? "" : " ");
    }
    return {};
  }

 private:
  std::vector<TokenText>& tokens_;
  bool in_middle_;
};

}  // namespace

Result<std::string> run_decoder(const std::vector<DecoderStep>& steps,
                                std::vector<TokenText> tokens, bool in_middle) {
  StepRunner runner(tokens, in_middle);
  for (const DecoderStep& step : steps) ANYBIT_TRY(std::visit(runner, step));
  std::string out;
  for (const TokenText& token : tokens) out += token.text;
  return out;
}

}  // namespace anybit::model::internal
