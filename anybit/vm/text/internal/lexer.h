// The tokens of the text form: names, %tiles, numbers, "texts", punctuation; comments are skipped,
// and those right before a token are kept for whoever asks.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "anybit/base/result.h"
#include "anybit/vm/ir/program.h"

namespace anybit::vm::text {

enum class TokenKind : uint8_t {
  kEnd,
  kName,     // first, block.x
  kTile,     // %part; text is without the %
  kInteger,  // 12, 0xff
  kFloat,    // 1.5, 1e-3
  kText,     // "..."; text is as written, with the quotes
  kSymbol,   // ( <= &&
  kInvalid,  // text says what is wrong with it
};

struct Token {
  TokenKind kind = TokenKind::kEnd;
  std::string_view text;
  SourceLocation location;
};

/// A cursor over the tokens of `source`, which must outlive it.
class Lexer {
 public:
  explicit Lexer(std::string_view source);

  const Token& current() const { return current_; }
  void next();

  bool is_symbol(std::string_view symbol) const {
    return current_.kind == TokenKind::kSymbol && current_.text == symbol;
  }
  bool is_name(std::string_view name) const {
    return current_.kind == TokenKind::kName && current_.text == name;
  }
  /// Goes on if the current token is that symbol or name.
  bool accept(std::string_view symbol);
  bool accept_name(std::string_view name);
  /// Goes on. Errors: kInvalidArgument unless the current token is that symbol.
  Status expect(std::string_view symbol);
  Status expect_name(std::string_view name);
  /// Takes a name. Errors: kInvalidArgument: "expected `what`, found ...".
  Result<std::string> take_name(std::string_view what);

  /// Takes the text from after the current token, which is "@", to the next "=" outside brackets,
  /// where it goes on. Errors: kInvalidArgument if there is none.
  Result<Token> take_layout();

  /// The comment lines right before the current token, without "//" and one space, joined by
  /// newlines.
  std::string comment() const;

  /// "line 3, column 14: expected `expected`, found 'x'".
  tl::unexpected<Error> unexpected(std::string_view expected) const;

 private:
  void skip_blanks_and_comments();
  void take_line_comment(bool starts_a_line);
  char peek(size_t ahead = 0) const {
    return position_ + ahead < source_.size() ? source_[position_ + ahead] : '\0';
  }
  SourceLocation here() const;
  void lex_number();
  void lex_text();
  void lex_symbol();
  void invalid(std::string_view what);

  std::string_view source_;
  size_t position_ = 0;
  size_t line_start_ = 0;
  int line_ = 1;
  std::vector<std::string_view> comment_;
  Token current_;
};

/// "line 3, column 14: message".
tl::unexpected<Error> error_at(SourceLocation location, std::string_view message);

/// [A-Za-z_] and [A-Za-z0-9_.].
bool is_name_start(char c);
bool is_name_part(char c);

}  // namespace anybit::vm::text
