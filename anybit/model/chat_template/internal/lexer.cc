#include "anybit/model/chat_template/internal/lexer.h"

#include <algorithm>
#include <array>

#include "anybit/model/chat_template/internal/text.h"

namespace anybit::model::jinja {
namespace {

bool is_ascii_digit(char letter) { return letter >= '0' && letter <= '9'; }

bool is_name_character(char letter) {
  return is_ascii_digit(letter) || (letter >= 'a' && letter <= 'z') ||
         (letter >= 'A' && letter <= 'Z') || letter == '_' ||
         static_cast<unsigned char>(letter) >= 0x80;
}

/// One kind of line end, and not one at the very end: what Jinja does before it looks further.
std::string normalize_line_ends(std::string_view source) {
  std::string out;
  out.reserve(source.size());
  for (size_t i = 0; i < source.size(); ++i) {
    if (source[i] != '\r') {
      out += source[i];
    } else {
      out += '\n';
      if (i + 1 < source.size() && source[i + 1] == '\n') ++i;
    }
  }
  if (!out.empty() && out.back() == '\n') out.pop_back();
  return out;
}

/// Appends what the escape sequence after a backslash at `position` stands for, and returns the
/// position after it. Unknown sequences stand for themselves, as in Python.
Result<size_t> append_escape(std::string_view text, size_t position, std::string& out) {
  constexpr std::string_view kNames = "abfnrtv\\'\"";
  constexpr std::string_view kValues = "\a\b\f\n\r\t\v\\'\"";
  const char letter = text[position];
  if (const size_t found = kNames.find(letter); found != kNames.npos) {
    out += kValues[found];
    return position + 1;
  }
  if (letter == '\n') return position + 1;
  const auto digits = [&](size_t begin, size_t max_digits, int base, size_t& end) {
    int64_t code = 0;
    for (end = begin; end < text.size() && end < begin + max_digits; ++end) {
      const char digit = text[end];
      const int value = is_ascii_digit(digit)            ? digit - '0'
                        : (digit >= 'a' && digit <= 'f') ? digit - 'a' + 10
                        : (digit >= 'A' && digit <= 'F') ? digit - 'A' + 10
                                                         : base;
      if (value >= base) break;
      code = code * base + value;
    }
    return code;
  };
  size_t end = position;
  int64_t code = 0;
  if (letter >= '0' && letter <= '7') {
    code = digits(position, 3, 8, end);
  } else if (letter == 'x' || letter == 'u' || letter == 'U') {
    const size_t wanted = letter == 'x' ? 2 : letter == 'u' ? 4 : 8;
    code = digits(position + 1, wanted, 16, end);
    if (end != position + 1 + wanted || code > 0x10FFFF || (code >= 0xD800 && code < 0xE000)) {
      return fail(ErrorCode::kCorruptData,
                  "expected {} hexadecimal digits of a character after \\{}", wanted, letter);
    }
  } else {
    out += '\\';
    return position;
  }
  append_utf8(static_cast<int32_t>(code), out);
  return end;
}

class Lexer {
 public:
  explicit Lexer(std::string_view source) : source_(normalize_line_ends(source)) {}

  Result<std::vector<Token>> run() {
    while (position_ < source_.size()) ANYBIT_TRY(read_data_and_tag());
    add(TokenKind::kEnd, "");
    return std::move(tokens_);
  }

 private:
  std::string_view rest() const { return std::string_view(source_).substr(position_); }
  bool looking_at(std::string_view text) const { return rest().starts_with(text); }

  void add(TokenKind kind, std::string text) { tokens_.push_back({kind, std::move(text), line_}); }

  void advance(size_t num_bytes) {
    if (num_bytes == 0) return;
    const std::string_view passed = rest().substr(0, num_bytes);
    line_ += static_cast<int>(std::count(passed.begin(), passed.end(), '\n'));
    position_ += num_bytes;
    is_line_start_ = passed.back() == '\n';
  }

  void advance_space() { advance(rest().size() - strip(rest(), true, false).size()); }

  tl::unexpected<Error> error(std::string_view expected) const {
    return fail(ErrorCode::kCorruptData, "line {}: expected {}", line_, expected);
  }

  Status read_data_and_tag();
  Status read_comment();
  Status read_raw(size_t opening_size);
  Status read_expression(bool is_variable);
  Status read_token();
  Status read_string();
  void read_number();
  bool read_end(bool is_variable);
  size_t raw_opening_size() const;
  void add_data(std::string_view data, std::string_view tag);

