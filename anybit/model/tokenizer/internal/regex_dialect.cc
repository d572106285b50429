#include <algorithm>
#include <cctype>
#include <iterator>

#include "anybit/model/tokenizer/internal/regex.h"

namespace anybit::model::internal {
namespace {

// Oniguruma's character types under Unicode, in terms that PCRE2 reads the same way.
struct TypeEscape {
  char letter;
  std::string_view outside_class;
  std::string_view inside_class;
};

// White_Space; PCRE2's own \s adds U+180E.
#define ANYBIT_SPACES                                                     \
  R"(\x09-\x0D\x20\x{85}\x{A0}\x{1680}\x{2000}-\x{200A}\x{2028}\x{2029})" \
  R"(\x{202F}\x{205F}\x{3000})"
#define ANYBIT_WORD R"(\p{Alphabetic}\p{M}\p{Nd}\p{Pc})"

constexpr TypeEscape kTypeEscapes[] = {
    {'s', "[" ANYBIT_SPACES "]", ANYBIT_SPACES},
    {'S', "[^" ANYBIT_SPACES "]", R"(\P{White_Space})"},
    {'w', "[" ANYBIT_WORD "]", ANYBIT_WORD},
    {'W', "[^" ANYBIT_WORD "]", ""},
    {'d', R"(\p{Nd})", R"(\p{Nd})"},
    {'D', R"(\P{Nd})", R"(\P{Nd})"},
    {'h', "[0-9A-Fa-f]", "0-9A-Fa-f"},
    {'H', "[^0-9A-Fa-f]", ""},
    {'b',
     "(?:(?<=[" ANYBIT_WORD "])(?![" ANYBIT_WORD "])|(?<![" ANYBIT_WORD "])(?=[" ANYBIT_WORD "]))",
     R"(\x08)"},
    {'B',
     "(?:(?<=[" ANYBIT_WORD "])(?=[" ANYBIT_WORD "])|(?<![" ANYBIT_WORD "])(?![" ANYBIT_WORD "]))",
     ""},
};
#undef ANYBIT_SPACES
#undef ANYBIT_WORD

// Escapes of letters that both dialects read alike.
constexpr std::string_view kSharedEscapes = "tnrfvaepPAzZxk";

class Translator {
 public:
  Translator(std::string_view pattern, std::string_view where) : pattern_(pattern), where_(where) {}

  Result<std::string> translate() {
    while (position_ < pattern_.size()) {
      const char c = pattern_[position_];
      if (c == '\\') {
        ANYBIT_TRY(escape(false));
      } else if (c == '[') {
        ANYBIT_TRY(character_class());
      } else if (c == '(' && rest().starts_with("(?")) {
        ANYBIT_TRY(group());
      } else {
        out_ += c;
        ++position_;
      }
    }
    return std::move(out_);
  }

 private:
  std::string_view rest() const { return pattern_.substr(position_); }

  tl::unexpected<Error> unsupported(std::string_view construct) const {
    return fail(ErrorCode::kUnsupported, "{}: pattern \"{}\": {} at byte {} is not supported",
                where_, pattern_, construct, position_);
  }

  // Ruby's (?m) means what PCRE2 calls (?s), and it has options PCRE2 lacks: only i is let through.
  Status group() {
    const std::string_view tail = rest().substr(2);
    const size_t option_end = tail.find_first_not_of("imxsaDSWPuy-");
    const bool has_options = option_end != 0 && option_end != std::string_view::npos &&
                             (tail[option_end] == ':' || tail[option_end] == ')');
    if (has_options &&
        tail.substr(0, option_end).find_first_not_of("i-") != std::string_view::npos) {
      return unsupported("an option other than i");
    }
    if (!has_options && !tail.empty() &&
        std::string_view(":=!><#").find(tail.front()) == std::string_view::npos) {
      return unsupported("a group of this kind");
    }
    out_ += "(?";
    position_ += 2;
    return {};
  }

  // Whether the '-' here stands beside a character type, where Oniguruma reads it literally.
  bool touches_type() const {
    const auto is_type = [&](size_t backslash) {
      if (backslash + 1 >= pattern_.size() || pattern_[backslash] != '\\') return false;
      const char letter = pattern_[backslash + 1];
      return std::any_of(std::begin(kTypeEscapes), std::end(kTypeEscapes),
                         [&](const TypeEscape& type) { return type.letter == letter; });
    };
    return is_type(position_ + 1) || (position_ >= 2 && is_type(position_ - 2));
  }

  Status escape(bool in_class) {
    if (position_ + 1 >= pattern_.size()) return unsupported("a trailing backslash");
    const char letter = pattern_[position_ + 1];
    for (const TypeEscape& type : kTypeEscapes) {
      if (type.letter != letter) continue;
      const std::string_view replacement = in_class ? type.inside_class : type.outside_class;
      if (replacement.empty()) return unsupported("a negated type in a class");
      out_ += replacement;
      position_ += 2;
      return {};
    }
    if (letter == 'u') return unicode_escape();
    const bool is_alphanumeric = std::isalnum(static_cast<unsigned char>(letter)) != 0;
    const bool is_back_reference = letter >= '0' && letter <= '9' && !in_class;
    if (is_alphanumeric && !is_back_reference &&
        kSharedEscapes.find(letter) == std::string_view::npos) {
      return unsupported(fmt::format("the escape \\{}", letter));
    }
    out_ += '\\';
    out_ += letter;
    position_ += 2;
    return {};
  }

  Status unicode_escape() {
    const std::string_view digits = rest().substr(2, 4);
    for (const char digit : digits) {
      if (std::isxdigit(static_cast<unsigned char>(digit)) == 0) {
        return unsupported("an incomplete \\u");
      }
    }
    if (digits.size() != 4) return unsupported("an incomplete \\u");
    out_ += fmt::format("\\x{{{}}}", digits);
    position_ += 6;
    return {};
  }

  // Oniguruma's classes nest: [a[bc]] is [abc]. Nested positive classes are flattened; negated
  // ones and intersections are refused.
  Status character_class() {
    int depth = 0;
    bool at_start = true;
    while (position_ < pattern_.size()) {
      const char c = pattern_[position_];
      if (c == '[' && rest().starts_with("[:")) {
        const size_t end = pattern_.find(":]", position_ + 2);
        if (end == std::string_view::npos) return unsupported("an open POSIX bracket");
        out_ += pattern_.substr(position_, end + 2 - position_);
        position_ = end + 2;
      } else if (c == '[') {
        ++position_;
        if (depth++ == 0) out_ += '[';
        if (rest().starts_with("^")) {
          if (depth > 1) return unsupported("a negated class in a class");
          out_ += '^';
          ++position_;
        }
        at_start = true;
        continue;
      } else if (c == ']' && !at_start) {
        ++position_;
        if (--depth == 0) {
          out_ += ']';
          return {};
        }
      } else if (c == '&' && rest().starts_with("&&")) {
        return unsupported("an intersection of classes");
      } else if (c == '\\') {
        ANYBIT_TRY(escape(true));
      } else {
        if (c == ']' || (c == '-' && touches_type())) out_ += '\\';
        out_ += c;
        ++position_;
      }
      at_start = false;
    }
    return unsupported("an open character class");
  }

  std::string_view pattern_;
  std::string_view where_;
  size_t position_ = 0;
  std::string out_;
};

}  // namespace

Result<std::string> translate_pattern(std::string_view pattern, std::string_view where) {
  return Translator(pattern, where).translate();
}

}  // namespace anybit::model::internal
