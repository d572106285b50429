#include "anybit/vm/text/internal/lexer.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <array>

namespace anybit::vm::text {
namespace {

/// Longer ones first.
constexpr auto kSymbols = std::to_array<std::string_view>(
    {"<<", ">>", "<=", ">=", "==", "!=", "&&", "||", "(", ")", "{", "}", "[",
     "]",  ",",  ":",  "=",  "@",  "+",  "-",  "*",  "/", "%", "!", "<", ">"});

constexpr bool is_digit(char c) { return c >= '0' && c <= '9'; }
constexpr bool is_letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }

/// What stands in the source, short and printable.
std::string describe(const Token& token) {
  if (token.kind == TokenKind::kEnd) return "the end of the text";
  if (token.kind == TokenKind::kInvalid) return std::string(token.text);
  constexpr size_t kMost = 40;
  std::string shown = token.kind == TokenKind::kTile ? "%" : "";
  for (const char c : token.text.substr(0, kMost)) {
    shown += static_cast<unsigned char>(c) < 0x20 || c == 0x7f ? '?' : c;
  }
  if (token.text.size() > kMost) shown += "...";
  return token.kind == TokenKind::kText ? shown : fmt::format("'{}'", shown);
}

}  // namespace

bool is_name_start(char c) { return is_letter(c) || c == '_'; }
bool is_name_part(char c) { return is_name_start(c) || is_digit(c) || c == '.'; }

tl::unexpected<Error> error_at(SourceLocation location, std::string_view message) {
  return fail(ErrorCode::kInvalidArgument, "line {}, column {}: {}", location.line, location.column,
              message);
}

Lexer::Lexer(std::string_view source) : source_(source) { next(); }

SourceLocation Lexer::here() const {
  return {line_, static_cast<int>(position_ - line_start_) + 1};
}

void Lexer::take_line_comment(bool starts_a_line) {
  const size_t end = std::min(source_.find('\n', position_), source_.size());
  std::string_view line = source_.substr(position_ + 2, end - position_ - 2);
  if (line.starts_with(' ')) line.remove_prefix(1);
  while (line.ends_with('\r')) line.remove_suffix(1);
  if (starts_a_line) comment_.push_back(line);
  position_ = end;
}

std::string Lexer::comment() const { return fmt::format("{}", fmt::join(comment_, "\n")); }

void Lexer::skip_blanks_and_comments() {
  comment_.clear();
  bool starts_a_line = position_ == 0;
  int newlines = 0;
  for (; position_ < source_.size(); ++position_) {
    const char c = source_[position_];
    if (c == '\n') {
      ++line_;
      line_start_ = position_ + 1;
      starts_a_line = true;
      if (++newlines > 1) comment_.clear();
    } else if (c == '/' && peek(1) == '/') {
      take_line_comment(starts_a_line);
      newlines = 0;
      --position_;  // The loop steps to the newline.
    } else if (c != ' ' && c != '\t' && c != '\r') {
      return;
    }
  }
}

void Lexer::invalid(std::string_view what) {
  current_.kind = TokenKind::kInvalid;
  current_.text = what;
}

void Lexer::next() {
  skip_blanks_and_comments();
  current_ = {TokenKind::kEnd, {}, here()};
  if (position_ >= source_.size()) return;
  const char c = peek();
  if (is_digit(c)) return lex_number();
  if (c == '"') return lex_text();
  const bool is_tile = c == '%' && is_name_start(peek(1));
  if (!is_tile && !is_name_start(c)) return lex_symbol();
  if (is_tile) ++position_;
  const size_t start = position_;
  while (position_ < source_.size() && is_name_part(source_[position_])) ++position_;
  current_.kind = is_tile ? TokenKind::kTile : TokenKind::kName;
  current_.text = source_.substr(start, position_ - start);
  if (current_.text.size() > kMaxNameLength) invalid("a name of more than 256 characters");
}

void Lexer::lex_number() {
  const size_t start = position_;
  bool is_float = false;
  const bool is_hex = peek() == '0' && peek(1) == 'x';
  while (position_ < source_.size()) {
    const char c = source_[position_];
    const bool is_exponent = !is_hex && (c == 'e' || c == 'E');
    is_float = is_float || is_exponent || c == '.';
    if (is_exponent && (peek(1) == '+' || peek(1) == '-')) ++position_;
    if (!is_name_part(c)) break;
    ++position_;
  }
  current_.kind = is_float ? TokenKind::kFloat : TokenKind::kInteger;
  current_.text = source_.substr(start, position_ - start);
}

void Lexer::lex_text() {
  const size_t start = position_++;
  while (position_ < source_.size() && source_[position_] != '"' && source_[position_] != '\n') {
    position_ += source_[position_] == '\\' && peek(1) != '\n' ? 2 : 1;
  }
  if (position_ >= source_.size() || source_[position_] != '"') {
    position_ = std::min(position_, source_.size());
    return invalid("a text without a closing quote");
  }
  ++position_;
  current_.kind = TokenKind::kText;
  current_.text = source_.substr(start, position_ - start);
}

void Lexer::lex_symbol() {
  const std::string_view rest = source_.substr(position_);
  const auto* found = std::ranges::find_if(
      kSymbols, [&](std::string_view symbol) { return rest.starts_with(symbol); });
  if (found == kSymbols.end()) {
    ++position_;
    return invalid("a character that begins nothing");
  }
  current_.kind = TokenKind::kSymbol;
  current_.text = rest.substr(0, found->size());
  position_ += found->size();
}

bool Lexer::accept(std::string_view symbol) {
  if (!is_symbol(symbol)) return false;
  next();
  return true;
}

bool Lexer::accept_name(std::string_view name) {
  if (!is_name(name)) return false;
  next();
  return true;
}

Status Lexer::expect(std::string_view symbol) {
  if (accept(symbol)) return {};
  return unexpected(fmt::format("'{}'", symbol));
}

Status Lexer::expect_name(std::string_view name) {
  if (accept_name(name)) return {};
  return unexpected(fmt::format("'{}'", name));
}

Result<std::string> Lexer::take_name(std::string_view what) {
  if (current_.kind != TokenKind::kName) return unexpected(what);
  std::string name(current_.text);
  next();
  return name;
}

Result<Token> Lexer::take_layout() {
  while (position_ < source_.size() && (peek() == ' ' || peek() == '\t')) ++position_;
  Token layout{TokenKind::kName, {}, here()};
  const size_t start = position_;
  int depth = 0;
  for (; position_ < source_.size(); ++position_) {
    const char c = source_[position_];
    if (c == '\n') {
      ++line_;
      line_start_ = position_ + 1;
    }
    if (c == '(' || c == '[' || c == '{') ++depth;
    if (c == ')' || c == ']' || c == '}') --depth;
    if (depth < 0 || c == '%' || (c == '=' && depth == 0)) break;
  }
  layout.text = source_.substr(start, position_ - start);
  while (!layout.text.empty() &&
         std::string_view(" \t\r\n").find(layout.text.back()) != std::string_view::npos) {
    layout.text.remove_suffix(1);
  }
  if (peek() != '=') return error_at(layout.location, "expected a layout and '=' after '@'");
  next();
  return layout;
}

tl::unexpected<Error> Lexer::unexpected(std::string_view expected) const {
  return error_at(current_.location,
                  fmt::format("expected {}, found {}", expected, describe(current_)));
}

}  // namespace anybit::vm::text