  std::string source_;
  size_t position_ = 0;
  int line_ = 1;
  bool is_line_start_ = true;  // The text read last ended a line.
  std::vector<Token> tokens_;
  std::string open_brackets_;
};

/// Text before a tag, less the blanks that belong to the tag. `tag`: the tag's first three bytes.
void Lexer::add_data(std::string_view data, std::string_view tag) {
  const char sign = tag.size() > 2 ? tag[2] : ' ';
  const size_t num_bytes = data.size();
  if (sign == '-') {
    data = strip(data, false, true);
  } else if (sign != '+' && tag[1] != '{') {
    const size_t line_end = data.rfind('\n');
    const size_t line_begin = line_end == data.npos ? 0 : line_end + 1;
    const bool is_whole_line = line_begin > 0 || is_line_start_;
    if (is_whole_line && is_space_only(data.substr(line_begin))) data = data.substr(0, line_begin);
  }
  if (!data.empty()) add(TokenKind::kData, std::string(data));
  advance(num_bytes);
}

Status Lexer::read_data_and_tag() {
  size_t begin = position_;
  for (; begin + 1 < source_.size(); ++begin) {
    const char second = source_[begin + 1];
    if (source_[begin] == '{' && (second == '{' || second == '%' || second == '#')) break;
  }
  if (begin + 1 >= source_.size()) {
    add(TokenKind::kData, std::string(rest()));
    advance(rest().size());
    return {};
  }
  const std::string_view tag = std::string_view(source_).substr(begin, 3);
  add_data(rest().substr(0, begin - position_), tag);
  if (const size_t opening_size = raw_opening_size(); opening_size > 0) {
    return read_raw(opening_size);
  }
  const char kind = tag[1];
  advance(tag.size() > 2 && (tag[2] == '-' || tag[2] == '+') ? 3 : 2);
  if (kind == '#') return read_comment();
  add(kind == '{' ? TokenKind::kVariableBegin : TokenKind::kBlockBegin, "");
  return read_expression(kind == '{');
}

Status Lexer::read_comment() {
  const size_t end = rest().find("#}");
  if (end == std::string_view::npos) return error("\"#}\" that ends the comment, found the end");
  const char sign = end > 0 ? rest()[end - 1] : ' ';
  advance(end + 2);
  if (sign == '-') {
    advance_space();
  } else if (sign != '+' && looking_at("\n")) {
    advance(1);
  }
  return {};
}

/// Bytes of "{% raw %}" here, with the white space it takes; 0 if there is another tag.
size_t Lexer::raw_opening_size() const {
  if (!looking_at("{%")) return 0;
  std::string_view text = rest().substr(2);
  if (text.starts_with('-') || text.starts_with('+')) text.remove_prefix(1);
  text = strip(text, true, false);
  if (!text.starts_with("raw")) return 0;
  text = strip(text.substr(3), true, false);
  const bool takes_space = text.starts_with("-%}");
  if (!takes_space && !text.starts_with("%}")) return 0;
  text.remove_prefix(takes_space ? 3 : 2);
  if (takes_space) text = strip(text, true, false);
  return rest().size() - text.size();
}

Status Lexer::read_raw(size_t opening_size) {
  advance(opening_size);
  for (size_t begin = rest().find("{%"); begin != std::string_view::npos;
       begin = rest().find("{%", begin + 1)) {
    const std::string_view tag = rest().substr(begin, 3);
    std::string_view text = rest().substr(begin + 2);
    if (text.starts_with('-') || text.starts_with('+')) text.remove_prefix(1);
    text = strip(text, true, false);
    if (!text.starts_with("endraw")) continue;
    text = strip(text.substr(6), true, false);
    const char sign = text.empty() ? ' ' : text.front();
    if (sign == '-' || sign == '+') text.remove_prefix(1);
    if (!text.starts_with("%}")) continue;
    text.remove_prefix(2);
    if (sign == '-') text = strip(text, true, false);
    if (sign != '-' && sign != '+' && text.starts_with('\n')) text.remove_prefix(1);
    const size_t remaining = text.size();
    add_data(rest().substr(0, begin), tag);
    advance(rest().size() - remaining);
    return {};
  }
  return error("\"{% endraw %}\", found the end of the template");
}

/// Passes the end of the tag, if it is here.
bool Lexer::read_end(bool is_variable) {
  const std::string_view end = is_variable ? "}}" : "%}";
  if (rest().starts_with("-") && rest().substr(1).starts_with(end)) {
    add(is_variable ? TokenKind::kVariableEnd : TokenKind::kBlockEnd, "");
    advance(3);
    advance_space();
    return true;
  }
  const bool has_plus = !is_variable && looking_at("+%}");
  if (!has_plus && !looking_at(end)) return false;
  add(is_variable ? TokenKind::kVariableEnd : TokenKind::kBlockEnd, "");
  advance(has_plus ? 3 : 2);
  if (!is_variable && !has_plus && looking_at("\n")) advance(1);
  return true;
}

Status Lexer::read_expression(bool is_variable) {
  open_brackets_.clear();
  while (true) {
    if (open_brackets_.empty() && read_end(is_variable)) return {};
    const size_t before = position_;
    advance_space();
    if (position_ != before) continue;
    if (position_ >= source_.size()) {
      return error(is_variable ? "\"}}\" that ends the expression, found the end of the template"
                               : "\"%}\" that ends the tag, found the end of the template");
    }
    ANYBIT_TRY(read_token());
  }
}

void Lexer::read_number() {
  const std::string_view text = rest();
  size_t end = 0;
  const auto pass_digits = [&](auto is_digit) {
    const size_t begin = end;
    while (end < text.size() &&
           (is_digit(text[end]) || (text[end] == '_' && end > begin && end + 1 < text.size() &&
                                    is_digit(text[end + 1])))) {
      ++end;
    }
    return end > begin;
  };
  const auto is_hexadecimal = [](char c) {
    return is_ascii_digit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
  };
  TokenKind kind = TokenKind::kInteger;
  const char base = text.size() > 2 && text[0] == '0' ? static_cast<char>(text[1] | 0x20) : ' ';
  if (base == 'x' || base == 'o' || base == 'b') {
    end = 2;
    pass_digits(is_hexadecimal);
  } else {
    pass_digits(is_ascii_digit);
    const auto digit_at = [&](size_t at) { return at < text.size() && is_ascii_digit(text[at]); };
    if (end < text.size() && text[end] == '.' && digit_at(end + 1)) {
      kind = TokenKind::kFloat;
      ++end;
      pass_digits(is_ascii_digit);
    }
    if (end < text.size() && (text[end] == 'e' || text[end] == 'E')) {
      const bool has_sign = end + 1 < text.size() && (text[end + 1] == '+' || text[end + 1] == '-');
      if (digit_at(end + (has_sign ? 2 : 1))) {
        kind = TokenKind::kFloat;
        end += has_sign ? 2 : 1;
        pass_digits(is_ascii_digit);
      }
    }
  }
  std::string digits(text.substr(0, end));
  std::erase(digits, '_');
  add(kind, std::move(digits));
  advance(end);
}

Status Lexer::read_string() {
  const std::string_view text = rest();
  const char quote = text.front();
  std::string value;
  size_t end = 1;
  while (end < text.size() && text[end] != quote) {
    if (text[end] != '\\' || end + 1 >= text.size()) {
      value += text[end++];
      continue;
    }
    auto after = append_escape(text, end + 1, value);
    if (!after) return with_context(std::move(after).error(), fmt::format("line {}", line_));
    end = *after;
  }
  if (end >= text.size()) return error("a quote that ends the string, found the end");
  add(TokenKind::kString, std::move(value));
  advance(end + 1);
  return {};
}

Status Lexer::read_token() {
  const char first = source_[position_];
  const bool is_after_dot =
      !tokens_.empty() && tokens_.back().kind == TokenKind::kOperator && tokens_.back().text == ".";
  if (is_ascii_digit(first)) {
    if (!is_after_dot) {
      read_number();
      return {};
    }
    size_t end = 0;
    while (end < rest().size() && is_ascii_digit(rest()[end])) ++end;
    add(TokenKind::kInteger, std::string(rest().substr(0, end)));
    advance(end);
    return {};
  }
  if (first == '"' || first == '\'') return read_string();
  if (is_name_character(first)) {
    size_t end = 0;
    while (end < rest().size() && is_name_character(rest()[end])) ++end;
    add(TokenKind::kName, std::string(rest().substr(0, end)));
    advance(end);
    return {};
  }
  static constexpr std::array<std::string_view, 26> kOperators = {
      "//", "**", "==", "!=", ">=", "<=", "+", "-", "/", "*", "%", "~", "[",
      "]",  "(",  ")",  "{",  "}",  ">",  "<", "=", ".", ":", "|", ",", ";"};
  const auto found = std::find_if(kOperators.begin(), kOperators.end(),
                                  [&](std::string_view op) { return looking_at(op); });
  if (found == kOperators.end()) {
    return error(fmt::format("an operator, a name, a number or a string, found \"{}\"", first));
  }
  if (first == '(' || first == '[' || first == '{') open_brackets_ += first;
  if (first == ')' || first == ']' || first == '}') {
    const char opener = first == ')' ? '(' : first == ']' ? '[' : '{';
    if (open_brackets_.empty() || open_brackets_.back() != opener) {
      return error(fmt::format("\"{}\" only after its opening bracket", first));
    }
    open_brackets_.pop_back();
  }
  add(TokenKind::kOperator, std::string(*found));
  advance(found->size());
  return {};
}

}  // namespace

Result<std::vector<Token>> tokenize_template(std::string_view source) {
  return Lexer(source).run();
}

}  // namespace anybit::model::jinja
